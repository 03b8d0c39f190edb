"""Take the lesion out and leave normal tissue; an edit of Glioforge's own."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.core import LabelMap
from glioforge.lesions import EDITS, EditContext, EditSpec, without_islands


@final
class RemoveSpec(EditSpec):
    """Settings of a removal."""

    kind: Literal["remove"] = "remove"
    """Name of the edit."""


@EDITS.register(RemoveSpec)
@final
@dataclass(frozen=True)
class Remove:
    """Fill the lesion with tissue; the record holds nothing but the common values."""

    spec: RemoveSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 - nothing is drawn
        """Draw nothing; raises `EditError` if there is no lesion."""
        _ = context.lesion
        return {}

    def changed(self, context: EditContext) -> LabelMap:
        """Return the map without the lesion."""
        return without_islands(context.labels, context.without_lesion())
