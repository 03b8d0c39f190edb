"""Augmentation of intensities inside the brain: everything outside stays exactly 0.

Conventions
-----------
images      z-scores, `(b, c, x, y[, z])`, 0 outside the brain
draw        one amount for each sample and channel
signal      z-score + 5, which is never negative, for the field that multiplies it
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.nn import functional

from glioforge.data.augment.space import draw, stretch
from glioforge.data.augment.spec import AugmentSpec

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
