from .server import HEADERS as HEADERS, SHARED as SHARED, shipped as shipped
