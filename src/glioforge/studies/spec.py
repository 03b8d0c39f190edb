"""Settings of an augmentation study: arms, edits and budgets, complete in one YAML."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from glioforge.config.spec import Spec
from glioforge.lesions.recipe import RecipeSpec
from glioforge.quality.base import AnyFilter
from glioforge.segmentation.method import AnySegmenter
from glioforge.studies.base import StudySpec
from glioforge.synthesis.method import AnySynthesizer
from glioforge.training.budget import Budget


class ArmSpec(Spec):
    """What one segmenter is trained on."""

    name: str = Field(pattern=r"^[a-z0-9_+-]+$")
    """Name in tables and folders."""
    title: str
    """Name in figures."""
    source: Literal["generator", "control"] | None = None
    """Where synthetic cases come from; none for real cases alone."""
    synthetic_share: float = Field(0.0, ge=0, le=1)
    """Share of synthetic slices in a batch; 1 is synthetic only."""

    @model_validator(mode="after")
    def _share_needs_source(self) -> Self:
        if (self.synthetic_share > 0) != (self.source is not None):
            msg = "synthetic_share above 0 needs a source, and a source needs a share above 0"
            raise ValueError(msg)
        return self


STANDARD_ARMS = (
    ArmSpec(name="real", title="Real"),
    ArmSpec(name="real+synthetic", title="Real + synthetic", source="generator", synthetic_share=0.5),
    ArmSpec(name="synthetic", title="Synthetic only", source="generator", synthetic_share=1.0),
    ArmSpec(name="real+control", title="Real + no-network control", source="control", synthetic_share=0.5),
)
"""The arms that every augmentation study has; the first is the baseline."""


class StudyBudget(Spec):
    """How much a run may spend."""

    generator: Budget
    """Steps of each generator."""
    segmenter: Budget
    """Steps of each segmenter at most; with `patience`, a pilot run of the baseline finds at how many it levels off,
    and every segmenter is trained for as many."""
    seeds: int = Field(3, ge=1)
    """Segmenters of each arm and fold, with other seeds."""
    synthetic_per_case: int = Field(3, ge=1)
    """Edited label maps made from each training case."""

    @field_validator("segmenter")
    @classmethod
    def _in_steps(cls, budget: Budget) -> Budget:
        """Refuse epochs, of which arms with more cases have longer ones."""
        if budget.epochs is not None:
            msg = f"epochs {budget.epochs}: arms are matched in steps, and an epoch of more cases has more of them"
            raise ValueError(msg)
        return budget


class AugmentationSpec(StudySpec):
    """Does synthetic data help a segmenter on unseen real subjects?"""

    kind: Literal["augmentation"] = "augmentation"
    recipe: RecipeSpec
    """Lesion edits."""
    synthesizer: AnySynthesizer
    """The generator under test."""
    control: AnySynthesizer
    """Images without a network, which the generator must beat."""
    filters: tuple[AnyFilter, ...] = ()
    """Quality filters that every synthetic case must pass."""
    segmenter: AnySegmenter
    """The segmenter of every arm."""
    arms: tuple[ArmSpec, ...] = STANDARD_ARMS
    """What segmenters are trained on; the first arm is the baseline."""
    budgets: Mapping[str, StudyBudget]
    """Named budgets."""
    budget: str = "small"
    """The budget used; `--budget` overrides it."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if self.budget not in self.budgets:
            msg = f"budget {self.budget!r} is not among the budgets {sorted(self.budgets)}"
            raise ValueError(msg)
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            msg = f"arms {names} are not named uniquely"
            raise ValueError(msg)
        if not self.arms or self.arms[0].source is not None:
            msg = "the first arm is the baseline and is trained on real cases alone"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _generator_apart_from_validation(self) -> Self:
        """Refuse a generator chosen by the subjects that also choose the segmenters of its cases."""
        if getattr(self.synthesizer, "select", False):
            msg = "synthesizer.select: validation subjects choose the segmenters, and may not choose the generator too"
            raise ValueError(msg)
        return self

    def identity(self) -> dict[str, Any]:
        """What decides the numbers of all arms; each arm's own settings are the key of its own tasks.

        An arm can therefore be added to a study that has run: only the new one is trained.
        """
        return {name: value for name, value in super().identity().items() if name != "arms"}

    @property
    def spending(self) -> StudyBudget:
        """The budget in force."""
        return self.budgets[self.budget]

    @property
    def baseline(self) -> ArmSpec:
        """The arm that all others are compared with."""
        return self.arms[0]
