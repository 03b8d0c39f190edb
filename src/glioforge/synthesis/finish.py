"""From what a trained network gives to finished volumes: an ensemble's draw, shifts, smoothing and grain.

The strengths of smoothing and grain are measured on training cases once the
network is trained, and kept with its weights.

Shifts: a network that pools treats the voxels of its grid unequally, and one that was
trained on few heads treats left and right unequally.  Draws made in another
place each time don't share these faults, so that they leave the mean of draws;
single draws stay as sharp as they were.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from glioforge.compute import seed_torch
from glioforge.core import LabelMap, stream
from glioforge.synthesis.grain import CASES, Example, measure_grain, measure_widths, smooth_across
from glioforge.synthesis.label_generator import LabelGenerator, Painter
from glioforge.synthesis.method import Images
from glioforge.synthesis.styled_batches import Batch, StyledBatches
from glioforge.training import Fitting, inferred, load_snapshots

MOST: Final = 8
"""Shifts stay below this many voxels: a grid halved three times repeats itself then."""


@final
@dataclass(frozen=True)
class Move:
    """A shift towards higher indices, then a swap of the first axis.

    Args:
        shift: Voxels along each axis, none negative.
        swapped: Whether left and right are swapped.
    """

    shift: tuple[int, int, int] = (0, 0, 0)
    swapped: bool = False

    @classmethod
    def drawn(cls, rng: np.random.Generator, axes: tuple[int, ...], *, swap: bool) -> "Move":
        """A move along some axes; left and right are swapped in half of them, where that is allowed."""
        steps = rng.integers(MOST, size=3)
        shift = tuple(int(step) if axis in axes else 0 for axis, step in enumerate(steps))
        return cls((shift[0], shift[1], shift[2]), bool(rng.integers(2)) and swap)

    def there(self, labels: LabelMap) -> LabelMap:
        """The moved map, on a grid that is larger by the shift, with background where nothing was."""
        voxels = np.pad(labels.voxels, [(step, 0) for step in self.shift])
        turned = np.ascontiguousarray(voxels[::-1] if self.swapped else voxels)
        return replace(labels, voxels=turned, geometry=replace(labels.geometry, shape=turned.shape))

    def back(self, images: Float32[np.ndarray, "contrasts _ _ _"]) -> Float32[np.ndarray, "contrasts i j k"]:
        """Images of the moved map on the grid of the map itself.

        Example:
            >>> move = Move((1, 0, 2), swapped=True)
            >>> images = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
            >>> moved = np.pad(images, [(0, 0), (1, 0), (0, 0), (2, 0)])[:, ::-1]
            >>> bool((move.back(moved) == images).all())
            True
        """
        turned = images[:, ::-1] if self.swapped else images
        i, j, k = self.shift
        return turned[:, i:, j:, k:]


GRAIN_BATCHES = 200
"""Batches that grain is measured on, at most."""


@final
class Ensemble:
    """Networks that draws are distributed over, the last of the training first.

    Args:
        members: At least one.
    """

    def __init__(self, members: Sequence[LabelGenerator]) -> None:
        self.members = list(members)

    @property
    def network(self) -> nn.Module:
        """The only member, or a list of all."""
        return self.members[0] if len(self.members) == 1 else nn.ModuleList(self.members)

    def draw(self, rng: np.random.Generator) -> LabelGenerator:
        """Return any member with the same chance; an only one without a draw."""
        return self.members[int(rng.integers(len(self.members)))] if len(self.members) > 1 else self.members[0]

    def take_snapshots(self, folder: Path) -> None:
        """Fill all members but the first with the networks of the last validations before the end, the newest first.

        Where there are fewer than members, the missing ones are the oldest.

        Args:
            folder: Of the training.
        """
        if len(self.members) == 1:
            return
        states = list(reversed(load_snapshots(folder).values()))
        states = states[1:] or states
        for place, member in enumerate(self.members[1:]):
            member.load_state_dict(states[min(place, len(states) - 1)])


@final
@dataclass(frozen=True)
class Finish:
    """What is done around the network's images.

    Args:
        painter: Puts volumes together; its spec holds the strengths.
    """

    painter: Painter

    def move(self, rng: np.random.Generator) -> Move:
        """Draw the shift of a label map before it is painted; none unless the spec asks for it."""
        spec, axes = self.painter.spec, self.painter.axes
        return Move.drawn(rng, axes, swap=spec.mirror and 0 in axes) if spec.moved else Move()

    def finished(self, images: Images, labels: LabelMap, member: LabelGenerator, rng: np.random.Generator) -> Images:
        """Smooth a volume across slices, and add the grain of a training case drawn at random."""
        spec = self.painter.spec
        widths = (spec.smoothing * member.smoothing).tolist()
        smooth = smooth_across(images, labels.voxels, widths, spec.axis)
        grain = member.grain[int(rng.integers(len(member.grain)))].cpu().numpy()
        return smooth + spec.grain * grain[:, None, None, None] * rng.standard_normal(smooth.shape, dtype=np.float32)

    def measure(self, members: Sequence[LabelGenerator], sampler: StyledBatches, fitting: Fitting) -> None:
        """Measure grain and smoothing of trained networks, and write both into their buffers.

        Args:
            members: Trained networks.
            sampler: Batches of training cases.
            fitting: The training.
        """
        spec = self.painter.spec
        for member in members if spec.grain else ():
            member.grain.copy_(self._grain(member, sampler, fitting))
        for member in members if spec.smoothing and spec.dims == 2 else ():
            member.smoothing.copy_(self._smoothing(member, sampler, fitting))

    def _grain(self, member: LabelGenerator, sampler: StyledBatches, fitting: Fitting) -> torch.Tensor:
        """Grain that the trained network leaves out, from about eight slices a case."""
        cases, batches = len(sampler.means), sampler.styled(fitting.train, fitting.seed, plain=True)

        def make(batch: Batch) -> torch.Tensor:
            noise = torch.zeros((len(batch["labels"]), member.passes.channels, *batch["labels"].shape[2:]))
            inputs = (batch["labels"], batch["frame"], batch["means"], noise)
            return inferred(member, inputs, fitting.accelerator) * batch["brain"][:, None]

        return measure_grain(batches, make, cases, min(GRAIN_BATCHES, -(-8 * cases // self.painter.spec.batch_size)))

    def _smoothing(self, member: LabelGenerator, sampler: StyledBatches, fitting: Fitting) -> torch.Tensor:
        """Widths of the smoothing that the trained network needs, from volumes of some training cases."""
        with torch.random.fork_rng():
            seed_torch(fitting.seed, "smoothing")
            examples = self._examples(member, sampler, fitting)
            return torch.tensor(measure_widths(examples, self.painter.spec.axis, self.painter.contrasts))

    def _examples(self, member: LabelGenerator, sampler: StyledBatches, fitting: Fitting) -> Iterator[Example]:
        """Evenly chosen training cases with a volume in their own style, as noisy as the scans."""
        make, rng = partial(inferred, member, accelerator=fitting.accelerator), stream(fitting.seed, "smoothing")
        grain = member.grain.cpu().numpy()
        for place in np.unique(np.linspace(0, len(fitting.train) - 1, CASES).round().astype(int)):
            case = fitting.train.cases[place].load()
            labels = case.require_labels()
            images = self.painter.paint(make, labels, sampler.means[place], self.painter.noise(labels, rng))
            noise = rng.standard_normal(images.shape, dtype=np.float32)
            scans = [
                case.images[m].voxels if m in case.images else np.full(labels.voxels.shape, np.nan, np.float32)
                for m in sampler.modalities
            ]
            yield Example(
                images + self.painter.spec.grain * grain[place][:, None, None, None] * noise,
                np.stack(scans),
                labels.voxels,
                labels.lesion,
            )
