from .assets import SHARED as SHARED, shipped as shipped
from .server import HEADERS as HEADERS
