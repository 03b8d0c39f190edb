"""The five papers that Glioforge's methods come from: their published numbers, next to those of studies after them.

The other rooms import names from here (`__init__.pyi`); a name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
