"""Steps that come in several kinds: the kind of old, which a YAML need not name, and those that were added.

A setting that stands at the value it had before it could be chosen is left out
of dumps, so that folders prepared earlier keep their keys.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Discriminator


def kind_or(default: str) -> Discriminator:
    """Discriminator of a union of specs: their `kind`, or `default` where a mapping names none."""

    def kind(value: Any) -> str:  # noqa: ANN401 - whatever a YAML holds
        if isinstance(value, Mapping):
            return str(value.get("kind", default))
        return str(getattr(value, "kind", default))

    return Discriminator(kind)


def unless(default: object) -> Callable[[Any], bool]:
    """Test for `Field(exclude_if=...)`: leave the value out of dumps while it is the default."""
    return lambda value: bool(value == default)
