"""Settings of a study of manipulation: which synthesizers, which edits at which strength, and who judges."""

from collections.abc import Mapping
from typing import Any, Literal, Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.lesions import RecipeSpec
from glioforge.studies.comparing import ComparisonSpec, MethodName, SegmenterEntry, SynthesizerEntry


@final
class EditEntry(Spec):
    """One edit at one strength."""

    title: str
    """Name in figures."""
    kind: str = ""
    """Edit that several strengths belong to, such as `scale`; empty for none."""
    strength: float = 0.0
    """How strong it is, in the unit of its kind: factor, millimetres, degrees."""
    recipe: RecipeSpec | None = None
    """What is done; none leaves the label map as it is."""


@final
class ManipulationSpec(ComparisonSpec):
    """Does the edited lesion appear as asked?"""

    kind: Literal["manipulation"] = "manipulation"
    """Name of the kind of study."""
    methods: Mapping[MethodName, SynthesizerEntry]
    """Synthesizers by name, in the order shown."""
    edits: Mapping[MethodName, EditEntry] = Field(min_length=1)
    """Edits by name; with the first one all others are compared."""
    judge: SegmenterEntry
    """Segmenter trained on the training subjects' scans, and then left as it is."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        self._require_references(self.methods)
        if next(iter(self.edits.values())).recipe is not None:
            msg = "the first edit is the reference: leave out its recipe"
            raise ValueError(msg)
        return self

    def identity(self) -> dict[str, Any]:
        """What decides the numbers of all methods and edits; each has its own settings as the key of its tasks."""
        return {name: value for name, value in super().identity().items() if name != "edits"}

    def arm(self, method: str, edit: str) -> str:
        """Name of the images of a method after an edit, in tables and folders."""
        return f"{method}+{edit}"
