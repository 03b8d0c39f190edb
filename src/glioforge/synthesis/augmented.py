"""Classical augmentation of a generator's training slices or patches: images and labels are moved together.

Intensities stay as they are, since a generator would learn to paint the changed ones.
Foroozandeh & Eklund (section 5) name rotations as what could improve SPADE; mirrored
slices are a setting of their own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from glioforge.config import Spec
from glioforge.core import stream
from glioforge.data import Amount, AugmentSpec

if TYPE_CHECKING:
    import torch


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
