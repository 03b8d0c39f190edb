"""Frozen, strict specs: every setting of Glioforge is a field of one of them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Base of all specs: frozen, unknown keys refused, defaults validated.

    A spec that is chosen by name has a field `kind: Literal["..."]` and may
    have `PRESETS`: named sets of values that a YAML picks with `preset: name`
    and overrides key by key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of values, for example `paper` and `sound`."""
