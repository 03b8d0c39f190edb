"""Settings of studies with synthetic cases: what all have, and those of classification and anonymisation studies."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Protocol, Self, final, runtime_checkable

from pydantic import Field, model_validator

from glioforge.classification import ClassifierSpec, Target
from glioforge.config import Spec
from glioforge.lesions import RecipeSpec
from glioforge.privacy import AuditSpec
from glioforge.quality import AnyFilter
from glioforge.segmentation import AnySegmenter, SegmenterSpec
from glioforge.studies.arms import NAME, require_able
from glioforge.studies.base import StudySpec
from glioforge.studies.sources import AnySource, CopiesSource, NoiseSource, Source, SynthesizerSource, require_models
from glioforge.synthesis import AnySynthesizer
from glioforge.training import Budget

PartName = Annotated[str, Field(pattern=NAME)]


class SourceBudget(Spec):
    """How much the sources of a run may spend, and how often it is repeated."""

    generator: Budget = Budget()
    """Steps of each generator."""
    seeds: int = Field(3, ge=1)
    """Trainings of each arm, fold and draw, with other seeds."""
    generator_seeds: int = Field(1, ge=1)
    """Generators of each source, fold and draw, with other seeds; each is crossed with all seeds of the arms."""
    synthetic_per_case: int = Field(3, ge=1)
    """Synthetic cases made from each training case."""


class SourcedSpec(StudySpec):
    """A study whose arms draw from sources of synthetic cases."""

    recipe: RecipeSpec | None = None
    """Lesion edits of sources that name none; none keeps the label maps as they are."""
    synthesizer: AnySynthesizer | None = None
    """The generator under test: the source `generator`."""
    control: AnySynthesizer | None = None
    """Images without a network, which the generator must beat: the source `control`, which no filter weakens."""
    filters: tuple[AnyFilter, ...] = ()
    """Quality filters of the source `generator`."""
    sources: Mapping[PartName, AnySource] = Field(default_factory=dict)
    """Further sources of synthetic cases by their names."""

    @property
    @abstractmethod
    def spending(self) -> SourceBudget:
        """The budget in force."""

    @property
    def all_sources(self) -> dict[str, Source]:
        """Every source by its name, `generator` and `control` first."""
        found: dict[str, Source] = {}
        if self.synthesizer is not None:
            found["generator"] = SynthesizerSource(synthesizer=self.synthesizer, filters=self.filters)
        if self.control is not None:
            found["control"] = SynthesizerSource(synthesizer=self.control)
        return {**found, **self.sources}

    @property
    def screener(self) -> tuple[SegmenterSpec, Budget] | None:
        """Segmenter that filters may ask, and its length; none where the study has no segmenter."""
        return None


@runtime_checkable
class NamedArm(Protocol):
    """What every arm has."""

    @property
    def name(self) -> str:
        """Name in tables and folders."""
        ...

    @property
    def source(self) -> str | None:
        """Where synthetic cases come from; none for real cases alone."""
        ...


def require_arms(arms: Sequence[NamedArm], budget: str, budgets: Mapping[str, SourceBudget]) -> None:
    """Refuse an unknown budget, arms of one name, and a first arm that is no baseline.

    Raises:
        ValueError: For the validator of a spec, which names the key.
    """
    names = [arm.name for arm in arms]
    if budget not in budgets:
        raise ValueError(f"budget {budget!r} is not among the budgets {sorted(budgets)}")
    if len(set(names)) != len(names):
        raise ValueError(f"arms {names} are not named uniquely")
    if not arms or arms[0].source is not None:
        raise ValueError("the first arm is the baseline and is trained on real cases alone")


@final
class ClassificationArm(Spec):
    """What one classifier is trained on."""

    name: str = Field(pattern=NAME)
    """Name in tables and folders."""
    title: str
    """Name in figures."""
    source: str | None = None
    """Where synthetic cases come from: `generator`, `control`, or one of `sources`; none for real cases alone."""
    synthetic_share: float = Field(0.0, ge=0, le=1)
    """Share of synthetic slices in a batch; 1 is synthetic only."""
    augment: bool = True
    """Whether classical augmentation is on, as the classifier's settings say."""

    @model_validator(mode="after")
    def _share_needs_source(self) -> Self:
        if (self.synthetic_share > 0) != (self.source is not None):
            msg = "synthetic_share above 0 needs a source, and a source needs a share above 0"
            raise ValueError(msg)
        return self


STANDARD_ARMS = (
    ClassificationArm(name="augmented", title="Real, augmented"),
    ClassificationArm(name="plain", title="Real, as it is", augment=False),
    ClassificationArm(
        name="augmented+synthetic", title="Real, augmented + synthetic", source="generator", synthetic_share=0.5
    ),
)
"""The arms of a study that names none; the first is the baseline."""


@final
class ClassificationBudget(SourceBudget):
    """How much a run may spend."""

    classifier: Budget = Budget(steps=400, validate_every=100)
    """Steps of each classifier; all arms and seeds take as many."""


class ClassificationSpec(SourcedSpec):
    """Does synthetic data help a classifier on unseen real subjects?"""

    kind: Literal["classification"] = "classification"
    target: Target = "tumour"
    """What is asked: whether a slice shows `tumour`, or whether a subject's is of high `grade`."""
    classifier: ClassifierSpec = ClassifierSpec()
    """The classifier of every arm."""
    arms: tuple[ClassificationArm, ...] = STANDARD_ARMS
    """What classifiers are trained on; the first arm is the baseline."""
    budgets: Mapping[str, ClassificationBudget]
    """Named budgets."""
    budget: str = "small"
    """The budget used; `--budget` overrides it."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        require_arms(self.arms, self.budget, self.budgets)
        unknown = sorted({arm.source for arm in self.arms if arm.source} - set(self.all_sources))
        if unknown:
            msg = f"arms draw from {unknown}, which are not among the sources {sorted(self.all_sources)}"
            raise ValueError(msg)
        require_models(self.all_sources, None)
        return self

    @property
    def spending(self) -> ClassificationBudget:
        """The budget in force."""
        return self.budgets[self.budget]


REAL = "real"
"""Arm of the segmenter that is trained on the scans themselves."""


@final
class AnonymisationBudget(SourceBudget):
    """How much a run may spend."""

    segmenter: Budget = Budget(steps=400, validate_every=100)
    """Steps of each segmenter, where the study has one."""


class AnonymisationSpec(SourcedSpec):
    """Does what is made of a subject's label map lead back to the subject, and at what utility does it not?"""

    kind: Literal["anonymisation"] = "anonymisation"
    routes: Mapping[PartName, str] = Field(min_length=1)
    """Title of each route by its name: `generator`, `control`, or one of `sources`; with the first one others are
    compared, which is the subjects' own label maps."""
    audit: AuditSpec = AuditSpec()
    """Rules of the audits."""
    segmenter: AnySegmenter | None = None
    """Segmenter that is trained on each release alone and scored on unseen subjects; none leaves this out."""
    budgets: Mapping[str, AnonymisationBudget]
    """Named budgets."""
    budget: str = "small"
    """The budget used; `--budget` overrides it."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if self.budget not in self.budgets:
            raise ValueError(f"budget {self.budget!r} is not among the budgets {sorted(self.budgets)}")
        unknown = sorted(set(self.routes) - set(self.all_sources))
        if unknown:
            raise ValueError(f"routes {unknown} are not among the sources {sorted(self.all_sources)}")
        others = [name for name in self.routes if isinstance(self.all_sources[name], CopiesSource | NoiseSource)]
        if others:
            raise ValueError(f"routes {others} make no cases: copies of scans, and slices from noise, are no release")
        if self.audit.weights_released:
            raise ValueError("audit.weights_released: a study audits cases; use `glioforge shadow` for weights")
        require_models(self.all_sources, self.segmenter)
        if self.segmenter is not None and self.spending.segmenter.epochs is not None:
            require_able(self.segmenter, ["epochs"], "segmenter")
        return self

    @property
    def screener(self) -> tuple[SegmenterSpec, Budget] | None:
        """The segmenter of releases."""
        return None if self.segmenter is None else (self.segmenter, self.spending.segmenter)

    @property
    def spending(self) -> AnonymisationBudget:
        """The budget in force."""
        return self.budgets[self.budget]
