from .base import StudySpec as StudySpec
from .engine import run_study as run_study, write_report as write_report
from .forecast import plan_lines as plan_lines, plan_study as plan_study
from .further import grid_tables as grid_tables
from .later import score_later as score_later
from .leaky import MARK as MARK
from .pages import every_row as every_row, noun_of as noun_of, table_of as table_of
from .question import load_demo as load_demo, load_study as load_study
from .results import read_study_results as read_study_results
from .spec import LEAKY as LEAKY
from .study import read_study as read_study
from .unfinished import require_finished as require_finished
from .variants import PHANTOM as PHANTOM
