"""The list of everything that a YAML can choose by `kind`, read from the registries."""

import inspect
from dataclasses import asdict, dataclass
from typing import Any, final

from glioforge.config.registry import Registry
from glioforge.io.layout import LAYOUTS
from glioforge.lesions.base import EDITS
from glioforge.quality.base import FILTERS
from glioforge.segmentation.base import SEGMENTERS
from glioforge.synthesis.base import SYNTHESIZERS

FAMILIES: tuple[Registry[Any], ...] = (SYNTHESIZERS, SEGMENTERS, EDITS, FILTERS, LAYOUTS)


@final
@dataclass(frozen=True)
class Entry:
    """One part that can be chosen.

    Args:
        family: Synthesizer, segmenter, edit, filter or layout.
        kind: Its name in a YAML.
        presets: Named sets of values.
        summary: First line of its file's docstring, which names the source.
    """

    family: str
    kind: str
    presets: tuple[str, ...]
    summary: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def catalogue() -> list[Entry]:
    """Every part of every family, in the order of the families and of the alphabet."""
    return [_entry(family, kind) for family in FAMILIES for kind in family.kinds()]


def _entry(family: Registry[Any], kind: str) -> Entry:
    """Entry of one part, from its spec and its module."""
    part = family.part_class(kind)
    module = inspect.getmodule(part)
    lines = (inspect.getdoc(module) or inspect.getdoc(part) or "").splitlines()
    return Entry(family.family, kind, tuple(family.spec_class(kind).PRESETS), lines[0] if lines else "")
