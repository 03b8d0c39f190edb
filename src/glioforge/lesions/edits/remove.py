"""Take the lesion out and leave normal tissue; an edit of Glioforge's own."""

from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import EDITS, NOTHING, EditSpec, Sources, open_for, recorded_base, recorded_lesion
from glioforge.lesions.islands import without_islands


@final
class RemoveSpec(EditSpec):
    """Settings of a removal."""

    kind: Literal["remove"] = "remove"
    """Name of the edit."""


@EDITS.register(RemoveSpec)
@final
@dataclass(frozen=True)
class Remove:
    """Fill the lesion with tissue; the record holds nothing but the common entries."""

    spec: RemoveSpec = field(default_factory=RemoveSpec)
    sources: Sources = NOTHING

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Choose the part to remove; raises `EditError` if there is no lesion."""
        theatre = open_for(labels, self.spec, self.sources, rng)
        _ = theatre.target
        return theatre.record("remove")

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Fill the lesion."""
        lesion = recorded_lesion(labels, record)
        return without_islands(labels, recorded_base(labels, lesion, record, self.sources))
