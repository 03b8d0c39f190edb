"""The type checker that jaxtyping uses in tests: beartype, with three allowances.

An int may come where a float is wanted, as Python has it.  `Self` is not
looked at, because beartype knows its class only where it decorates the class,
nor are protocols that cannot be checked while the program runs.
"""

from typing import Any, Self

from beartype import BeartypeConf, beartype

_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function):
    """Check a function's arguments and result by its annotations."""
    annotations = getattr(function, "__annotations__", {})
    if any(map(cannot_be_checked, annotations.values())):
        kept = {name: Any if cannot_be_checked(hint) else hint for name, hint in annotations.items()}
        function.__annotations__ = kept
    return _beartype(function)


def cannot_be_checked(hint):
    """Whether beartype refuses a hint outright."""
    return hint is Self or (getattr(hint, "_is_protocol", False) and not getattr(hint, "_is_runtime_protocol", False))
