"""Take the lesion out and leave normal tissue; an edit of Glioforge's own."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from glioforge.lesions import EDITS, EditContext, EditSpec


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

    def changed(self, context: EditContext) -> None:  # noqa: ARG002 - nothing takes its place
        """Return no lesion."""
        return
