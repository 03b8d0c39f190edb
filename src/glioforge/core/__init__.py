"""Domain types and protocols: plain Python and numpy, no framework.

The other rooms import the names from here (`__init__.pyi`); a name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
