"""Frozen, strict specs: every setting of Glioforge is a field of one of them."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, TypeAdapter


class Spec(BaseModel):
    """Base of all specs: frozen, unknown keys refused, defaults validated.

    A spec that is chosen by name has a field `kind: Literal["..."]` and may
    have `PRESETS`: named sets of values that a YAML picks with `preset: name`
    and overrides key by key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of values, for example `paper` and `sound`."""
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    """Defaults of a spec's own for settings that it inherits, as a YAML would write them."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - as pydantic calls it
        """Replace the defaults of inherited settings by those of `DEFAULTS`.

        Raises:
            TypeError: There is no such setting: a mistake in the spec.
            pydantic.ValidationError: A value does not fit its setting.
        """
        super().__pydantic_init_subclass__(**kwargs)
        own = cls.__dict__.get("DEFAULTS", {})
        unknown = own.keys() - cls.model_fields.keys()
        if unknown:
            msg = f"DEFAULTS of {cls.__name__} name {', '.join(sorted(unknown))}, expected some of its settings"
            raise TypeError(msg)
        for name, value in own.items():
            field = cls.model_fields[name]
            field.default = TypeAdapter(field.rebuild_annotation()).validate_python(value)
        if own:
            cls.model_rebuild(force=True)

    def require_available(self) -> None:
        """Refuse settings that need a program which is not installed, here or in any spec within these.

        A spec that runs a program of others overrides this; the rest look into their own fields.

        Raises:
            DependencyError: Names the program, and how to install it.
        """
        for name in type(self).model_fields:
            for spec in _specs_in(getattr(self, name)):
                spec.require_available()


def _specs_in(value: object) -> Iterator[Spec]:
    """Specs among values, tuples and mappings."""
    if isinstance(value, Spec):
        yield value
    elif isinstance(value, Mapping):
        yield from (spec for item in value.values() for spec in _specs_in(item))
    elif isinstance(value, tuple | list):
        yield from (spec for item in value for spec in _specs_in(item))
