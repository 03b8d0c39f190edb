"""Glioforge: synthetic multi-contrast brain-tumour MRI with labels, and tests of whether it improves segmentation.

Every verb of the command line has its functions among the names of `__init__.pyi` (`docs/reference/api.md`).
A name is imported when it is first used, so that `import glioforge` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
