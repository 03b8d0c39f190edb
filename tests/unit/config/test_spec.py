"""Specs are frozen, and one may give inherited settings other defaults."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pydantic import Field, ValidationError

from glioforge.config.spec import Spec


class Inner(Spec):
    """Settings within settings."""

    rate: float = 0.5
    steps: int = 10


class Outer(Spec):
    """Settings that others inherit."""

    width: int = Field(4, ge=1)
    """Channels."""
    inner: Inner = Inner(steps=20)


class Own(Outer):
    """Other defaults, written as in a YAML."""

    name: str = "own"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {"width": 8, "inner": {"rate": 0.1}}


class Heir(Own):
    """Inherits them."""


def test_inherited_settings_get_defaults_of_their_own():
    """They hold for the spec and its heirs, as values of the setting's type; the base keeps its own."""
    assert Own() == Own(width=8, inner=Inner(rate=0.1, steps=10), name="own")
    assert Heir().inner == Own().inner
    assert Outer() == Outer(width=4, inner=Inner(rate=0.5, steps=20))
    assert Own(width=2, inner={"steps": 3}).inner == Inner(steps=3)
    assert (Own.model_fields["width"].description, list(Own.model_fields)) == ("Channels.", ["width", "inner", "name"])


def test_limits_of_a_setting_stay():
    """A default must keep them, and so must every value."""
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Own(width=0)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        type("Wrong", (Outer,), {"DEFAULTS": {"width": 0}, "__annotations__": {"DEFAULTS": ClassVar[Any]}})


def test_a_default_of_no_setting_is_refused():
    """A misspelt name would leave the old default in place."""
    with pytest.raises(TypeError, match="DEFAULTS of Wrong name widht"):
        type("Wrong", (Outer,), {"DEFAULTS": {"widht": 2}, "__annotations__": {"DEFAULTS": ClassVar[Any]}})
