"""From images to probabilities: a network run over a whole volume, from one view or several.

Networks for slices run over every slice that shows brain; networks for volumes
run over overlapping windows of the brain's box, or over
the whole grid at once.

Windows are spread evenly, and the middle of each weighs more than its border, by a
Gaussian with a deviation of an eighth of the window, as in nnU-Net (Isensee et al.
2021, doi:10.1038/s41592-020-01008-z, methods).

Conventions
-----------
images          float32 `(channel, i, j, k)`, the channels in the order the network was trained on
probabilities   float32 `(channel, i, j, k)`, the channels of the target; outside the brain all background
"""

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final, final

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.core import bounding_box
from glioforge.segmentation.target import ORDER, Target, View, put_back, seen

if TYPE_CHECKING:
    import torch
    from torch import nn

_DEVIATION: Final = 1 / 8
_LEAST: Final = 1e-3
"""Smallest weight, so that a corner that one window alone covers is not divided by nearly 0."""


def over_windows(
    run: "Callable[[torch.Tensor], torch.Tensor]", volume: "torch.Tensor", size: Sequence[int], overlap: float
) -> "torch.Tensor":
    """Run a network over a volume window by window, and blend: `(1, c, x, y, z)` to float32 `(1, n, x, y, z)`.

    Args:
        run: Maps a window `(1, c, *size)` to `(1, n, *size)`.
        volume: Padded with 0 about its middle where it is smaller than a window.
        size: Voxels of a window along each axis.
        overlap: Share by which neighbouring windows overlap at least, in [0, 1).
    """
    import torch
    from torch.nn import functional

    grid = volume.shape[2:]
    lacking = [max(0, want - have) for have, want in zip(grid, size, strict=True)]
    before = [missing // 2 for missing in lacking]
    sides = [(first, missing - first) for first, missing in zip(before, lacking, strict=True)]
    padded = functional.pad(volume, [width for side in reversed(sides) for width in side])
    weight = torch.from_numpy(window_weight(size)).to(volume.device)
    total: torch.Tensor | None = None
    weights = torch.zeros(padded.shape[2:], device=volume.device)
    for corner in itertools.product(*(starts(n, w, overlap) for n, w in zip(padded.shape[2:], size, strict=True))):
        place = tuple(slice(first, first + width) for first, width in zip(corner, size, strict=True))
        found = run(padded[(slice(None), slice(None), *place)]).float()
        if total is None:
            total = found.new_zeros((1, found.shape[1], *padded.shape[2:]))
        total[(slice(None), slice(None), *place)] += found * weight
        weights[place] += weight
    blended = padded if total is None else total / weights
    inside = tuple(slice(first, first + n) for first, n in zip(before, grid, strict=True))
    return blended[(slice(None), slice(None), *inside)]


def starts(extent: int, width: int, overlap: float) -> list[int]:
    """Return the first voxels of windows that cover an axis, evenly spread; 0 alone where one covers it.

    Example:
        >>> starts(20, 8, 0.5), starts(5, 8, 0.5)
        ([0, 4, 8, 12], [0])
    """
    if extent <= width:
        return [0]
    count = math.ceil((extent - width) / max(1, math.floor(width * (1 - overlap)))) + 1
    return [round(place) for place in np.linspace(0, extent - width, count)]


def window_weight(size: Sequence[int]) -> Float32[np.ndarray, "x y z"]:
    """Return the weight of each voxel of a window, 1 in its middle."""
    profiles = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n * _DEVIATION)) ** 2) for n in size]
    x, y, z = profiles
    weight = x[:, None, None] * y[None, :, None] * z[None, None, :]
    return np.maximum(weight / weight.max(), _LEAST).astype(np.float32)


_BATCH: Final = 16
Probabilities = Float32[np.ndarray, "channel i j k"]


@final
@dataclass(frozen=True)
class Inference:
    """How a network is asked.

    Args:
        target: What its outputs mean.
        dims: 2 for slices, 3 for volumes.
        flips: Axes of the head; probabilities are averaged over the head mirrored along all their combinations.
            A network for slices does not see the axis that is cut.
        window: Size of the windows of a network for volumes, in the axes of the view; the whole grid at once
            unless given.
        overlap: Share by which neighbouring windows overlap.
        autocast: Gives the precision to run in; float32 unless given.
    """

    target: Target
    dims: int = 2
    flips: tuple[int, ...] = ()
    window: tuple[int, int, int] | None = None
    overlap: float = 0.5
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext


def predict(
    networks: "Sequence[tuple[View, nn.Module]]",
    images: Float32[np.ndarray, "c i j k"],
    brain: Bool[np.ndarray, "i j k"],
    how: Inference,
) -> Probabilities:
    """Probabilities of a volume, the mean over all views and their flips; all background where there is no brain.

    Args:
        networks: View and network; put into evaluation mode.
        images: Contrasts.
        brain: Voxels that may be anything but background.
        how: How the networks are asked.
    """
    import torch

    total: Probabilities = np.zeros((len(how.target.channels), *brain.shape), dtype=np.float32)
    if brain.any():
        with torch.no_grad():
            for view, network in networks:
                network.eval()
                total += put_back(_from_view(network, seen(images, view), seen(brain, view), view, how), view)
    total /= len(networks)
    total[:, ~brain] = 0
    if not how.target.nested:
        total[0, ~brain] = 1
    return total


def _from_view(
    network: "nn.Module", images: np.ndarray, brain: np.ndarray, view: View, how: Inference
) -> Probabilities:
    """Probabilities in the axes of one view."""
    axes = [place for place, axis in enumerate(ORDER[view]) if axis in how.flips and place < how.dims]
    run = _flipped(network, how, axes)
    device = next(network.parameters()).device
    with how.autocast():
        return (
            _over_slices(run, images, brain, device, how)
            if how.dims == 2
            else _over_volume(run, images, brain, device, how)
        )


def _flipped(network: "nn.Module", how: Inference, axes: Sequence[int]) -> "Callable[[torch.Tensor], torch.Tensor]":
    """The network's probabilities, averaged over its input mirrored along all combinations of some axes."""
    subsets = list(chain.from_iterable(combinations([axis + 2 for axis in axes], n) for n in range(len(axes) + 1)))

    def run(tensor: "torch.Tensor") -> "torch.Tensor":
        total = how.target.probabilities(network(tensor))
        for dims in subsets[1:]:
            total = total + how.target.probabilities(network(tensor.flip(dims))).flip(dims)
        return total / len(subsets)

    return run


def _over_slices(
    run: "Callable[[torch.Tensor], torch.Tensor]",
    images: np.ndarray,
    brain: np.ndarray,
    device: "torch.device",
    how: Inference,
) -> Probabilities:
    """Batches of all slices that show brain."""
    import torch

    found: Probabilities = np.zeros((len(how.target.channels), *brain.shape), dtype=np.float32)
    wanted = np.flatnonzero(brain.any(axis=(0, 1)))
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        slices = np.ascontiguousarray(images[..., some].transpose(3, 0, 1, 2))
        found[..., some] = run(torch.from_numpy(slices).to(device)).cpu().numpy().transpose(1, 2, 3, 0)
    return found


def _over_volume(
    run: "Callable[[torch.Tensor], torch.Tensor]",
    images: np.ndarray,
    brain: np.ndarray,
    device: "torch.device",
    how: Inference,
) -> Probabilities:
    """Overlapping windows over the brain's box, or the whole grid at once."""
    import torch

    found: Probabilities = np.zeros((len(how.target.channels), *brain.shape), dtype=np.float32)
    if how.window is None:
        whole = torch.from_numpy(np.ascontiguousarray(images[None])).to(device)
        found[...] = run(whole)[0].cpu().numpy()
        return found
    box = bounding_box(brain)
    if box is None:
        return found
    inside = torch.from_numpy(np.ascontiguousarray(images[(None, slice(None), *box)])).to(device)
    found[(slice(None), *box)] = over_windows(run, inside, how.window, how.overlap)[0].cpu().numpy()
    return found
