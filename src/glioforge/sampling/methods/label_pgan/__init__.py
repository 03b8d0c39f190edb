"""Progressive GAN of label maps (Karras et al. 2018, arXiv:1710.10196), as Foroozandeh & Eklund (2020) make masks.

A generator and a critic grow from 4 x 4 pixels to the size of the maps; `nn.progressive` holds both,
`training.recipes.progressive` their game, and the files of this folder what is of label maps.  Weights are chosen among
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
   most `judged` maps; without them the last weights are kept.
2. The classifier head of the reference has no classes to learn here and is left out.
3. Both players step after one forward pass of the generator.
4. Phases end with whole batches.  The average of the weights forgets its first steps faster.

Preset `sound` deviates further, each for a reason:
5. One channel a class: between grey values of two classes lie others, so that a blurred border of white matter and
   tumour becomes grey matter. Softmax, a straight-through draw (`relaxation`) or boundary seeking (`losses.adversary`).
6. Both networks are told where along the axis a slice lies, so that one model serves all ranges; how often a slice is
   drawn follows the training cases.
7. 64 x 64 pixels, 48 to 12 channels, latent 32, log loss with a penalty on the critic's slope at real maps every
   fourth step, rates of 2e-3 that fall as a cosine, average .99, few images: trains in ten minutes on two cores.
8. Left and right are swapped in every second draw; slices with hardly any brain are left out.
With `dims: 3` the same networks make volumes at a coarse resolution, on the grid of the training cases.
"""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import Cohort, LabelMap, stream
from glioforge.data.alike import SLICES_FROM, SLICES_TO
from glioforge.nn.progressive import ProgressiveCritic, ProgressiveGenerator, level_widths
from glioforge.sampling.method import SAMPLERS, Batches, Sampler
from glioforge.sampling.methods.label_pgan.encoding import GreyValues, OneHot
from glioforge.sampling.methods.label_pgan.judge import Judge, curve_of, write_curve
from glioforge.sampling.methods.label_pgan.maps import HARMONICS, frame_of, harmonics, training_maps, values_of
from glioforge.sampling.methods.label_pgan.spec import LabelPganSpec
from glioforge.training.budget import Outcome
from glioforge.training.fitting import Fitting
from glioforge.training.inference import inferred
from glioforge.training.recipes.progressive import Progressive

__all__ = ["LabelPgan", "LabelPganSpec"]


@final
@SAMPLERS.register(LabelPganSpec)
class LabelPgan(Sampler):
    """Trains a growing generator against a growing critic."""

    makes = "labels"

    def build(self) -> nn.Module:
        """Generator with normal weights, and how often each slice of the grid is drawn."""
        spec: LabelPganSpec = self.spec
        generator = ProgressiveGenerator(
            spec.latent, self._encoding.channels, self._widths, condition=self._conditions, dims=spec.dims
        )
        generator.register_buffer("drawn", torch.zeros(self._slices))
        return generator

    def before_training(self, network: Any, cohort: Cohort) -> None:  # noqa: ANN401 - the generator
        """Count the training slices by their place."""
        found = training_maps(self.spec, cohort, 0).slices
        network.drawn.copy_(torch.from_numpy(np.bincount(found, minlength=self._slices)).float())

    def recipe(self, network: Any, steps: int) -> Progressive:  # noqa: ANN401 - the generator
        """Set the generator against a fresh critic."""
        spec: LabelPganSpec = self.spec
        critic = ProgressiveCritic(self._encoding.channels, self._widths, condition=self._conditions, dims=spec.dims)
        return Progressive(network, critic, spec.losses, encoding=self._encoding, latent=spec.latent, steps=steps)

    def batches(self, cohort: Cohort, seed: int) -> Batches:
        """Draw maps of all training cases with the same chance, as many as the level takes; they are held in memory."""
        spec: LabelPganSpec = self.spec
        maps = training_maps(spec, cohort, 0)
        held, conditions = torch.from_numpy(maps.labels), self._condition(maps.slices)
        flips = spec.mirror and 0 in frame_of(spec, self.knowledge.geometry).axes

        def batch(step: int) -> Mapping[str, torch.Tensor]:
            rng = stream(seed, "maps", step)
            chosen = torch.from_numpy(rng.integers(len(held), size=spec.batch_size_at(step)))
            labels = held[chosen]
            swapped = torch.from_numpy(rng.random(len(labels)) < 0.5) & flips
            labels = torch.where(swapped.view(-1, *[1] * spec.dims), labels.flip(1), labels)
            return {"labels": labels, "condition": conditions[chosen]}

        return batch

    def score(self, cohort: Cohort, seed: int) -> Judge:
        """Minus the sliced Wasserstein distance to the cohort's maps, from fixed noise at their places."""
        maps = training_maps(self.spec.model_copy(update={"share": 1.0}), cohort, 0)
        rng = stream(seed, "judged")
        chosen = rng.permutation(len(maps.labels))[: self.spec.judged]
        noise = torch.from_numpy(rng.standard_normal((len(chosen), self.spec.latent), dtype=np.float32))
        condition = self._condition(maps.slices[chosen])
        return Judge(maps.labels[chosen], condition, noise, self._encoding.classes, self._classes)

    def fit(self, fitting: Fitting) -> Outcome:
        """Train the network; the curve of the distance is left beside the history."""
        outcome = super().fit(fitting)
        spec: LabelPganSpec = self.spec
        rows = curve_of(outcome, spec.losses.growth, spec.levels)
        write_curve(fitting.folder, rows, best_step=outcome.best_step, grown=spec.grown)
        return outcome

    def facts(self) -> Mapping[str, float]:
        """Which slices of the grid were learned; nothing of volumes."""
        network: Any = self.network
        learned = np.flatnonzero(network.drawn.cpu().numpy())
        if self.spec.dims == 3 or not len(learned):
            return {}
        first, last = int(learned[0]), int(learned[-1]) + 1
        return {SLICES_FROM: first / self._slices, SLICES_TO: last / self._slices}

    def make(self, rng: np.random.Generator, accelerator: AcceleratorSpec) -> LabelMap:
        """Draw one slice at its place on the grid of the training cases, or a volume on that grid."""
        spec: LabelPganSpec = self.spec
        noise = torch.from_numpy(rng.standard_normal((1, spec.latent), dtype=np.float32))
        number = self._place(rng)
        made = inferred(self.network, (noise, self._condition(np.array([number]))), accelerator)
        frame, knowledge = frame_of(spec, self.knowledge.geometry), self.knowledge
        if spec.dims == 3:
            whole = functional.interpolate(made, (frame.side,) * 3, mode="trilinear")
            return self._labelled(frame.cropped(whole), knowledge.geometry)
        return self._labelled(made, frame.slice_grid(spec.axis, number))

    def _labelled(self, made: torch.Tensor, geometry: Any) -> LabelMap:  # noqa: ANN401 - the grid
        numbers = self._encoding.classes(made)[0].numpy()
        voxels = np.ascontiguousarray(values_of(self.knowledge.scheme)[numbers].reshape(geometry.shape))
        return LabelMap(voxels, geometry, self.knowledge.scheme)

    def _place(self, rng: np.random.Generator) -> int:
        """Number of the slice that is drawn, as often as in training; the middle one where networks are not told."""
        network: Any = self.network
        counts = network.drawn.double().cpu().numpy()
        if not self.spec.position or self.spec.dims == 3 or not counts.sum():
            return self._slices // 2
        return int(rng.choice(len(counts), p=counts / counts.sum()))

    def _condition(self, slices: np.ndarray) -> torch.Tensor:
        """Condition of slices by their numbers; without numbers where the networks are not told."""
        if not self._conditions:
            return torch.zeros(len(slices), 0)
        return torch.from_numpy(harmonics(slices, self._slices))

    @property
    def _conditions(self) -> int:
        return HARMONICS if self.spec.position and self.spec.dims == 2 else 0

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
        return OneHot(self._classes, spec.size, spec.relaxation, spec.temperature)
