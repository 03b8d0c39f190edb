"""Label maps between those of subjects, which the generator adds to: healthy classes, and a lesion placed in them.

Healthy classes of a slice vary about their mean along axes of log odds; a lesion, shifted to the middle of the picture,
along those of its size.  Scores of principal axes are drawn around those of a training map, a kernel density whose mean
and variance are those of the training maps; the other axes are mixtures of what these leave, and keep the variance
whole.  The outline, the place and the shape of a lesion and its anatomy come from different maps, so that no map is
repeated.

Distances to borders are taken as log odds (`nn.level_sets`).

Conventions
-----------
noise     standard normal: scores of healthy axes, scores of lesion axes, then `EXTRA` numbers that pick training
          maps and move the lesion
frames    the lesion's outline, then each of its classes, about the middle of the picture
"""

from typing import TYPE_CHECKING, Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from glioforge.core import stream
from glioforge.nn import Maps, Numbers, signed_distances, spread_axes
from glioforge.sampling.methods.label_pgan.maps import SIZES
from glioforge.sampling.methods.label_pgan.odds import EXTRA, healed, picked

if TYPE_CHECKING:
    from glioforge.sampling.methods.label_pgan.maps import Maps as TrainingMaps

_HEALTHY_FAR, _LESION_FAR = 4.0, 6.0
_STEEP: Final = 2.0
"""Log odds of a pixel's distance."""
_NEVER: Final = 20.0
"""Log odds of what is as good as impossible."""
_WIDTH: Final = 0.7
"""Share of the deviation that is drawn around the scores of a training map."""
_JITTER: Final = 1.5
"""Deviation of a lesion's place from that of a training map, in pixels."""
_RIM: Final = 0.01
"""Share of a class's pixels that may lie nearer to background than its margin."""
_ROWS: Final = 1024
"""Training maps whose scores are kept for each slice or size, at most."""


@final
class Variation(nn.Module):
    """Probabilities of classes in maps between those of subjects.

    Args:
        slices: Slices of the grid.
        size: Pixels along a side of the last level.
        lesion: Whether each class is one of the lesion; the first class is background.
        modes: Axes of the healthy classes of a slice, and of the lesions of a size.
    """

    def __init__(self, slices: int, size: int, lesion: torch.Tensor, modes: tuple[int, int]) -> None:
        super().__init__()
        self.lesion, self.modes, self.size = lesion.numpy(), modes, size
        healthy, frames = int((~lesion).sum()), int(lesion.sum()) + 1
        self.healthy: nn.Module = _Modes(slices, modes[0], (healthy, size, size))
        self.shapes: nn.Module = _Modes(SIZES, modes[1], (frames, size, size))
        self.places: torch.Tensor
        self.margins: torch.Tensor
        self.register_buffer("places", torch.full((4 * _ROWS, 4), -1.0))  # slice, size, shift along x and y
        self.register_buffer("margins", torch.full((len(lesion),), _HEALTHY_FAR))

    def fill(self, maps: "TrainingMaps", *, mirror: bool) -> None:
        """Measure axes, places and margins."""
        labels, slices, sizes = maps.labels, maps.slices, maps.sizes
        filled = healed(labels, self.lesion)
        odds = [signed_distances(filled == value, _HEALTHY_FAR) for value in np.flatnonzero(~self.lesion)]
        self._fill_margins(odds[0], labels)
        rows = np.stack(odds, axis=1)
        if mirror:
            rows, slices = np.concatenate([rows, rows[:, :, ::-1]]), np.concatenate([slices, slices])
        self._filled(self.healthy, rows, slices)
        diseased = np.flatnonzero(sizes > 0)
        if len(diseased):
            self._fill_lesions(labels[diseased], maps.slices[diseased], sizes[diseased], mirror=mirror)

    def _fill_margins(self, outside: np.ndarray, labels: np.ndarray) -> None:
        """How near to background each class lies, but for a small share of its pixels."""
        for value in range(1, len(self.lesion)):
            found = outside[labels == value]
            if len(found):
                self.margins[value] = float(np.quantile(found, 1 - _RIM))

    def _fill_lesions(self, labels: np.ndarray, slices: np.ndarray, sizes: np.ndarray, *, mirror: bool) -> None:
        lesion, middle = self.lesion[labels], (self.size - 1) / 2
        lines = np.arange(self.size)
        area = lesion.sum(axis=(1, 2))
        shifts = [
            np.rint((lesion.sum(axis=3 - axis) * lines).sum(axis=1) / area - middle).astype(int) for axis in (1, 2)
        ]
        classes = [lesion, *(labels == value for value in np.flatnonzero(self.lesion))]
        centred = [np.stack([_moved(m, -int(x), -int(y)) for m, x, y in zip(c, *shifts, strict=True)]) for c in classes]
        rows = np.stack([signed_distances(c, _LESION_FAR) for c in centred], axis=1)
        table = np.stack([slices, sizes, *shifts], axis=1)
        if mirror:
            rows, sizes = np.concatenate([rows, rows[:, :, ::-1]]), np.concatenate([sizes, sizes])
            table = np.concatenate([table, table * (1, 1, -1, 1)])
        self._filled(self.shapes, rows, sizes)
        kept = np.linspace(0, len(table) - 1, min(len(table), len(self.places))).round().astype(int)
        self.places[: len(kept)] = torch.from_numpy(table[kept]).float()

    @staticmethod
    def _filled(modes: nn.Module, rows: np.ndarray, groups: np.ndarray) -> None:
        for group in np.unique(groups):
            modes.fill(int(group), rows[groups == group])  # type: ignore[operator]

    def forward(self, noise: Numbers, numbers: torch.Tensor, sizes: torch.Tensor) -> Maps:
        """Probabilities `(b, class, size, size)`.

        Args:
            noise: Standard normal.
            numbers: Slice of each map.
            sizes: Size of each lesion, 0 for none.
        """
        first, last = self.modes[0], sum(self.modes)
        extra = noise[:, last : last + EXTRA]
        odds = self.healthy(noise[:, :first], numbers, extra[:, 0])  # (b, healthy classes, size, size)
        frames = self.shapes(noise[:, first:last], sizes, extra[:, 1])  # (b, 1 + lesion classes, size, size)
        frames = self._placed(frames, numbers, sizes, extra[:, 2:])
        outside = _bordered(odds[:, :1])
        inside = (_STEEP * frames[:, :1]).sigmoid() * (sizes > 0).view(-1, 1, 1, 1)
        # (b, 1, size, size), less where a lesion class would lie too near to background
        inside = inside * (1 - self._near(outside, self.lesion).amax(dim=1, keepdim=True))
        tissue = _STEEP * odds - _NEVER * self._near(outside, ~self.lesion)
        tissue[:, 0] = (_NEVER * odds[:, 0]).clamp(-_NEVER, _NEVER)
        made = odds.new_zeros(len(odds), len(self.lesion), self.size, self.size)
        made[:, torch.from_numpy(~self.lesion)] = tissue.softmax(dim=1) * (1 - inside)
        made[:, torch.from_numpy(self.lesion)] = (_STEEP * frames[:, 1:]).softmax(dim=1) * inside
        return made

    def _near(self, outside: Maps, chosen: np.ndarray) -> Maps:
        """Whether pixels lie beyond the margins of some classes, from 0 to 1 within a quarter of a pixel."""
        margins = self.margins[torch.from_numpy(chosen)].view(1, -1, 1, 1)
        return (4 * (outside - margins)).clamp(0, 1)

    def _placed(self, frames: Maps, numbers: torch.Tensor, sizes: torch.Tensor, extra: Numbers) -> Maps:
        """Move lesions to where those of a size lie in a slice."""
        table = self.places
        alike = (table[:, 1] == sizes[:, None]) & (table[:, 0] >= 0)
        near = alike * torch.exp(-((table[:, 0] - numbers[:, None]) ** 2))
        shift = table[picked(near.double(), extra[:, 0].double()), 2:] + _JITTER * extra[:, 1:]
        theta = frames.new_zeros(len(frames), 2, 3)
        theta[:, 0, 0] = theta[:, 1, 1] = 1
        theta[:, :, 2] = -2 * shift.round().flip(1) / self.size
        grid = functional.affine_grid(theta, list(frames.shape), align_corners=False)
        moved: torch.Tensor = functional.grid_sample(frames, grid, padding_mode="border", align_corners=False)
        return moved


@final
class _Modes(nn.Module):
    """Mean, axes and scores of groups of maps, in half precision."""

    def __init__(self, groups: int, modes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.means: torch.Tensor
        self.axes: torch.Tensor
        self.scores: torch.Tensor
        self.counts: torch.Tensor
        self.register_buffer("means", torch.zeros(groups, *shape, dtype=torch.float16))
        self.register_buffer("axes", torch.zeros(groups, modes, *shape, dtype=torch.float16))
        self.register_buffer("scores", torch.zeros(groups, _ROWS, modes, dtype=torch.float16))
        self.register_buffer("counts", torch.zeros(groups))

    def fill(self, group: int, rows: np.ndarray) -> None:
        """Measure a group."""
        shape = rows.shape[1:]
        mean, axes, scores = spread_axes(rows.reshape(len(rows), -1), self.axes.shape[1], stream(group, "mixtures"))
        axes[scores.shape[1] :] /= _WIDTH  # no training map has scores along mixtures: their noise is all there is
        kept = np.linspace(0, len(scores) - 1, min(len(scores), _ROWS)).round().astype(int)
        self.means[group] = torch.from_numpy(mean.reshape(shape))
        self.axes[group, : len(axes)] = torch.from_numpy(axes.reshape(len(axes), *shape))
        self.scores[group, : len(kept), : scores.shape[1]] = torch.from_numpy(scores[kept])
        self.counts[group] = len(kept)

    def forward(self, noise: Numbers, groups: torch.Tensor, normal: Float[torch.Tensor, "b"]) -> Maps:
        """Odds with scores around those of training maps of a group, which one normal number each picks."""
        count = self.counts[groups]
        row = (torch.special.ndtr(normal) * count).long().clamp(min=0).minimum((count - 1).clamp(min=0).long())
        scores = (1 - _WIDTH**2) ** 0.5 * self.scores[groups, row].float() + _WIDTH * noise
        axes = self.axes[groups].flatten(2).float()  # (b, modes, channels * size**2)
        spread = torch.bmm(scores[:, None], axes).view(len(noise), *self.means.shape[1:])
        made: torch.Tensor = self.means[groups].float() + spread
        return made


def _bordered(outside: Maps) -> Maps:
    """Odds of background as margins are measured in maps: -1 in pixels that touch background, less elsewhere."""
    empty = (outside > 0).float()
    across = functional.max_pool2d(empty, (3, 1), 1, (1, 0)), functional.max_pool2d(empty, (1, 3), 1, (0, 1))
    return torch.where(torch.maximum(*across) > 0, -1.0, outside.clamp(max=-(2**0.5)))


def _moved(mask: np.ndarray, x: int, y: int) -> np.ndarray:
    """A mask moved by whole pixels; what leaves the picture is cut off."""
    found = np.zeros_like(mask)
    cuts = [
        (slice(max(by, 0), side + min(by, 0)), slice(max(-by, 0), side + min(-by, 0)))
        for by, side in zip((x, y), mask.shape, strict=True)
    ]
    found[cuts[0][0], cuts[1][0]] = mask[cuts[0][1], cuts[1][1]]
    return found
