"""The list of everything that can be chosen: parts by `kind` in a YAML, and recipes and label schemes by name."""

import inspect
import re
from dataclasses import asdict, dataclass
from typing import Any, final

from glioforge.config import Registry
from glioforge.core import ANATOMIES, SCHEMES, LabelScheme, listed
from glioforge.io import LAYOUTS
from glioforge.lesions import EDITS, load_recipe, recipe_files
from glioforge.quality import FILTERS
from glioforge.sampling import SAMPLERS
from glioforge.segmentation import SEGMENTERS
from glioforge.synthesis import SYNTHESIZERS

_LISTED = 8
FAMILIES: tuple[Registry[Any], ...] = (SYNTHESIZERS, SAMPLERS, SEGMENTERS, EDITS, FILTERS, LAYOUTS)


@final
@dataclass(frozen=True)
class Entry:
    """One part that can be chosen.

    Args:
        family: Synthesizer, sampler, segmenter, edit, filter, layout, recipe or scheme.
        kind: Its name in a YAML, or after `--recipe` or `--scheme`.
        presets: Named sets of values.
        summary: First line of its file's docstring, which names the source; of a recipe what it says of itself; of a
            scheme its labels with their integers, without background.
    """

    family: str
    kind: str
    presets: tuple[str, ...]
    summary: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def catalogue() -> list[Entry]:
    """Every part of every family, every recipe and every label scheme, in the order of the families and of names."""
    known = {**SCHEMES, **ANATOMIES}
    parts = [_entry(family, kind) for family in FAMILIES for kind in family.kinds()]
    recipes = [Entry("recipe", name, (), _clause(load_recipe(name).about)) for name in recipe_files()]
    return parts + recipes + [Entry("scheme", name, (), _labels_of(known[name])) for name in sorted(known)]


def _labels_of(scheme: LabelScheme) -> str:
    """Labels with their integers, as `--scheme` takes them; a few of long lists."""
    pairs = [f"{name}={value}" for name, value in scheme.labels.items() if value]
    return listed(pairs, _LISTED)


def _clause(about: str) -> str:
    """Text up to the first colon or full stop that a word follows."""
    return re.split(r"[:.] (?=[A-Za-z])", about)[0].rstrip(".")


def _entry(family: Registry[Any], kind: str) -> Entry:
    """Entry of one part, from its spec and its module."""
    part = family.part_class(kind)
    module = inspect.getmodule(part)
    lines = (inspect.getdoc(module) or inspect.getdoc(part) or "").splitlines()
    return Entry(family.family, kind, tuple(family.spec_class(kind).PRESETS), lines[0] if lines else "")
