"""Spatial augmentation: flips, rotation, scaling, shift and elastic deformation in one resampling.

All changes are joined into one map from places in the new image to places in
the old one, so that images are interpolated once and lose no sharpness twice.

Conventions
-----------
place       voxels from the centre of the grid, axes in the tensor's order
outside     0 in images, labels and brain
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch.nn import functional

from glioforge.data.augment.spec import Amount, AugmentSpec

Matrices = Float64[np.ndarray, "b d d"]
Places = Float[torch.Tensor, "b *grid d"]


def draw(amount: Amount, shape: Sequence[int], rng: np.random.Generator, neutral: float) -> Float64[np.ndarray, "..."]:
    """Draw amounts of one change; `neutral` where chance leaves it out.

    Args:
        amount: Chance and range.
        shape: Shape of the result; the first axis counts samples.
        rng: Source of randomness; uses as many draws whatever the amount.
        neutral: What changes nothing.
    """
    hit = rng.random(shape) < amount.chance
    return np.where(hit, rng.uniform(amount.low, amount.high, shape), neutral)


def draw_matrices(spec: AugmentSpec, count: int, dims: int, rng: np.random.Generator) -> Matrices:
    """One matrix a sample, from places in the new image to places in the old: rotation, scaling, flip."""
    turns = np.deg2rad(draw(spec.rotate, (count, 1 if dims == 2 else 3), rng, 0.0))
    sizes = draw(spec.scale, (count, dims), rng, 1.0)
    chances = np.array([spec.flip_x, spec.flip_y, spec.flip_z][:dims])
    signs = np.where(rng.random((count, dims)) < chances, -1.0, 1.0)
    matrices = np.broadcast_to(np.eye(dims), (count, dims, dims))
    for plane, angle in zip(([0, 1], [0, 2], [1, 2]), turns.T, strict=False):
        matrices = matrices @ _rotations(angle, plane, dims)
    return matrices * (signs / sizes)[:, None, :]


def draw_places(
    spec: AugmentSpec, count: int, grid: Sequence[int], rng: np.random.Generator, device: torch.device | None = None
) -> Places:
    """Where in the old image each voxel of the new one comes from; on the CPU unless a device is given."""
    dims = len(grid)
    matrices = torch.from_numpy(draw_matrices(spec, count, dims, rng)).float().to(device)
    shifts = draw(spec.shift, (count, dims), rng, 0.0) * np.array(grid)
    strength = draw(spec.elastic, (count,), rng, 0.0)
    controls = rng.normal(size=(count, dims, *[spec.elastic_points] * dims)) * strength.reshape(-1, *[1] * (dims + 1))
    axes = [torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2 for n in grid]
    centred = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(1, -1, dims)
    places = centred @ matrices.transpose(1, 2) + torch.from_numpy(shifts).float()[:, None, :].to(device)
    places = places.reshape(count, *grid, dims)
    if strength.any():
        sizes = torch.tensor(grid, device=device).reshape(1, -1, *[1] * dims)
        bent = stretch(torch.from_numpy(controls).float().to(device), grid) * sizes
        places = places + bent.movedim(1, -1)
    return places


def stretch(controls: Float[torch.Tensor, "b c ..."], grid: Sequence[int]) -> Float[torch.Tensor, "b c ..."]:
    """Smooth field on a grid through control points: cubic for slices, linear twice smoothed for volumes."""
    if controls.ndim == 4:
        return functional.interpolate(controls, size=tuple(grid), mode="bicubic", align_corners=True)
    middle = tuple(max(2, math.ceil(n / 3)) for n in grid)
    coarse = functional.interpolate(controls, size=middle, mode="trilinear", align_corners=True)
    smooth = functional.avg_pool3d(coarse, 3, stride=1, padding=1, count_include_pad=False)
    return functional.interpolate(smooth, size=tuple(grid), mode="trilinear", align_corners=True)


def resample(values: Float[torch.Tensor, "b c ..."], places: Places, mode: str) -> Float[torch.Tensor, "b c ..."]:
    """Values at places of the old image; 0 outside it.

    Args:
        values: `(b, c, x, y)` or `(b, c, x, y, z)`.
        places: As from `draw_places`.
        mode: `bilinear` or `nearest`.
    """
    sizes = torch.tensor([max(n - 1, 1) for n in values.shape[2:]], dtype=torch.float32, device=values.device)
    return functional.grid_sample(values, (places * 2 / sizes).flip(-1), mode=mode, align_corners=True)


def _rotations(angles: Float64[np.ndarray, "b"], plane: Sequence[int], dims: int) -> Matrices:
    """Rotations in a plane of two axes."""
    first, second = plane
    matrices = np.zeros((len(angles), dims, dims)) + np.eye(dims)
    matrices[:, first, first] = matrices[:, second, second] = np.cos(angles)
    matrices[:, first, second] = -np.sin(angles)
    matrices[:, second, first] = np.sin(angles)
    return matrices
