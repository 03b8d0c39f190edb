"""From images to probabilities: a network run over a whole volume, from one view or several.

Networks for slices run over every slice that shows brain; networks for volumes
run over overlapping windows of the brain's box (`segmentation.windows`), or over
the whole grid at once.

Conventions
-----------
images          float32 `(channel, i, j, k)`, the channels in the order the network was trained on
probabilities   float32 `(channel, i, j, k)`, the channels of the target; outside the brain all background
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final, final

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.core import bounding_box
from glioforge.segmentation.target import Target
from glioforge.segmentation.view import ORDER, View, put_back, seen
from glioforge.segmentation.windows import over_windows

if TYPE_CHECKING:
    import torch
    from torch import nn

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
