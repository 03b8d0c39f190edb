"""Settings of a study: data, split, arms and budgets, complete in one YAML.

The fields that choose a part by `kind` are parsed by the part's registry, so
that a typo is told by the path of the key and the nearest known name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.compute.fanout import FanOutSpec
from glioforge.config.spec import Spec
from glioforge.core.modality import Modality
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.prepare.pipeline import PrepareSpec
from glioforge.io.layout import LAYOUTS
from glioforge.lesions.recipe import RecipeSpec
from glioforge.quality.base import AnyFilter
from glioforge.segmentation.base import SEGMENTERS, SegmenterSpec
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.training.budget import Budget

AnyLayout = Annotated[SerializeAsAny[Spec], BeforeValidator(LAYOUTS.parse)]
AnySynthesizer = Annotated[SerializeAsAny[Spec], BeforeValidator(SYNTHESIZERS.parse)]
AnySegmenter = Annotated[SerializeAsAny[SegmenterSpec], BeforeValidator(SEGMENTERS.parse)]


class PhantomData(Spec):
    """A cohort computed from nothing."""

    kind: Literal["phantom"] = "phantom"
    cases: int = Field(12, ge=3)
    """Subjects to make."""
    seed: int = 7
    """Seed of the phantoms."""
    phantom: PhantomSpec = PhantomSpec()
    """How they are made."""


class FolderData(Spec):
    """Scans in a folder that the command line names with `--data`."""

    kind: Literal["folder"] = "folder"
    layout: AnyLayout | None = None
    """Layout of the folder; detected when none is given."""


class Holdout(Spec):
    """One split by subject."""

    kind: Literal["holdout"] = "holdout"
    test: float = Field(0.25, gt=0, lt=1)
    """Share of subjects for testing."""
    validation: float = Field(0.15, gt=0, lt=1)
    """Share of subjects for model selection."""


class Folds(Spec):
    """Every subject is tested once, in one of several folds."""

    kind: Literal["folds"] = "folds"
    folds: int = Field(4, ge=2)
    """Number of folds; never more than subjects."""
    validation: float = Field(0.25, gt=0, lt=1)
    """Share of a fold's remaining subjects for model selection."""


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
    """Steps of the baseline segmenter; other arms get as many as it used."""
    seeds: int = Field(2, ge=1)
    """Segmenters an arm and fold."""
    synthetic_per_case: int = Field(3, ge=1)
    """Edited label maps made from each training case."""


class AugmentationSpec(Spec):
    """Does synthetic data help a segmenter on unseen real subjects?"""

    kind: Literal["augmentation"] = "augmentation"
    name: str = Field(pattern=r"^[a-z0-9_-]+$")
    """Name in tables."""
    title: str
    """Title of the report."""
    seed: int = 1
    """Seed of split, edits, generators and segmenters."""
    data: Annotated[PhantomData | FolderData, Field(discriminator="kind")] = FolderData()
    """Where the cases come from."""
    modalities: tuple[Modality, ...] | None = None
    """Contrasts to use; none takes those that every case has."""
    split: Annotated[Holdout | Folds, Field(discriminator="kind")] = Holdout()
    """How subjects are divided."""
    prepare: PrepareSpec = PrepareSpec()
    """Preparation of all cases."""
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
    regions: tuple[str, ...] = ("WT", "TC", "ET")
    """Regions scored."""
    budgets: Mapping[str, StudyBudget]
    """Named budgets."""
    budget: str = "small"
    """The budget used; `--budget` overrides it."""
    accelerator: AcceleratorSpec = AcceleratorSpec(threads=1)
    """Device, precision and threads of each training."""
    fanout: FanOutSpec = FanOutSpec()
    """Trainings and cases side by side."""

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

    @property
    def spending(self) -> StudyBudget:
        """The budget in force."""
        return self.budgets[self.budget]

    @property
    def baseline(self) -> ArmSpec:
        """The arm that all others are compared with."""
        return self.arms[0]

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: everything but how the work is spread."""
        return self.model_dump(mode="json", exclude={"fanout": True, "title": True})


def load_study(path: Path, overrides: tuple[str, ...] = ()) -> AugmentationSpec:
    """Read a study's YAML.

    Raises:
        SpecError: Names each wrong key by its path.
    """
    from glioforge.config.load import load_spec

    return load_spec(path, AugmentationSpec, overrides)
