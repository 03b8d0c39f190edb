"""Settings of studies that compare methods: of any kind by name, samplers of slices, and synthesizers by edits."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.lesions import RecipeSpec
from glioforge.sampling import AnySampler
from glioforge.segmentation import AnySegmenter
from glioforge.studies.arms import require_able
from glioforge.studies.base import StudySpec
from glioforge.synthesis import AnySynthesizer
from glioforge.training import Budget

MethodName = Annotated[str, Field(pattern=r"^[a-z0-9_+-]+$")]
"""Name of a method in tables and folders."""


class MethodEntry(Spec):
    """One method of a comparison."""

    title: str = ""
    """Name in figures; the method's name unless given."""


@final
class SynthesizerEntry(MethodEntry):
    """A synthesizer and how long it is trained."""

    synthesizer: AnySynthesizer
    """Any registered kind, with its preset and changes to it."""
    budget: Budget | None = None
    """Length of its training; that of the synthesizer's own settings unless given."""

    def trained_spec(self) -> Spec:
        """Settings of the synthesizer under this budget."""
        return self.synthesizer if self.budget is None else self.synthesizer.model_copy(update={"budget": self.budget})


@final
class SegmenterEntry(MethodEntry):
    """A segmenter and how long it is trained."""

    segmenter: AnySegmenter
    """Any registered kind, with its preset and changes to it."""
    budget: Budget | None = None
    """Length of its training; that of the segmenter's own settings unless given."""

    @model_validator(mode="after")
    def _length_fits(self) -> Self:
        """Refuse epochs of a segmenter that is trained in steps alone."""
        if self.budget is not None and self.budget.epochs is not None:
            require_able(self.segmenter, ["epochs"], "budget")
        return self


class ComparisonSpec(StudySpec):
    """A list of methods, each trained on the same subjects and judged on the same unseen ones."""

    seeds: int = Field(3, ge=1)
    """Trainings of each method and fold."""
    references: tuple[str, ...] = ()
    """Methods that every other one is compared with, subject by subject."""

    def identity(self) -> dict[str, Any]:
        """What decides the numbers of all methods; each method's own settings are the key of its own folder.

        A method can therefore be added to a study that has run: only the new one is trained.
        """
        return {k: v for k, v in super().identity().items() if k not in {"methods", "references"}}

    def _require_references(self, names: Iterable[str]) -> None:
        """Refuse a study without methods, and references that are none of them."""
        known = sorted(names)
        if not known:
            msg = "a comparison needs at least one method"
            raise ValueError(msg)
        strange = sorted(set(self.references) - set(known))
        if strange:
            msg = f"references {strange} are not among the methods {known}"
            raise ValueError(msg)


def titles_of(methods: Mapping[str, MethodEntry]) -> dict[str, str]:
    """Title of each method by its name, in the order of the YAML."""
    return {name: entry.title or name for name, entry in methods.items()}


def _recipe(name: str, *edits: Mapping[str, Any]) -> RecipeSpec:
    """Edits in order, under a name."""
    return RecipeSpec.model_validate({"name": name, "attempts": 8, "steps": [{"edit": dict(edit)} for edit in edits]})


_ROOMY = {"outside_share": 0.2, "midline_share": 0.1, "ventricle_share": 0.25}
"""Places for pictures: a large lesion seldom fits anywhere but where it was."""
STANDARD_SERIES = (
    _recipe("mirrored", {"kind": "mirror", "most_shift_mm": 40.0, "placement": _ROOMY}),
    _recipe("doubled", {"kind": "scale", "volume_factor": [2.0, 2.0]}),
    _recipe("halved", {"kind": "scale", "volume_factor": [0.5, 0.5]}),
    _recipe("transplanted", {"kind": "transplant", "most_shift_mm": 40.0, "placement": _ROOMY}),
    _recipe("healthy brain, new lesion", {"kind": "remove"}, {"kind": "insert"}),
)
"""Edits that every synthesizer is shown with: the same map, changed in the ways that the papers describe."""


@final
class SynthesizersSpec(ComparisonSpec):
    """Which synthesizer makes the images of unseen label maps best?"""

    kind: Literal["synthesizers"] = "synthesizers"
    """Name of the kind of study."""
    methods: Mapping[MethodName, SynthesizerEntry]
    """Synthesizers by name, in the order shown."""
    draws: int = Field(8, ge=1)
    """Images drawn for each unseen label map; their mean is compared with the truth."""
    judge: SegmenterEntry | None = None
    """Segmenter trained on the training subjects' scans, which is asked whether it finds the labels in what was made;
    none leaves this out."""
    series: tuple[RecipeSpec, ...] = STANDARD_SERIES
    """Edits of one unseen label map that every method is shown with."""
    shown_draws: int = Field(4, ge=0)
    """Draws of one label map that every method is shown with."""

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        self._require_references(self.methods)
        return self


@final
class SegmentersSpec(ComparisonSpec):
    """Which segmenter finds the tumours of unseen subjects best?"""

    kind: Literal["segmenters"] = "segmenters"
    """Name of the kind of study."""
    methods: Mapping[MethodName, SegmenterEntry]
    """Segmenters by name, in the order shown."""

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        self._require_references(self.methods)
        return self


@final
class SamplerEntry(MethodEntry):
    """A sampler of slices, and how long it is trained."""

    sampler: AnySampler
    """Any registered kind that makes slices, with its preset, contrasts and size."""
    budget: Budget | None = None
    """Length of its training; that of the sampler's own settings unless given."""

    def trained_spec(self) -> Spec:
        """Settings of the sampler under this budget."""
        return self.sampler if self.budget is None else self.sampler.model_copy(update={"budget": self.budget})


@final
class SamplersSpec(ComparisonSpec):
    """How near are slices that samplers make of noise to those of unseen subjects?"""

    kind: Literal["samplers"] = "samplers"
    """Name of the kind of study."""
    methods: Mapping[MethodName, SamplerEntry]
    """Samplers by name, in the order shown."""
    count: int = Field(50, ge=2)
    """Slices that each makes, and slices of unseen subjects that they are compared with."""

    @model_validator(mode="after")
    def _slices(self) -> Self:
        self._require_references(self.methods)
        for name, entry in self.methods.items():
            if not hasattr(entry.sampler, "plane"):
                msg = f"methods.{name}: {getattr(entry.sampler, 'kind', '')} makes no slices; take `dcgan` or `wgan`"
                raise ValueError(msg)
        return self


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
