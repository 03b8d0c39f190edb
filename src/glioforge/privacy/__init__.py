"""Attacks on a synthetic release, and the gate that says what they found and could have found.

Everything here is plain numpy and SciPy on arrays.  What must be read, described or
trained (pictures of cases, scores of a model, shadow models) is handed in by the
verb or study that runs an audit.

The other rooms import names from here (`__init__.pyi`); a name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
