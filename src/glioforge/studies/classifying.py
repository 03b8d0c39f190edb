"""Settings of a classification study: what is asked, arms, sources and budgets, complete in one YAML."""

from collections.abc import Mapping
from typing import Literal, Self, final

from pydantic import Field, model_validator

from glioforge.classification import ClassifierSpec, Target
from glioforge.config import Spec
from glioforge.studies.arms import NAME
from glioforge.studies.sourced import SourceBudget, SourcedSpec, require_arms
from glioforge.training import Budget


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
        return self

    @property
    def spending(self) -> ClassificationBudget:
        """The budget in force."""
        return self.budgets[self.budget]
