"""Slices with their neighbours' labels and their place in the head: what a 2-D generator learns from.

Conventions
-----------
labels      int64 `(b, planes, x, y)`, rank of the class in the scheme; the slice itself is in the middle
frame       float32 `(b, 5)`: centre x, y and half width x, y of the brain's box in voxels, height in [-1, 1]
x, y        the two axes that are not cut, in their order; k is the axis cut
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float32

from glioforge.core import Cohort, LabelMap, Modality, bounding_box, stream
from glioforge.data import SlicePairs, read_packed
from glioforge.synthesis.appearance import class_indices


@final
@dataclass(frozen=True)
class BrainBox:
    """Where the brain lies in a volume of slices.

    Args:
        low: First voxel along x, y and the slices.
        high: Last voxel.
        depth: Number of slices.
    """

    low: tuple[int, int, int]
    high: tuple[int, int, int]
    depth: int

    @classmethod
    def of(cls, inside: Bool[np.ndarray, "x y k"]) -> "BrainBox":
        """Box around a mask; the whole grid around an empty one."""
        x, y, k = bounding_box(inside) or (slice(0, n) for n in inside.shape)
        return cls((x.start, y.start, k.start), (x.stop - 1, y.stop - 1, k.stop - 1), inside.shape[2])

    def frame(self, number: int, shift: tuple[int, int] = (0, 0)) -> Float32[np.ndarray, "5"]:
        """Place of slice `number`, on a plane cut by `shift` voxels."""
        centre = [(self.low[a] + self.high[a]) / 2 for a in range(3)]
        half = [max((self.high[a] - self.low[a]) / 2, 1.0) for a in range(3)]
        height = float(np.clip((number - centre[2]) / half[2], -1, 1))
        values = [centre[0] - shift[0], centre[1] - shift[1], half[0], half[1], height]
        return np.array(values, dtype=np.float32)

    def patch_frame(self, corner: tuple[int, int, int]) -> Float32[np.ndarray, "6"]:
        """Place of a patch whose first voxel is `corner`: centre and half width of the box along three axes."""
        centre = [(a + b) / 2 - first for a, b, first in zip(self.low, self.high, corner, strict=True)]
        half = [max((b - a) / 2, 1.0) for a, b in zip(self.low, self.high, strict=True)]
        return np.array([*centre, *half], dtype=np.float32)


@final
class FramedSlices:
    """Batches of slices of a cohort, with label context and frames; a pure function of the step.

    Args:
        cohort: Prepared cases.
        modalities: Contrasts, in this order.
        batch_size: Slices in a batch.
        context: Neighbouring slices on each side whose labels are given.
        size: Common size of slices; the grid's own unless given.
        seed: Seed of the draws.
        axis: Axis cut, 0-2.
        lesion_share: Share of the slices drawn from those with tumour.
        mirror: Whether every second slice, at random, has left and right swapped; never of sagittal slices (axis 0).
        gaps: Whether cases may lack some of the contrasts; batches then have `available`.
        slab: Draw only from this many slices around each case's tumour; none draws from all.
    """

    def __init__(  # noqa: PLR0913 - the settings of a sampler
        self,
        cohort: Cohort,
        modalities: tuple[Modality, ...],
        *,
        batch_size: int,
        context: int,
        size: tuple[int, int] | None,
        seed: int,
        axis: int = 2,
        lesion_share: float = 0.5,
        mirror: bool = False,
        gaps: bool = False,
        slab: int | None = None,
    ) -> None:
        self._pairs = SlicePairs(
            cohort,
            modalities,
            axis=axis,
            size=size,
            batch_size=batch_size,
            seed=seed,
            lesion_share=lesion_share,
            gaps=gaps,
            slab=slab,
        )
        self._scheme, self._context, self._seed, self._mirror = cohort.scheme, context, seed, mirror and axis != 0
        self._boxes: list[BrainBox] = []
        self._shifts: list[tuple[int, int]] = []
        for ref in cohort:
            labels = read_packed(ref).labels
            grid = np.ones((1, 1, 1), np.uint8) if labels is None else np.moveaxis(np.moveaxis(labels, 0, 2), axis, 2)
            self._boxes.append(BrainBox.of(grid > 0))
            want = self._pairs.size
            self._shifts.append((grid.shape[0] // 2 - want[0] // 2, grid.shape[1] // 2 - want[1] // 2))

    def batch(self, step: int) -> Mapping[str, torch.Tensor]:
        """The batch of a step."""
        rows = self._pairs.draw(step)
        batch = self._pairs.take(rows)
        labels = [self._labels(rows, offset) for offset in range(-self._context, self._context + 1)]
        frames = [self._boxes[case].frame(number, self._shifts[case]) for case, number in rows]
        whole = {**batch, "labels": torch.stack(labels, dim=1), "frame": torch.from_numpy(np.stack(frames))}
        swapped = stream(self._seed, "mirror", step).random(len(rows)) < 0.5
        return mirrored(whole, torch.from_numpy(swapped)) if self._mirror else whole

    def _labels(self, rows: list[tuple[int, int]], offset: int) -> torch.Tensor:
        """Classes of the slices `offset` above; the last slice there is where there is none."""
        moved = [(case, int(np.clip(number + offset, 0, self._boxes[case].depth - 1))) for case, number in rows]
        return torch.from_numpy(class_indices(self._pairs.take(moved)["labels"].numpy(), self._scheme))


def mirrored(batch: Mapping[str, torch.Tensor], chosen: Bool[torch.Tensor, "b"]) -> dict[str, torch.Tensor]:
    """Swap the ends of the first grid axis of the chosen samples, in images, labels, brain and frame alike."""
    turned = dict(batch)
    axes = batch["brain"].ndim - 1
    for name in ("images", "labels", "brain"):
        flipped = batch[name].flip(-axes)
        turned[name] = torch.where(chosen.view(-1, *[1] * (flipped.ndim - 1)), flipped, batch[name])
    frame = batch["frame"].clone()
    frame[chosen, 0] = batch["images"].shape[-axes] - 1 - frame[chosen, 0]
    turned["frame"] = frame
    return turned


def make_volume(  # noqa: PLR0913 - what a volume of slices consists of
    make: Callable[[tuple[torch.Tensor, ...]], torch.Tensor],
    labels: LabelMap,
    means: Float32[torch.Tensor, "classes contrasts"],
    noise: Float32[np.ndarray, "channels i j k"],
    *,
    contrasts: int,
    context: int,
    batch_size: int,
    axis: int = 2,
) -> Float32[np.ndarray, "contrasts i j k"]:
    """Whole volume from a generator of slices; slices without brain stay 0.

    Args:
        make: Images `(b, contrast, x, y)` for labels, frames, means and noise, as `LabelGenerator` takes them.
        labels: Label map of the volume.
        means: Class means of the volume's style.
        noise: Noise of the volume, on its grid.
        contrasts: Number of images.
        context: Neighbouring slices on each side whose labels are given.
        batch_size: Slices made at once.
        axis: Axis cut.
    """
    voxels = np.moveaxis(labels.voxels, axis, 2)
    classes = torch.from_numpy(class_indices(voxels, labels.scheme)).movedim(2, 0)
    # Slices come first, then channels, as the network takes them.
    drawn = torch.from_numpy(np.ascontiguousarray(np.moveaxis(noise, (1 + axis, 0), (0, 1))))
    box = BrainBox.of(voxels > 0)
    frames = torch.from_numpy(np.stack([box.frame(n) for n in range(box.depth)]))
    made = np.zeros((contrasts, *voxels.shape), np.float32)
    for first in range(box.low[2], box.high[2] + 1, batch_size):
        numbers = torch.arange(first, min(first + batch_size, box.high[2] + 1))
        around = [(numbers + offset).clamp(0, box.depth - 1) for offset in range(-context, context + 1)]
        stack = torch.stack([classes[n] for n in around], dim=1)
        inputs = (stack, frames[numbers], means.expand(len(numbers), -1, -1), drawn[numbers])
        made[..., numbers.numpy()] = make(inputs).movedim(0, 3).numpy()
    return np.moveaxis(made, 3, 1 + axis)
