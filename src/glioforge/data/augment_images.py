"""Changes of images by augmentation: where they lie, in one resampling, and their intensities inside the brain.

Flips, rotation, scaling, shift and elastic deformation are one resampling: all changes are joined into one map from
places in the new image to places in the old one, so that images are interpolated once and lose no sharpness twice.

Intensities change inside the brain; everything outside stays exactly 0.

Conventions
-----------
place       voxels from the centre of the grid, axes in the tensor's order
outside     0 in images, labels and brain
images      z-scores, `(b, c, x, y[, z])`, 0 outside the brain
draw        one amount for each sample and channel
signal      z-score + 5, which is never negative, for the field that multiplies it
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch.nn import functional

from glioforge.data.augment_spec import Amount, AugmentSpec

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


Images = Float[torch.Tensor, "b c ..."]
Brain = Bool[torch.Tensor, "b 1 ..."]

CLIP: Final = 5.0
"""Largest magnitude of prepared intensities."""

_BIAS_POINTS: Final = 4
_BLUR_RADIUS: Final = 3


def change_intensities(images: Images, brain: Brain, spec: AugmentSpec, rng: np.random.Generator) -> Images:
    """Apply all changes in the order of a scan: contrast, field, resolution, noise; clipped to [-5, 5]."""
    for change in (_gamma, _contrast_and_brightness, _bias, _blur, _coarsen, _noise):
        images = change(images, brain, spec, rng)
    return images.clamp(-CLIP, CLIP) * brain


def _amounts(values: np.ndarray, images: Images) -> Images:
    """Drawn amounts `(b, c)` as a tensor that multiplies images."""
    return torch.from_numpy(values).float().reshape(*values.shape, *[1] * (images.ndim - 2)).to(images.device)


def _contrast_and_brightness(images: Images, brain: Brain, spec: AugmentSpec, rng: np.random.Generator) -> Images:
    """Factor about 0, then a constant."""
    factors = draw(spec.contrast, images.shape[:2], rng, 1.0)
    constants = draw(spec.brightness, images.shape[:2], rng, 0.0)
    return torch.addcmul(_amounts(constants, images), images, _amounts(factors, images)) * brain


def _gamma(images: Images, brain: Brain, spec: AugmentSpec, rng: np.random.Generator) -> Images:
    """Power of the intensities between their extremes in the brain, with mean and spread put back."""
    exponents = draw(spec.gamma, images.shape[:2], rng, 1.0)
    chosen = torch.from_numpy(exponents != 1)
    if not chosen.any():
        return images
    inside = brain.expand_as(images)[chosen]
    values = images[chosen]
    low = _over_grid(torch.amin, values.masked_fill(~inside, torch.inf))
    high = _over_grid(torch.amax, values.masked_fill(~inside, -torch.inf))
    span = (high - low).clamp_min(1e-6)
    power = torch.from_numpy(exponents[exponents != 1]).float().reshape(-1, *[1] * (values.ndim - 1))
    bent = ((values - low) / span).clamp(0, 1) ** power.to(images.device)
    old_mean, old_spread = _moments(values, inside)
    mean, spread = _moments(bent, inside)
    restored = (bent - mean) / spread.clamp_min(1e-6) * old_spread + old_mean
    changed = images.clone()
    changed[chosen] = torch.where(inside, restored, 0.0)
    return changed


def _bias(images: Images, brain: Brain, spec: AugmentSpec, rng: np.random.Generator) -> Images:
    """Smooth field that multiplies the signal."""
    strength = draw(spec.bias, images.shape[:2], rng, 0.0)
    dims = images.ndim - 2
    controls = rng.normal(size=(*images.shape[:2], *[_BIAS_POINTS] * dims)) * strength.reshape(
        *strength.shape, *[1] * dims
    )
    if not strength.any():
        return images
    field = torch.exp(stretch(torch.from_numpy(controls).float().to(images.device), images.shape[2:]))
    return ((images + CLIP) * field - CLIP) * brain


def _blur(images: Images, brain: Brain, spec: AugmentSpec, rng: np.random.Generator) -> Images:
    """Gaussian blur, one axis after the other."""
    sigmas = draw(spec.blur, images.shape[:2], rng, 0.0)
    if not sigmas.any():
        return images
    taps = np.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1)
    kernels = np.exp(-0.5 * (taps / np.maximum(sigmas.reshape(-1, 1), 1e-3)) ** 2)
    kernels /= kernels.sum(axis=1, keepdims=True)
    dims, channels = images.ndim - 2, len(kernels)
    convolve = functional.conv2d if dims == 2 else functional.conv3d
    blurred = images.reshape(1, channels, *images.shape[2:])
    for axis in range(dims):
        shape = [channels, 1, *(len(taps) if a == axis else 1 for a in range(dims))]
        padding = [_BLUR_RADIUS if a == axis else 0 for a in range(dims)]
        weight = torch.from_numpy(kernels).float().reshape(shape).to(images.device)
        blurred = convolve(blurred, weight, padding=padding, groups=channels)
    return blurred.reshape(images.shape) * brain


def _coarsen(images: Images, brain: Brain, spec: AugmentSpec, rng: np.random.Generator) -> Images:
    """Coarser grid and back, by one factor for the batch, on the channels drawn."""
    hit = rng.random(images.shape[:2]) < spec.coarsen.chance
    factor = rng.uniform(spec.coarsen.low, spec.coarsen.high)
    if not hit.any():
        return images
    chosen = torch.from_numpy(hit)
    mode = "bilinear" if images.ndim == 4 else "trilinear"
    grid = images.shape[2:]
    values = images[chosen].unsqueeze(1)
    coarse = functional.interpolate(values, size=tuple(max(1, round(n / factor)) for n in grid), mode="area")
    changed = images.clone()
    changed[chosen] = functional.interpolate(coarse, size=grid, mode=mode, align_corners=False).squeeze(1)
    return changed * brain


def _noise(images: Images, brain: Brain, spec: AugmentSpec, rng: np.random.Generator) -> Images:
    """Gaussian noise of equal strength everywhere in the brain."""
    strength = draw(spec.noise, images.shape[:2], rng, 0.0)
    source = torch.Generator().manual_seed(int(rng.integers(2**62)))
    if not strength.any():
        return images
    noise = torch.randn(images.shape, generator=source).to(images.device)
    return torch.addcmul(images, noise * brain, _amounts(strength, images))


def _over_grid(reduce: Callable[..., torch.Tensor], values: torch.Tensor) -> torch.Tensor:
    """Reduce all axes but the first, which stays."""
    return reduce(values, dim=tuple(range(1, values.ndim)), keepdim=True)


def _moments(values: torch.Tensor, inside: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and spread over the voxels inside; 0 where there are none."""
    axes = tuple(range(1, values.ndim))
    count = inside.sum(dim=axes, keepdim=True).clamp_min(1)
    mean = (values * inside).sum(dim=axes, keepdim=True) / count
    spread = (((values - mean) * inside) ** 2).sum(dim=axes, keepdim=True) / count
    return mean, spread.sqrt()
