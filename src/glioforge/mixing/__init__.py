"""Mix real cases into new ones without a network: the cheap rivals that every generator must beat.

The other rooms import names from here (`__init__.pyi`); a name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
