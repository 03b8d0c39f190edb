"""What a method of segmentation is: its settings, its network, its loss, and post-processing; free of torch.

A method is one file in `segmentation/methods`: a spec, `build` (the network) and
`recipe` (losses and optimisers).  Data, mixing, augmentation, validation, model
selection and prediction are shared, so that arms and methods differ in nothing else.
A method with a program of its own registers a `segmentation.engine.SegmenterEngine` instead.

Post-processing removes components that are too small, fills holes and relabels a trace
of enhancement in a predicted label map.  Everything is off by default: a rule that helps
one cohort hurts the next, so it belongs into the settings of a run, where all arms of a
study share it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol, Self, final

import numpy as np
from jaxtyping import UInt8
from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator
from scipy import ndimage

from glioforge.config import Registry, Spec
from glioforge.core import Cohort, LabelMap, Modality, SpecError
from glioforge.data import AugmentSpec
from glioforge.segmentation.engine import SegmenterEngine
from glioforge.segmentation.target import Target, View, target_named
from glioforge.training import Budget, OptimizerSpec

if TYPE_CHECKING:
    from torch import nn

    from glioforge.training import Recipe


Axis = Literal[0, 1, 2]


Statistics = Literal["real", "mixture"]
"""Whose voxels class weights and scales are taken from: the real training cases, or all of them, synthetic included."""


Demand = Literal["average", "epochs", "fresh", "plain", "plateau", "real_steps"]
"""What a training may be asked for beyond a length in steps and one mixture for all of them."""
_DEMANDS: Final[dict[Demand, tuple[str, str, str]]] = {
    "average": ("an average of its weights", "a segmenter with a setting `ema`", "leave schedule.average out"),
    "epochs": ("a length in passes over the cases", "a length in steps", "give steps in place of epochs"),
    "fresh": ("fresh cases while it trains", "stored cases", "leave reuse out"),
    "plain": ("classical augmentation switched off", "augment: true", "leave augment out"),
    "plateau": ("a stop at the plateau", "a fixed number of steps", "leave gain and patience out"),
    "real_steps": ("last steps on real cases alone", "one mixture for all steps", "leave schedule.real_steps out"),
}
"""Each demand in words, what to expect in its place, and what to do."""


class SegmenterSpec(Spec):
    """Settings that every segmenter shares; a method's spec adds its own and a `kind`."""

    modalities: tuple[Modality, ...] | None = None
    """Contrasts to use; those that every training case has unless given."""
    budget: Budget = Budget()
    """Length of the training, for each view, where a run or a study sets none of its own."""

    @field_validator("modalities")
    @classmethod
    def _different_modalities(cls, modalities: tuple[Modality, ...] | None) -> tuple[Modality, ...] | None:
        if modalities is not None and len(set(modalities)) < len(modalities):
            msg = f"modalities {[str(modality) for modality in modalities]} name one twice"
            raise ValueError(msg)
        return modalities

    @property
    def unable(self) -> frozenset[Demand]:
        """What its trainings cannot do: all of it, unless a method's spec says otherwise."""
        return frozenset(_DEMANDS)

    def require_able(self, *demands: Demand) -> None:
        """Refuse what its trainings cannot do; studies ask when their YAML is read.

        Args:
            demands: What is asked of a training.

        Raises:
            SpecError: Names the first demand that cannot be met.
        """
        for demand in demands:
            if demand in self.unable:
                found, expected, remedy = _DEMANDS[demand]
                kind = self.model_dump()["kind"]
                raise SpecError(f"segmenter {kind} with {found}", expected, f"{remedy}, or choose another segmenter")

    def without_augmentation(self) -> Self:
        """Return these settings without classical augmentation.

        Raises:
            SpecError: The method does not let it be switched off.
        """
        self.require_able("plain")
        return self


class CleanSpec(Spec):
    """Rules applied to every predicted map, in this order."""

    minimum_tumour_mm3: float = Field(0.0, ge=0)
    """Whole-tumour components (26-neighbourhood) below this volume become background."""
    largest_only: bool = False
    """Keep the largest whole-tumour component alone."""
    minimum_enhancing_mm3: float = Field(0.0, ge=0)
    """Less enhancing tumour than this in the whole map becomes necrotic core, as BraTS entries do."""
    fill_holes: bool = False
    """Background enclosed by tumour in three dimensions becomes necrotic core."""


def clean(labels: LabelMap, spec: CleanSpec) -> LabelMap:
    """Apply the rules; a map without tumour stays as it is.

    Args:
        labels: Predicted map.
        spec: Rules; where the scheme has no necrotic core, holes become the last of its lesion labels.

    Raises:
        LabelError: Little enhancing tumour is to become core in a scheme that does not tell them apart.
    """
    if spec == CleanSpec() or not labels.lesion.any():
        return labels
    voxels = labels.voxels.copy()
    _drop_components(voxels, labels, spec)
    if spec.minimum_enhancing_mm3:
        core, enhancing = (labels.scheme.value(name) for name in ("necrotic_core", "enhancing"))
        is_enhancing = voxels == enhancing
        if np.count_nonzero(is_enhancing) * labels.geometry.voxel_volume < spec.minimum_enhancing_mm3 * _ROUNDING:
            voxels[is_enhancing] = core
    if spec.fill_holes:
        tumour = np.isin(voxels, labels.scheme.lesion_values)
        inner = labels.scheme.labels.get("necrotic_core", labels.scheme.lesion_values[-1])
        voxels[ndimage.binary_fill_holes(tumour) & ~tumour] = inner
    return labels.with_voxels(voxels)


_ROUNDING = 1 - 1e-6
"""Thresholds give way by this factor, since a voxel's volume is known to rounding only."""


_NEIGHBOURS_26 = ndimage.generate_binary_structure(3, 3)


def _drop_components(voxels: UInt8[np.ndarray, "i j k"], labels: LabelMap, spec: CleanSpec) -> None:
    """Turn components that the rules refuse into background, in place."""
    if not spec.minimum_tumour_mm3 and not spec.largest_only:
        return
    components, _ = ndimage.label(labels.lesion, structure=_NEIGHBOURS_26)
    sizes = np.bincount(components.ravel())
    refused = sizes * labels.geometry.voxel_volume < spec.minimum_tumour_mm3 * _ROUNDING
    if spec.largest_only:
        refused |= np.arange(len(sizes)) != 1 + int(np.argmax(sizes[1:]))
    refused[0] = False
    voxels[refused[components]] = labels.scheme.value("background")


class NetworkSpec(SegmenterSpec):
    """Settings of a segmenter that is a network for the project's own loop."""

    batch_size: int = Field(8, ge=1)
    """Slices or patches in a step."""
    size: tuple[int, int] | tuple[int, int, int] | None = None
    """Slices `(x, y)` or patches `(x, y, z)` are cut or padded to this size in training, in the axes of the view;
    the grid's own unless given."""
    lesion_share: float = Field(0.33, ge=0, le=1)
    """Share of a batch drawn from slices with tumour, or from patches near tumour (nnU-Net's third).
    At 1 the segmenter never sees anything without tumour."""
    slab: int | None = Field(None, ge=1)
    """Train only on this many slices around each training case's tumour; none uses all. Whole scans are segmented."""
    target: str = "regions4"
    """What is told apart: `regions4`, `complete`, `tumour`, `tissue`, `nested`, or a label scheme by its name."""
    views: tuple[View, ...] = Field(("axial",), min_length=1)
    """Ways in which the head is cut; a network is trained for each, and their probabilities are averaged."""
    augment: AugmentSpec | None = AugmentSpec()
    """Classical augmentation, of real and synthetic cases alike."""
    flips: bool | tuple[Axis, ...] = False
    """Average predictions over the head and its mirror images: left and right, or along all combinations of the
    axes given (0 left and right, 1 front and back, 2 up and down)."""
    windows: bool = True
    """Whether a network for volumes predicts in windows of `size`; else on the whole grid at once."""
    overlap: float = Field(0.5, ge=0, lt=1)
    """Share by which the windows overlap in which a network for volumes predicts."""
    clean: CleanSpec = CleanSpec()
    """Rules applied to every predicted map; none by default."""

    @field_validator("target")
    @classmethod
    def _known_target(cls, name: str) -> str:
        try:
            target_named(name)
        except SpecError as error:
            raise ValueError(str(error)) from error
        return name

    @field_validator("views")
    @classmethod
    def _different_views(cls, views: tuple[View, ...]) -> tuple[View, ...]:
        if len(set(views)) < len(views):
            msg = f"views {views} name one twice"
            raise ValueError(msg)
        return views

    @property
    def unable(self) -> frozenset[Demand]:
        """Averages are taken by those that have `ema` alone; the project's own loop does all else."""
        return frozenset() if "ema" in type(self).model_fields else frozenset({"average"})

    def without_augmentation(self) -> Self:
        """Return these settings without classical augmentation."""
        return self.model_copy(update={"augment": None})

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Axes along which predictions are mirrored."""
        if isinstance(self.flips, bool):
            return (0,) if self.flips else ()
        return self.flips


class SupervisedSpec(NetworkSpec):
    """Settings of a segmenter with one loss and one optimiser, which is by default that of the house's segmenters."""

    optimizer: OptimizerSpec = OptimizerSpec(method="adamw", learning_rate=3e-3, weight_decay=1e-4, schedule="poly")
    """Optimiser and schedule."""
    clip_norm: float | None = 12.0
    """Largest norm of the gradient; none leaves it."""
    ema: float | None = 0.98
    """Decay of the average of the weights that is validated and kept; none keeps the weights themselves."""


@final
@dataclass(frozen=True)
class Task:
    """What a network is to learn.

    Args:
        modalities: Contrasts, in the order of the network's input channels.
        target: What it tells apart; batches hold its classes.
        real: Real training cases; statistics are taken from them alone unless a method says otherwise.
        steps: Length of the training.
        view: How the heads are cut.
        used: All training cohorts, real and synthetic; the real one alone unless given.
    """

    modalities: tuple[Modality, ...]
    target: Target
    real: Cohort
    steps: int
    view: View = "axial"
    used: tuple[Cohort, ...] = ()

    def counted(self, statistics: Statistics) -> tuple[Cohort, ...]:
        """Cohorts whose voxels class weights and scales are taken from."""
        return self.used if self.used and statistics == "mixture" else (self.real,)


class SegmenterMethod(Protocol):
    """What a file in `segmentation/methods` registers."""

    def __init__(self, spec: Any, /) -> None:  # noqa: ANN401 - each method has its own spec
        """Take the method's spec."""
        ...

    @property
    def dims(self) -> Literal[2, 3]:
        """2 for a network for slices, 3 for one for volumes."""
        ...

    def build(self, modalities: tuple[Modality, ...], target: Target) -> "nn.Module":
        """Network, freshly initialised.

        Maps `(b, len(modalities), x, y[, z])` to logits `(b, len(target.channels), x, y[, z])` on the same grid,
        whatever its size.  All that it needs when it is loaded lies in its parameters and buffers.
        """
        ...

    def recipe(self, network: "nn.Module", task: Task) -> "Recipe":
        """Losses and optimisers.

        A batch holds `images` float32 `(b, c, x, y[, z])`, `labels` int64 and `brain` bool `(b, x, y[, z])`.
        """
        ...


SEGMENTERS: Registry[SegmenterMethod | SegmenterEngine] = Registry("segmenter", "glioforge.segmentation.methods")


AnySegmenter = Annotated[SerializeAsAny[SegmenterSpec], BeforeValidator(SEGMENTERS.parse)]
"""Field of a spec that holds the settings of any registered segmenter."""
