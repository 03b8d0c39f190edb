"""Progressive GAN of label maps (Karras et al. 2018, arXiv:1710.10196), as Foroozandeh & Eklund (2020) make masks.

A generator and a critic grow from 4 x 4 pixels to the size of the maps; `nn.progressive` holds both,
`recipe` and `growth` in this folder their game, and the other files what is of label maps.  Weights are chosen among
those of all validations by the sliced Wasserstein distance to held-out maps, whose curve is written beside the
training's history: in the paper two thirds of the training only made it worse.

Preset `paper`: axial slices padded to 256 x 256, empty ones left out, seven classes as grey values from -1 to 1 and
rounded back, latent 512 on the hypersphere, channels 8192 / 2 ** n up to 512, pixel norm, equalised learning rate, the
deviation within a minibatch, WGAN-GP (weight 10) with drift .001, Adam at 1e-3 with momentum 0 and .99, started afresh
at each phase, average of the weights .999, 600,000 images to fade in and 600,000 more a level, batches of 128 to 8,
12,000,000 images.  `reduced` is the same on the first 20 % of the shuffled slices, `ranges` on one of 31 ranges of
slices, chosen by `range_number` (the paper suggests 31 such trainings).
Deviations from the paper, of all presets:
1. Subjects, not slices, are held out.  The distance is that to maps of held-out subjects, where there are any, on at
   most `judged` maps, and that to training maps without them.
2. The classifier head of the reference has no classes to learn here and is left out.
3. Both players step after one forward pass of the generator.
4. Phases end with whole batches.  The average of the weights forgets its first steps faster.

Preset `sound` deviates further, each for a reason:
5. One channel a class: between grey values of two classes lie others, so that a blurred border of white matter and
   tumour becomes grey matter. Softmax, a straight-through draw (`relaxation`) or boundary seeking (`losses.adversary`).
6. Probabilities are blurred by weights of 1, 3 and 1 before the most probable class of a pixel is taken, since single
   pixels of another class are the most frequent fault.
7. Both networks are given where along the axis a slice lies, so that one model serves all ranges, and how large its
   lesion is; how often a slice is drawn, and with which lesion, follows the training cases.
8. The generator adds to the average map of the slice, which starts as an atlas, whose sharpness is learned, and which
   learns how subjects differ: few images suffice.
9. The lesion's channels count twice in what the critic sees.
10. 64 x 64 pixels, 64 to 8 channels, latent 32, the penalty in every second step at twice the weight, rates of 2e-3
   that fall as a cosine, average .99, 2,000 images a phase: trains in ten minutes on two cores.
11. Left and right are swapped in every second draw; slices with hardly any brain are left out.
Preset `varied` is `sound` with `modes`, for slices up to 64 x 64:
12. The average map varies as subjects do, along axes of signed distances, and has a lesion of the size asked for
   (`variation`): the network starts from whole maps that no subject has. The weights hold scores of training maps.
13. Probabilities are not blurred, since the blur takes the thin layer of fluid off the brain.
With `dims: 3` the same networks make volumes at a coarse resolution, on the grid of the training cases.

Conventions
-----------
shares      how often each class is found in each pixel of each slice, over the training maps and their mirror images
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn
from torch.nn import functional

from glioforge.compute import AcceleratorSpec
from glioforge.core import Cohort, LabelMap, stream
from glioforge.data import SLICES_FROM, SLICES_TO
from glioforge.nn import Maps, Numbers, ProgressiveCritic, ProgressiveGenerator, level_widths
from glioforge.sampling import SAMPLERS, Batches, Sampler
from glioforge.sampling.methods.label_pgan.encoding import GreyValues, Judge, OneHot, curve_of, write_curve
from glioforge.sampling.methods.label_pgan.maps import (
    HARMONICS,
    SIZES,
    frame_of,
    harmonics,
    lesion_numbers,
    sizes_of,
    training_maps,
    values_of,
)
from glioforge.sampling.methods.label_pgan.recipe import Progressive
from glioforge.sampling.methods.label_pgan.spec import LabelPganSpec
from glioforge.sampling.methods.label_pgan.variation import Variation
from glioforge.training import Fitting, Outcome, inferred

__all__ = ["LabelPgan", "LabelPganSpec"]


@final
class Atlas(nn.Module):
    """Logits of the average map of a slice, sharpened by a factor that is learned; lesions are left as they are.

    Args:
        slices: Slices of the grid.
        size: Pixels along a side of the last level.
        lesion: Whether each class is one of the lesion.
        modes: Modes of healthy classes and of lesions that the map varies by; 0 for the average map.
    """

    def __init__(self, slices: int, size: int, lesion: torch.Tensor, modes: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.shares: torch.Tensor
        self.lesion: torch.Tensor
        self.register_buffer("shares", torch.full((slices, len(lesion), size, size), 1 / len(lesion)))
        self.register_buffer("lesion", lesion.view(1, -1, 1, 1), persistent=False)
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))
        self.variation = Variation(slices, size, lesion, modes) if modes[0] else None

    def fill(self, maps: "TrainingMaps", *, mirror: bool) -> None:
        """Measure the shares of all slices, and the modes; slices without a map stay even."""
        if self.variation is not None:
            self.variation.fill(maps, mirror=mirror)
        classes = self.shares.shape[1]
        for number in np.unique(maps.slices):
            found = shares_of(maps.labels[maps.slices == number], classes)
            both = (found + found[:, ::-1]) / 2 if mirror else found
            self.shares[int(number)] = torch.from_numpy(np.ascontiguousarray(both))

    def forward(self, noise: Numbers, condition: Numbers, side: int) -> Maps:
        """Logits `(b, class, side, side)` of the slices, and lesions, that conditions tell."""
        numbers = self._slices(condition)
        shares = self.shares[numbers]  # (b, class, size, size)
        if self.variation is not None:
            shares = self.variation(noise, numbers, sizes_of(condition[:, -1]))
        pooled = nn.functional.avg_pool2d(shares, shares.shape[-1] // side) if side < shares.shape[-1] else shares
        logs = ((1 - _LEAST) * pooled + _LEAST / pooled.shape[1]).log()
        return torch.where(self.lesion, logs, self.sharpness * logs)

    def _slices(self, condition: Numbers) -> torch.Tensor:
        """Numbers of slices: the first number of a condition is the root of 2 times the cosine of their place."""
        place = torch.arccos((condition[:, 0] / 2**0.5).clamp(-1, 1)) / torch.pi
        return (place * len(self.shares)).long().clamp(0, len(self.shares) - 1)


@final
@SAMPLERS.register(LabelPganSpec)
class LabelPgan(Sampler):
    """Trains a growing generator against a growing critic."""

    makes = "labels"

    @property
    def bundled(self) -> bool:
        """Slices are."""
        return bool(self.spec.dims == 2)

    def build(self) -> nn.Module:
        """Generator with normal weights, and how often each slice of the grid is drawn with each size of lesion."""
        spec: LabelPganSpec = self.spec
        generator = ProgressiveGenerator(
            spec.latent,
            self._encoding.channels,
            self._widths,
            condition=self._conditions,
            dims=spec.dims,
            prior=self._atlas() if self._has_atlas else None,
        )
        if spec.modes:  # maps of the modes are whole: what is added begins at 0
            for end in generator.ends:
                nn.init.zeros_(end.weight)  # type: ignore[arg-type]
        generator.register_buffer("drawn", torch.zeros(self._slices, SIZES))
        return generator

    def before_training(self, network: Any, cohort: Cohort) -> None:  # noqa: ANN401 - the generator
        """Count the training slices by their place and the size of their lesion."""
        maps = training_maps(self.spec, cohort, 0)
        counts = np.bincount(maps.slices * SIZES + maps.sizes, minlength=self._slices * SIZES)
        network.drawn.copy_(torch.from_numpy(counts).float().view(self._slices, SIZES))
        if network.prior is not None:
            network.prior.fill(maps, mirror=self._mirrors)

    def recipe(self, network: Any, steps: int) -> Progressive:  # noqa: ANN401 - the generator
        """Set the generator against a fresh critic."""
        spec: LabelPganSpec = self.spec
        critic = ProgressiveCritic(self._encoding.channels, self._widths, condition=self._conditions, dims=spec.dims)
        return Progressive(network, critic, spec.losses, encoding=self._encoding, latent=spec.latent, steps=steps)

    def batches(self, cohort: Cohort, seed: int) -> Batches:
        """Draw maps of all training cases with the same chance, as many as the level takes; they are held in memory."""
        spec: LabelPganSpec = self.spec
        maps = training_maps(spec, cohort, 0)
        held, conditions = torch.from_numpy(maps.labels), self._condition(maps.slices, maps.sizes)

        def batch(step: int) -> Mapping[str, torch.Tensor]:
            rng = stream(seed, "maps", step)
            chosen = torch.from_numpy(rng.integers(len(held), size=spec.batch_size_at(step)))
            labels = held[chosen]
            swapped = torch.from_numpy(rng.random(len(labels)) < 0.5) & self._mirrors
            labels = torch.where(swapped.view(-1, *[1] * spec.dims), labels.flip(1), labels)
            return {"labels": labels, "condition": conditions[chosen]}

        return batch

    def score(self, cohort: Cohort, seed: int) -> Judge:
        """Minus the sliced Wasserstein distance to the cohort's maps, from fixed noise at their places."""
        maps = training_maps(self.spec.model_copy(update={"share": 1.0}), cohort, 0)
        rng = stream(seed, "judged")
        maps = maps.taken(rng.permutation(len(maps.labels))[: self.spec.judged])
        noise = torch.from_numpy(rng.standard_normal((len(maps.labels), self.spec.latent), dtype=np.float32))
        condition = self._condition(maps.slices, maps.sizes)
        return Judge(maps.labels, condition, noise, self._encoding.classes, self._classes)

    def fit(self, fitting: Fitting) -> Outcome:
        """Train the network; the curve of the distance is left beside the history."""
        outcome = super().fit(replace(fitting, validation=fitting.validation or fitting.train))
        spec: LabelPganSpec = self.spec
        rows = curve_of(outcome, spec.losses.growth, spec.levels)
        write_curve(fitting.folder, rows, best_step=outcome.best_step, grown=spec.grown)
        return outcome

    def facts(self) -> Mapping[str, float]:
        """Which slices of the grid were learned; nothing of volumes."""
        network: Any = self.network
        learned = np.flatnonzero(network.drawn.sum(dim=1).cpu().numpy())
        if self.spec.dims == 3 or not len(learned):
            return {}
        first, last = int(learned[0]), int(learned[-1]) + 1
        return {SLICES_FROM: first / self._slices, SLICES_TO: last / self._slices}

    def make(self, rng: np.random.Generator, accelerator: AcceleratorSpec) -> LabelMap:
        """Draw one slice at its place on the grid of the training cases, or a volume on that grid."""
        spec: LabelPganSpec = self.spec
        noise = torch.from_numpy(rng.standard_normal((1, spec.latent), dtype=np.float32))
        number, size = self._place(rng)
        condition = self._condition(np.array([number]), np.array([size]))
        made = inferred(self.network, (noise, condition), accelerator)
        frame, knowledge = frame_of(spec, self.knowledge.geometry), self.knowledge
        if spec.dims == 3:
            whole = functional.interpolate(made, (frame.side,) * 3, mode="trilinear")
            return self._labelled(frame.cropped(whole), knowledge.geometry)
        return self._labelled(made, frame.slice_grid(spec.axis, number))

    def _labelled(self, made: torch.Tensor, geometry: Any) -> LabelMap:  # noqa: ANN401 - the grid
        numbers = self._encoding.classes(made)[0].numpy()
        voxels = np.ascontiguousarray(values_of(self.knowledge.scheme)[numbers].reshape(geometry.shape))
        return LabelMap(voxels, geometry, self.knowledge.scheme)

    def _place(self, rng: np.random.Generator) -> tuple[int, int]:
        """Slice and size of lesion, drawn as often as in training; the middle slice where networks are not told."""
        network: Any = self.network
        counts = network.drawn.double().cpu().numpy().ravel()
        counts = counts if counts.sum() else np.ones_like(counts)
        number, size = divmod(int(rng.choice(len(counts), p=counts / counts.sum())), SIZES)
        return (number if self._told else self._slices // 2), size

    def _condition(self, slices: np.ndarray, sizes: np.ndarray) -> torch.Tensor:
        """Condition of maps: position and lesion, as far as the networks are told."""
        parts = [np.zeros((len(slices), 0), dtype=np.float32)]
        if self._told:
            parts.append(harmonics(slices, self._slices))
        if self.spec.lesion:
            parts.append(lesion_numbers(sizes))
        return torch.from_numpy(np.concatenate(parts, axis=1))

    @property
    def _told(self) -> bool:
        """Whether the networks are told where a slice lies."""
        return bool(self.spec.position and self.spec.dims == 2)

    @property
    def _has_atlas(self) -> bool:
        return bool(self.spec.atlas and self._told and self.spec.encoding == "one_hot")

    def _atlas(self) -> Atlas:
        """Average maps, with modes where they are asked for."""
        spec: LabelPganSpec = self.spec
        return Atlas(self._slices, spec.size, torch.from_numpy(self._diseased), spec.mode_counts)

    @property
    def _mirrors(self) -> bool:
        """Whether left and right may be swapped, along the first axis that is shown."""
        return bool(self.spec.mirror and 0 in frame_of(self.spec, self.knowledge.geometry).axes)

    @property
    def _diseased(self) -> np.ndarray:
        """Whether each class is one of the lesion."""
        return np.isin(values_of(self.knowledge.scheme), self.knowledge.scheme.lesion_values)

    @property
    def _conditions(self) -> int:
        return HARMONICS * self._told + 2 * self.spec.lesion

    @property
    def _slices(self) -> int:
        return 1 if self.spec.dims == 3 else self.knowledge.geometry.shape[self.spec.axis]

    @property
    def _classes(self) -> int:
        return len(self.knowledge.scheme.labels)

    @property
    def _widths(self) -> tuple[int, ...]:
        return level_widths(self.spec.base, self.spec.largest, self.spec.levels)

    @property
    def _encoding(self) -> GreyValues | OneHot:
        spec: LabelPganSpec = self.spec
        if spec.encoding == "grey":
            return GreyValues(self._classes, spec.size)
        weights = np.where(self._diseased, spec.emphasis, 1.0).astype(np.float32)
        return OneHot(torch.from_numpy(weights), spec.size, spec.relaxation, spec.temperature, smooth=spec.smooth)


if TYPE_CHECKING:
    from glioforge.sampling.methods.label_pgan.maps import Maps as TrainingMaps


_LEAST: Final = 0.01
"""Share that every class has everywhere, so that nothing is impossible."""


_SHARPNESS: Final = 1.5


def shares_of(labels: np.ndarray, classes: int) -> Float32[np.ndarray, "class x y"]:
    """How often each class is found in each pixel."""
    found: Float32[np.ndarray, "class x y"] = np.stack(
        [(labels == value).mean(axis=0, dtype=np.float32) for value in range(classes)]
    )
    return found
