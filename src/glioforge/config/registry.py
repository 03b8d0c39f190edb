"""Registries: a family of interchangeable parts, one file a part, chosen by `kind`.

A part exists by its file: `SYNTHESIZERS` looks into the package
`glioforge.synthesis.methods`, and the module `spade` there registers the spec
whose kind is `"spade"`.  A module is imported when its kind is asked for, so
that listing names costs nothing.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Generic, TypeVar, cast, final

from pydantic_core import PydanticCustomError

from glioforge.config.spec import Spec
from glioforge.core import SpecError

Part = TypeVar("Part")
Former = Mapping[str, Mapping[str, Any]]
"""Settings that stand for a kind of earlier versions, by the name of its preset."""


@final
class Registry(Generic[Part]):
    """A family of parts, each with the spec that configures it.

    Args:
        family: What the parts are, for messages: `"synthesizer"`.
        package: Package whose modules are named after the kinds.
        former: Kinds of earlier versions, each with the settings that stand for its presets today; `""` for none.

    Example:
        >>> registry: Registry[object] = Registry("layout", "glioforge.io.layouts")
        >>> "brats" in registry.kinds()
        True
    """

    def __init__(self, family: str, package: str, former: Mapping[str, Former] | None = None) -> None:
        self.family = family
        self.package = package
        self.former = former or {}
        self._entries: dict[str, tuple[type[Spec], type[Part]]] = {}

    def register(self, spec: type[Spec]) -> Callable[[type[Part]], type[Part]]:
        """Class decorator that ties a part to its spec.

        Raises:
            SpecError: The kind is missing or taken.
        """
        kind = spec.model_fields["kind"].default if "kind" in spec.model_fields else None
        if not isinstance(kind, str):
            raise SpecError(f"spec {spec.__name__} without a default `kind`", 'kind: Literal["name"] = "name"')

        def tie(part: type[Part]) -> type[Part]:
            known = self._entries.get(kind)
            if known is not None and _full_name(known[1]) != _full_name(part):
                raise SpecError(
                    f"{self.family} {kind!r} registered twice", f"one of {_full_name(known[1])} and {_full_name(part)}"
                )
            self._entries[kind] = (spec, part)
            return part

        return tie

    def kinds(self) -> tuple[str, ...]:
        """Names of all parts, sorted, without importing them."""
        found = importlib.util.find_spec(self.package)
        places = list(found.submodule_search_locations or ()) if found else []
        files = {m.name for m in pkgutil.iter_modules(places) if not m.name.startswith("_")}
        return tuple(sorted(files | set(self._entries)))

    def spec_class(self, kind: str) -> type[Spec]:
        """Spec of a kind.

        Raises:
            SpecError: There is no such kind; the message suggests near ones.
        """
        return self._entry(kind)[0]

    def part_class(self, kind: str) -> type[Part]:
        """Part of a kind; errors as `spec_class`."""
        return self._entry(kind)[1]

    def part_for(self, spec: Spec) -> type[Part]:
        """Part that a spec configures."""
        return self._entry(cast("Any", spec).kind)[1]

    def parse(self, values: Any) -> Spec:  # noqa: ANN401 - whatever a YAML holds
        """Turn a mapping with `kind` (and `preset`) into the right spec.

        Used as a pydantic validator, so that errors carry the path of the key.
        """
        if isinstance(values, Spec):
            return values
        if isinstance(values, str):
            values = {"kind": values}
        if not isinstance(values, Mapping) or "kind" not in values:
            known = ", ".join(self.kinds())
            raise PydanticCustomError(
                "kind", "a {family} needs `kind`: one of {known}", {"family": self.family, "known": known}
            )
        values = self._of_today(values)
        try:
            spec = self.spec_class(str(values["kind"]))
            return spec.model_validate(expand_preset(spec, values))
        except SpecError as error:
            raise PydanticCustomError("kind", "{text}", {"text": str(error)}) from error

    def _of_today(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Settings with a kind and preset of an earlier version replaced; all others as they are."""
        presets = self.former.get(str(values["kind"]), {})
        today = presets.get(str(values.get("preset", "")))
        if today is None:
            return values
        return {**today, **{name: value for name, value in values.items() if name not in {"kind", "preset"}}}

    def _entry(self, kind: str) -> tuple[type[Spec], type[Part]]:
        """Spec and part of a kind, imported when asked for."""
        if kind not in self._entries and kind in self.kinds():
            importlib.import_module(f"{self.package}.{kind}")
            if kind not in self._entries:
                raise SpecError(f"module {self.package}.{kind}", f"a {self.family} of kind {kind!r} registered in it")
        if kind not in self._entries:
            near = get_close_matches(kind, self.kinds(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise SpecError(f"{self.family} {kind!r}", f"one of {', '.join(self.kinds())}", hint)
        return self._entries[kind]


def _full_name(part: type) -> str:
    """Module and name of a class."""
    return f"{part.__module__}.{part.__qualname__}"


def expand_preset(spec: type[Spec], values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace `preset: name` by the preset's values, overridden key by key by the others given.

    Settings of settings are overridden key by key as well: `losses: {l1: 5}` leaves the other losses as they are.
    What names its own `kind` or `preset` takes the place of the whole.

    Raises:
        SpecError: The spec has no such preset.
    """
    given = {k: v for k, v in values.items() if k != "preset"}
    name = values.get("preset")
    if name is not None and name not in spec.PRESETS:
        raise SpecError(f"preset {name!r}", f"one of {sorted(spec.PRESETS)}")
    base = {} if name is None else dict(spec.PRESETS[name])
    defaults = {key: field.default for key, field in spec.model_fields.items() if isinstance(field.default, Spec)}
    return {**base, **{key: _over(base.get(key, defaults.get(key)), value) for key, value in given.items()}}


def _over(base: Any, given: Any) -> Any:  # noqa: ANN401 - whatever a YAML holds
    """Values given over those that there are, key by key where both are settings."""
    known = base.model_dump(mode="json") if isinstance(base, Spec) else base
    if not isinstance(known, Mapping) or not isinstance(given, Mapping) or {"kind", "preset"} & set(given):
        return given
    return {**known, **{key: _over(known.get(key), value) for key, value in given.items()}}
