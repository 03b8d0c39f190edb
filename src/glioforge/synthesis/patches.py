"""Patches of volumes with their place in the head: what a 3-D generator learns from, and volumes made of windows.

Conventions
-----------
labels      int64 `(b, 1, x, y, z)`, rank of the class in the scheme
frame       float32 `(b, 6)`: centre and half width of the brain's box along x, y, z, in voxels of the patch
"""

import itertools
from collections.abc import Callable, Mapping
from typing import final

import numpy as np
import torch
from jaxtyping import Float32

from glioforge.core import Cohort, LabelMap, Modality, stream
from glioforge.data import PatchPairs, read_packed
from glioforge.synthesis.appearance import class_indices
from glioforge.synthesis.slices import BrainBox, mirrored

OVERLAP = 0.25
"""Share of a window that its neighbour covers too."""


@final
class FramedPatches:
    """Batches of patches of a cohort, with frames; a pure function of the step.

    Args:
        cohort: Prepared cases.
        modalities: Contrasts, in this order.
        batch_size: Patches in a batch.
        size: Size of the patches; whole grids unless given.
        seed: Seed of the draws.
        lesion_share: Share of the patches drawn around tumour.
        mirror: Whether every second patch, at random, has left and right swapped.
        gaps: Whether cases may lack some of the contrasts; batches then have `available`.
    """

    def __init__(  # noqa: PLR0913 - the settings of a sampler
        self,
        cohort: Cohort,
        modalities: tuple[Modality, ...],
        *,
        batch_size: int,
        size: tuple[int, int, int] | None,
        seed: int,
        lesion_share: float = 0.5,
        mirror: bool = False,
        gaps: bool = False,
    ) -> None:
        self._pairs = PatchPairs(
            cohort, modalities, size=size, batch_size=batch_size, seed=seed, lesion_share=lesion_share, gaps=gaps
        )
        self._scheme, self._seed, self._mirror = cohort.scheme, seed, mirror
        self._boxes = []
        for ref in cohort:
            labels = read_packed(ref).labels
            grid = np.ones((1, 1, 1), np.uint8) if labels is None else np.moveaxis(labels, 0, 2)
            self._boxes.append(BrainBox.of(grid > 0))

    def batch(self, step: int) -> Mapping[str, torch.Tensor]:
        """The batch of a step."""
        batch = self._pairs.batch(step)
        corners = [(int(i), int(j), int(k)) for i, j, k in batch["corner"]]
        places = zip(batch["case"].tolist(), corners, strict=True)
        frames = np.stack([self._boxes[case].patch_frame(corner) for case, corner in places])
        classes = torch.from_numpy(class_indices(batch["labels"].numpy(), self._scheme))
        whole = {**batch, "labels": classes[:, None], "frame": torch.from_numpy(frames)}
        swapped = stream(self._seed, "mirror", step).random(len(frames)) < 0.5
        return mirrored(whole, torch.from_numpy(swapped)) if self._mirror else whole


def make_from_windows(
    make: Callable[[tuple[torch.Tensor, ...]], torch.Tensor],
    labels: LabelMap,
    means: Float32[torch.Tensor, "classes contrasts"],
    noise: Float32[np.ndarray, "channels i j k"],
    *,
    contrasts: int,
    size: tuple[int, int, int] | None,
) -> Float32[np.ndarray, "contrasts i j k"]:
    """Whole volume from a 3-D generator: the brain's box at once, or in windows that overlap and are blended.

    Args:
        make: Images `(1, contrast, x, y, z)` for labels, frame, means and noise, as `LabelGenerator` takes them.
        labels: Label map of the volume.
        means: Class means of the volume's style.
        noise: Noise of the volume, on its grid.
        contrasts: Number of images.
        size: Size of a window; none takes the whole box of the brain.
    """
    box = BrainBox.of(labels.foreground)
    window = size or tuple(high - low + 1 for low, high in zip(box.low, box.high, strict=True))
    classes = class_indices(labels.voxels, labels.scheme)
    total = np.zeros((contrasts, *classes.shape), np.float32)
    weights = np.zeros(classes.shape, np.float32)
    weight = _weight_of(window)
    starts = [_starts(low, high, width) for low, high, width in zip(box.low, box.high, window, strict=True)]
    for i, j, k in itertools.product(*starts):
        inputs = (
            torch.from_numpy(_cut(classes, (i, j, k), window))[None, None],
            torch.from_numpy(box.patch_frame((i, j, k)))[None],
            means[None],
            torch.from_numpy(np.stack([_cut(channel, (i, j, k), window) for channel in noise]))[None],
        )
        made = make(inputs)[0].numpy()
        inside = tuple(
            slice(first, min(first + w, n)) for first, w, n in zip((i, j, k), window, classes.shape, strict=True)
        )
        here = tuple(slice(0, part.stop - part.start) for part in inside)
        total[(slice(None), *inside)] += made[(slice(None), *here)] * weight[here]
        weights[inside] += weight[here]
    return total / np.maximum(weights, 1e-6)


def _starts(low: int, high: int, width: int) -> list[int]:
    """First voxels of windows that cover `low` to `high`, evenly spread; never below 0."""
    extent = high - low + 1
    if extent <= width:
        return [max(0, low - (width - extent) // 2)]
    count = int(np.ceil((extent - width) / max(1, round(width * (1 - OVERLAP))))) + 1
    return [int(place) for place in np.round(np.linspace(low, high + 1 - width, count))]


def _weight_of(window: tuple[int, ...]) -> np.ndarray:
    """Weight of each voxel of a window: falls towards its faces, never 0."""
    profiles = [np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) / (n / 2) for n in window]
    i, j, k = (np.minimum(profile, 1.0) for profile in profiles)
    return (i[:, None, None] * j[None, :, None] * k[None, None, :]).astype(np.float32)


def _cut(grid: np.ndarray, corner: tuple[int, int, int], window: tuple[int, ...]) -> np.ndarray:
    """A window of a grid, 0 beyond it."""
    part = grid[tuple(slice(first, first + width) for first, width in zip(corner, window, strict=True))]
    return np.pad(part, [(0, width - size) for width, size in zip(window, part.shape, strict=True)])
