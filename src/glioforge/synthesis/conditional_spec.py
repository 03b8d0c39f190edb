"""Settings shared by all synthesizers with a network conditioned on labels, and augmentation of their batches.

A YAML holds them side by side; here they are grouped by the part that reads them:
condition (labels to channels), batches (what training sees) and finish (from the
network's images to volumes).

Augmentation moves images and labels of training slices or patches together.  Intensities stay as they are, since a
generator would learn to paint the changed ones. Foroozandeh & Eklund (section 5) name rotations as what could improve
SPADE; mirrored slices are a setting of their own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.core import stream
from glioforge.data import Amount, AugmentSpec
from glioforge.synthesis.method import SynthesizerSpec
from glioforge.training import Budget

if TYPE_CHECKING:
    import torch


class ConditionSpec(Spec):
    """What the network is shown."""

    dims: Literal[2, 3] = 2
    """Slices, or volumes."""
    axis: Literal[0, 1, 2] = 2
    """Axis that slices are cut along: 0 gives sagittal, 1 coronal, 2 axial slices of a canonical grid."""
    context: int = Field(1, ge=0)
    """Neighbouring slices on each side whose labels are seen; volumes have their own neighbours."""
    style: bool = True
    """Condition on an image of per-class mean intensities and predict the residual to it."""
    position: bool = False
    """Give the place in the head as three channels."""
    soft_labels: float = Field(0.0, ge=0, le=2, exclude_if=lambda width: not width)
    """Show labels as partial volumes: standard deviation in voxels of the Gaussian that blurs the channels of the
    classes and the painted map, within slices or in volumes; .5 is about what a voxel mixes. 0 shows whole labels."""


class SpatialAugmentSpec(Spec):
    """Which spatial changes are drawn for each sample."""

    rotate: Amount = Amount(chance=0.5, low=-10, high=10)
    """Rotation in degrees about the centre; for volumes about each axis."""
    scale: Amount = Amount(chance=0.5, low=0.9, high=1.1)
    """Factor by which the head grows, along each axis independently."""
    shift: Amount = Amount(chance=0.5, low=-0.05, high=0.05)
    """Shift along each axis as a share of its size."""
    elastic: Amount = Amount(chance=0.0, low=0.005, high=0.02)
    """Standard deviation of the displacement at control points as a share of the size."""


class BatchSpec(Spec):
    """Which slices or patches training sees, and how they are varied."""

    batch_size: int = Field(4, ge=1)
    """Slices or patches in a step."""
    size: tuple[int, int] | tuple[int, int, int] | None = None
    """Slices are cut or padded to this size for training; none keeps the grid's own. With 3 dimensions the size of
    the patches seen in training and of the windows that volumes are made of; none takes whole volumes."""
    lesion_share: float = Field(0.5, ge=0, le=1)
    """Share of the slices or patches drawn from those with tumour."""
    slab: int | None = Field(None, ge=1)
    """Train only on this many slices around each training case's tumour; none uses all. Whole volumes are made."""
    gaps_first: Annotated[float, Field(ge=0, lt=1)] | Literal["epochs"] = 0.0
    """With `gaps`: share of the steps, at the start, that sees only the cases which lack contrasts, as Shin et al.
    train on the T1 of healthy brains first. `epochs` gives both stages the same number of passes over their cases.
    Where no case lacks a contrast, the second stage takes all steps."""
    gaps_then: Literal["all", "complete"] = "all"
    """Cases seen after these steps: all of them, or those that lack nothing."""
    masked: bool = True
    """Set synthetic images to 0 outside the brain before losses see them, as the scans are there; false leaves the
    background to the network, as the papers do. Finished volumes are masked either way."""
    augment: SpatialAugmentSpec | None = None
    """Rotate, scale, shift and bend images and labels together while training; none leaves them as they are."""
    mix_axes: bool = False
    """Train on slices along all three axes, step by step in turn; volumes are still synthesized along `axis`."""
    mirror: bool = True
    """Swap left and right in every second draw; sagittal slices are never swapped."""


class FinishSpec(Spec):
    """How volumes are made of what the network gives."""

    output: Literal["linear", "tanh"] = "linear"
    """Last function; tanh is stretched to z-scores of -5 to 5."""
    jitter: float = Field(0.3, ge=0)
    """Shift of a drawn style's class means, as a share of the spread between subjects."""
    style_width: float | None = Field(None, ge=0, le=5)
    """Spread of drawn styles about the mean of the training cases, as a multiple of the spread between these, as
    `painted` draws them; none mixes the styles of two training cases and shifts them by `jitter`."""
    grain: float = Field(1.0, ge=0)
    """Strength of the white noise added to images, as a multiple of what brings them to the noise level of the training
    scans; 0 adds none."""
    smoothing: float = Field(1.0, ge=0)
    """Strength of the smoothing across slices that was measured on training subjects (`synthesis.grain`);
    0 leaves slices as they were synthesized. Volumes (`dims` 3) need none."""
    moved: bool = False
    """Synthesize each draw from a randomly shifted (and, with `mirror`, flipped) copy of the label map and undo the
    shift, so that position-dependent artefacts average out over draws."""
    ensemble: int = Field(1, ge=1)
    """Number of networks that draws are distributed over: the last one and those of the validations before it, which
    differ more than draws of one network do. 1 uses the last network alone."""


class ConditionalSpec(ConditionSpec, BatchSpec, FinishSpec, SynthesizerSpec):
    """What the network is shown, how it is trained on slices or patches, and how volumes are synthesized with it."""

    select: bool = False
    """Keep the weights with the best score on validation subjects; else the last ones, as the learning rate ends at 0
    and a pixel score favours smooth images."""

    @property
    def trained_budget(self) -> Budget:
        """The budget, with as many snapshots as the ensemble needs."""
        if self.ensemble == 1:
            return self.budget
        return self.budget.model_copy(update={"snapshots": max(self.budget.snapshots, self.ensemble)})

    @model_validator(mode="after")
    def _axes_can_be_mixed(self) -> Self:
        if self.mix_axes and (self.dims == 3 or self.position):
            reason = "dims 3, which has no slices" if self.dims == 3 else "position, whose channels belong to one axis"
            msg = f"mix_axes with {reason}: leave one of them out"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _stages_need_gaps(self) -> Self:
        if self.gaps_first and not self.gaps:
            msg = f"gaps_first {self.gaps_first} without gaps: set gaps to true, or leave gaps_first out"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _size_fits_the_dimensions(self) -> Self:
        if self.size is not None and len(self.size) != self.dims:
            msg = f"size {self.size} has {len(self.size)} numbers, expected {self.dims}, one a dimension"
            raise ValueError(msg)
        if self.slab is not None and self.dims == 3:
            msg = f"slab {self.slab} with 3 dimensions: patches follow `lesion_share`, slabs are of slices"
            raise ValueError(msg)
        return self


def augmented(
    batch: "Mapping[str, torch.Tensor]", spec: SpatialAugmentSpec, *, seed: int, step: int
) -> "dict[str, torch.Tensor]":
    """Move images, labels, brain and frame of each sample alike; a pure function of batch, seed and step.

    Images are interpolated linearly, labels and brain keep whole numbers; both are 0 outside the old grid.  The
    frame, which says where the brain's box is, follows the affine part of the move.

    Args:
        batch: Of `synthesis.slices` or `synthesis.patches`; entries of other names stay.
        spec: What may be drawn.
        seed: Seed of the training.
        step: Number of the step.
    """
    from glioforge.data import draw_places, resample

    images, labels = batch["images"], batch["labels"]
    changes = AugmentSpec(flip_x=0.0, rotate=spec.rotate, scale=spec.scale, shift=spec.shift, elastic=spec.elastic)
    places = draw_places(changes, len(images), images.shape[2:], stream(seed, "augment", step))
    brain = resample(batch["brain"][:, None].to(images.dtype), places, "nearest") > 0.5
    moved = resample(labels.to(images.dtype), places, "nearest").round().long()
    return {
        **batch,
        "images": resample(images, places, "bilinear") * brain,
        "labels": moved,
        "brain": brain[:, 0],
        "frame": moved_frame(batch["frame"], places),
    }


def moved_frame(frame: "torch.Tensor", places: "torch.Tensor") -> "torch.Tensor":
    """Return centre and half widths of a brain's box after a move; an ellipsoid of these half widths stays exact.

    Args:
        frame: `(b, 4 or more)`: centre and half width along each axis of the grid, then what stays.
        places: `(b, *grid, d)`: where each voxel comes from, in voxels from the centre of the grid.
    """
    import torch

    grid = places.shape[1:-1]
    axes = len(grid)
    middle = torch.tensor([(size - 1) / 2 for size in grid])
    new = torch.stack(torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in grid], indexing="ij"), dim=-1)
    old = places.reshape(len(places), -1, axes).cpu()
    known = torch.cat([old, torch.ones_like(old[..., :1])], dim=-1)
    wanted = (new - middle).reshape(1, -1, axes).expand(len(places), -1, -1)
    # The inverse of the move, as the affine map that fits all voxels best: columns of the matrix, then the shift.
    fitted = torch.linalg.lstsq(known, wanted).solution
    matrix, shift = fitted[:, :axes].transpose(1, 2), fitted[:, axes]
    centre = torch.einsum("bij,bj->bi", matrix, frame[:, :axes] - middle) + shift + middle
    half = torch.einsum("bij,bj->bi", matrix.square(), frame[:, axes : 2 * axes].square()).sqrt()
    return torch.cat([centre, half, frame[:, 2 * axes :]], dim=1)
