from .ours import by_paper as by_paper
from .page import write_papers_page as write_papers_page
