"""What a critic sees of label maps, and the distance of synthetic label maps to held-out ones over a training.

A critic sees grey values, as in the paper, or one-hot classes.

The distance is the sliced Wasserstein distance of Karras et al. 2018, arXiv:1710.10196, section 5, on one-hot maps
(`metrics.cohort.pyramid`).  Foroozandeh & Eklund choose their weights by it, and in their training it fell until
shortly after the last fade and rose from there.

Conventions
-----------
labels      `(b, side, side)` numbers of classes, 0 background, with one more side in three dimensions
whole       no level fades in: pixels of real maps are of one class
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Float32, Integer, UInt8
from torch import nn
from torch.nn import functional

from glioforge.io import write_atomically, write_json
from glioforge.nn import START_SIZE, Maps, doubled, halved
from glioforge.sampling.methods.label_pgan.growth import GrowthSpec, Moment, moment_of
from glioforge.training import HistoryRow, Outcome, PatchScore

Labels = Integer[torch.Tensor, "_ ..."]
Relaxation = Literal["softmax", "straight_through", "gumbel"]


@final
class GreyValues:
    """Classes as grey values from -1 to 1 in one channel; what is made is rounded to the nearest class.

    Args:
        classes: Number of classes.
        size: Pixels along a side of the last level.
    """

    channels = 1

    def __init__(self, classes: int, size: int) -> None:
        self._classes, self._size = classes, size

    def real(self, labels: Labels, moment: Moment) -> Maps:
        """Grey values, averaged to the level in use."""
        grey = labels[:, None].float() * (2 / (self._classes - 1)) - 1
        return faded(reduced(grey, moment.level), moment)

    def shown(self, made: Maps, *, whole: bool) -> Maps:  # noqa: ARG002 - as every encoding
        """What was made, as it is."""
        return made

    def weighed(self, maps: Maps) -> Maps:
        """Return grey values as they are."""
        return maps

    def classes(self, made: Maps) -> Labels:
        """Nearest class of each pixel, at full size."""
        grey = enlarged(made[:, 0].float(), self._size)
        return ((grey + 1) * ((self._classes - 1) / 2)).round().clamp(0, self._classes - 1).to(torch.uint8)


@final
class OneHot:
    """A channel a class.

    Args:
        weights: Factor on each class in what the critic sees.
        size: Pixels along a side of the last level.
        smooth: Whether probabilities are blurred a little before the most probable class is taken.
        relaxation: Softmax; or one class a pixel, the most probable or one drawn with Gumbel noise, with the gradient
            of the softmax (Jang et al. 2017, arXiv:1611.01144, section 2.2).
        temperature: Of the softmax.
    """

    def __init__(
        self,
        weights: Float[torch.Tensor, "class"],
        size: int,
        relaxation: Relaxation,
        temperature: float,
        *,
        smooth: bool = True,
    ) -> None:
        self.channels, self._weights, self._smooth = len(weights), weights, smooth
        self._size, self._relaxation, self._temperature = size, relaxation, temperature

    def real(self, labels: Labels, moment: Moment) -> Maps:
        """Shares of the classes at the level in use; the largest alone where maps are shown hard."""
        hot = functional.one_hot(labels.long(), self.channels).movedim(-1, 1).float()
        shares = faded(reduced(hot, moment.level), moment)
        return self.weighed(shares if self._relaxation == "softmax" else hardened(shares))

    def shown(self, made: Maps, *, whole: bool) -> Maps:  # noqa: ARG002 - as every encoding
        """Probabilities, or one class a pixel with their gradient."""
        logits = made.float()
        if self._relaxation == "gumbel":
            logits = logits - torch.empty_like(logits).exponential_().log()
        soft = (logits / self._temperature).softmax(dim=1)
        return self.weighed(soft if self._relaxation == "softmax" else hardened(soft.detach()) + soft - soft.detach())

    def weighed(self, maps: Maps) -> Maps:
        """Scale the channels of one-hot maps."""
        return maps * self._weights.to(maps.device).view(-1, *[1] * (maps.ndim - 2))

    def classes(self, made: Maps) -> Labels:
        """Most probable class of each pixel, at full size."""
        probable = made.float().softmax(dim=1)
        probable = blurred(probable) if self._smooth else probable
        return enlarged(probable.argmax(dim=1).to(torch.uint8), self._size)


def blurred(maps: Maps) -> Maps:
    """Blur channels by weights of 1, 3 and 1 along each axis, so that no pixel stands against all its neighbours."""
    line, dims = torch.tensor([0.2, 0.6, 0.2]), maps.ndim - 2
    kernel = line
    for _ in range(dims - 1):
        kernel = kernel[..., None] * line
    weights = kernel.to(maps).expand(maps.shape[1], 1, *kernel.shape)
    convolve = functional.conv2d if dims == 2 else functional.conv3d
    made: torch.Tensor = convolve(maps, weights, padding=1, groups=maps.shape[1])
    return made


def hardened(shares: Maps) -> Maps:
    """Give all to the largest channel of each pixel, the first of several."""
    hot = functional.one_hot(shares.argmax(dim=1), shares.shape[1])
    return hot.movedim(-1, 1).to(shares.dtype)


def reduced(maps: Maps, level: int) -> Maps:
    """Average maps down to a level."""
    times = maps.shape[-1] // (START_SIZE << level)
    pool = functional.avg_pool2d if maps.ndim == 4 else functional.avg_pool3d
    return pool(maps, times) if times > 1 else maps


def faded(maps: Maps, moment: Moment) -> Maps:
    """Blend maps with their coarser version, as the generator blends its two ends."""
    if moment.grown == moment.level:
        return maps
    return torch.lerp(doubled(halved(maps)), maps, 1 - (moment.level - moment.grown))


def enlarged(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Repeat pixels `(b, ...)` until a side has `size` of them."""
    times = size // maps.shape[-1]
    for axis in range(1, maps.ndim):
        maps = maps.repeat_interleave(times, dim=axis) if times > 1 else maps
    return maps


CURVE: Final = "distance"
"""Name of the curve's files."""
_AT_ONCE: Final = 64


@final
class Judge:
    """Scores networks by `PatchScore`, on fixed noise against fixed maps, once their last level is in use whole.

    The distances of earlier networks are measured too, for the curve, but none of these is chosen.

    Args:
        real: Held-out maps `(n, size, size)`, or volumes, of which the middle slice is compared.
        condition: Condition of each, `(n, numbers)`.
        noise: Noise for each, `(n, latent)`.
        classes: Class numbers of what a network makes.
        count: Number of classes.
    """

    def __init__(
        self,
        real: UInt8[np.ndarray, "_ ..."],
        condition: torch.Tensor,
        noise: torch.Tensor,
        classes: Callable[[torch.Tensor], torch.Tensor],
        count: int,
    ) -> None:
        self._classes, self._count = classes, count
        self._parts = torch.split(noise, _AT_ONCE), torch.split(condition, _AT_ONCE)
        self._measured = PatchScore(one_hot_slices(real, count), self._made)

    @property
    def scalars(self) -> dict[str, float]:
        """Distances of the last network."""
        return self._measured.scalars

    def __call__(self, network: Any) -> float | None:  # noqa: ANN401 - a growing generator
        """Return minus the mean distance over levels; none while the network grows."""
        score = self._measured(network)
        return score if float(network.grown) == network.levels - 1 else None

    def _made(self, network: nn.Module) -> Float32[np.ndarray, "_ _ _ _"]:
        """Make as many maps as it is compared with."""
        device = next(network.parameters()).device
        made = []
        for noise, condition in zip(*self._parts, strict=True):
            made.append(self._classes(network(noise.to(device), condition.to(device))).cpu().numpy())
        return one_hot_slices(np.concatenate(made), self._count)


def one_hot_slices(numbers: UInt8[np.ndarray, "_ ..."], count: int) -> Float32[np.ndarray, "_ _ _ _"]:
    """Channels of classes; of volumes those of the middle slice."""
    planes = numbers if numbers.ndim == 3 else numbers[..., numbers.shape[-1] // 2]
    hot: Float32[np.ndarray, "_ _ _ _"] = np.moveaxis(np.eye(count, dtype=np.float32)[planes], -1, 1)
    return np.ascontiguousarray(hot)


def curve_of(outcome: Outcome, growth: GrowthSpec, levels: int) -> list[dict[str, Any]]:
    """Step, images, pixels along a side and distance of each snapshot; none where no distance was measured."""
    return [_row(row, growth, levels) for row in outcome.history if row.get("swd") is not None]


def write_curve(folder: Path, rows: list[dict[str, Any]], *, best_step: int, grown: int) -> None:
    """Write the curve as `distance.json` and `distance.png`; nothing without rows.

    Args:
        folder: Folder of the training.
        rows: As `curve_of` returns.
        best_step: Step of the snapshot that is kept.
        grown: Step from which the last level is in use whole.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    if not rows:
        return
    from glioforge.report import snapshot_curve

    write_json(folder / f"{CURVE}.json", {"best_step": best_step, "grown": grown, "snapshots": rows})
    write_atomically(folder / f"{CURVE}.png", snapshot_curve(rows, best_step=best_step, grown=grown))


def _row(row: HistoryRow, growth: GrowthSpec, levels: int) -> dict[str, Any]:
    step = int(row["step"] or 0)
    moment = moment_of(growth, levels, max(step - 1, 0))
    apart = {name: value for name, value in row.items() if name.startswith("swd_")}
    shown = {"step": step, "images": moment.images + moment.batch_size, "side": START_SIZE << moment.level}
    return {**shown, "distance": row["swd"], **apart}
