"""What all synthesizers with a network conditioned on labels have in common: batches, styles, grain, volumes.

A method adds its generator (`build`) and its losses (`recipe`), and, where it
needs them, further channels of the condition (`extras`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch, start
from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap
from glioforge.core.rng import stream
from glioforge.data.epoch import steps_of_an_epoch
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.synthesis.grain import measure_grain
from glioforge.synthesis.inference import inferred
from glioforge.synthesis.label_generator import LabelGenerator, Position, one_hot
from glioforge.synthesis.method import Fitting, Images, Knowledge, Method
from glioforge.synthesis.moved import Move
from glioforge.synthesis.patches import make_from_windows
from glioforge.synthesis.slice_smoothing import CASES, Example, measure_widths, smooth_across
from glioforge.synthesis.slices import make_volume
from glioforge.synthesis.styled_batches import Batch, StyledBatches
from glioforge.synthesis.unseen_score import unseen_score
from glioforge.training.budget import Budget
from glioforge.training.loop import Outcome, train
from glioforge.training.snapshots import load_snapshots

if TYPE_CHECKING:
    from glioforge.training.recipe import Recipe

__all__ = ["SPAN", "Batch", "ConditionalMethod"]

SPAN = 5.0
"""Largest absolute z-score that tanh reaches."""
GRAIN_BATCHES = 200
"""Batches that grain is measured on, at most."""
_NOISE_WIDTH = 0.5
"""Blur of the noise between slices, in slices."""


class ConditionalMethod(Method, ABC):
    """A network that makes images from labels, slice by slice or patch by patch."""

    def __init__(self, spec: ConditionalSpec, knowledge: Knowledge) -> None:
        super().__init__(spec, knowledge)
        self.classes, self.contrasts = len(knowledge.scheme.labels), len(knowledge.modalities)
        self._groups = self.groups()
        self.hot = self.classes if self._groups is None else max(self._groups) + 1
        self.steps = spec.budget.steps
        self._stages = ""
        self._means = _means_of(knowledge.appearance)
        self._sampler = StyledBatches(spec, knowledge.modalities, self._means)
        self._network = self._built()
        self._earlier = nn.ModuleList(self._built() for _ in range(spec.ensemble - 1))

    @abstractmethod
    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """Generator with fresh weights from torch's global generator.

        Args:
            inputs: Channels of the condition `(b, inputs, *grid)`, its first argument; the second is noise
                `(b, 1, *grid)`, which it may leave alone.
            contrasts: Channels of its images `(b, contrasts, *grid)`; any grid must be taken.
        """

    @abstractmethod
    def recipe(self, network: LabelGenerator, steps: int) -> "Recipe":
        """Losses and optimisers for a network, over this many steps."""

    def extras(self) -> nn.Module | None:
        """A module that adds channels at the end of the condition; none unless a method says otherwise.

        It has `channels`, their number, and is called with the batch's frames and the grid.
        """
        return None

    def groups(self) -> tuple[int, ...] | None:
        """Return the group of each class where the condition names groups of classes; none unless a method says so.

        A group is a number from 0 on; `hot` is how many there are.
        """
        return None

    def grouped(self, labels: torch.Tensor) -> torch.Tensor:
        """Turn classes into what the condition names: groups, or the classes themselves."""
        return labels if self._groups is None else torch.tensor(self._groups, device=labels.device)[labels]

    def before_training(self, network: LabelGenerator, fitting: Fitting) -> None:
        """Fill buffers of the fresh network from training cases."""

    @property
    def varied(self) -> bool:
        """Styles, grain and moves differ from draw to draw; a generator with noise of its own says so itself."""
        return bool(self.spec.style or self.spec.grain or self.spec.moved or self.spec.ensemble > 1)

    @property
    def facts(self) -> Mapping[str, str]:
        """The two stages of a training that begins with cases which lack contrasts."""
        return {"stages": self._stages} if self._stages else {}

    @property
    def network(self) -> nn.Module:
        """The network whose weights are kept; with an ensemble a list of all, the last network first."""
        return nn.ModuleList([self._network, *self._earlier]) if len(self._earlier) else self._network

    def fit(self, fitting: Fitting) -> Outcome:
        """Train the network; then measure grain, and the score on unseen subjects."""
        spec: ConditionalSpec = self.spec
        seed_torch(fitting.seed, "weights")
        self._network = self._built()
        self.before_training(self._network, fitting)
        budget = self._length(fitting.train)
        self.steps = budget.steps
        recipe = self.recipe(self._network, budget.steps)
        score = self._score(fitting)
        outcome = train(
            recipe,
            self.batches(fitting.train, fitting.seed),
            budget,
            fitting.folder,
            seed=fitting.seed,
            fabric=start(fitting.accelerator),
            validate=score if spec.select else None,
            progress=fitting.progress,
            settings={"spec": spec.model_dump(mode="json"), "train": fitting.train.fingerprint},
        )
        self._network.load_state_dict(recipe.inference_network().state_dict())
        self._take_snapshots(fitting)
        for member in (self._network, *self._earlier) if spec.grain else ():
            cast("LabelGenerator", member).grain.copy_(self._measured_grain(member, fitting))
        for member in (self._network, *self._earlier) if spec.smoothing and spec.dims == 2 else ():
            cast("LabelGenerator", member).smoothing.copy_(self._measured_smoothing(member, fitting))
        if score is not None:
            outcome = replace(outcome, best_score=score(self._network.eval()))
        self.network.cpu().eval()
        return outcome

    def _length(self, train: Cohort) -> Budget:
        """The spec's budget in steps."""
        spec: ConditionalSpec = self.spec
        return spec.trained_budget.in_steps(lambda: self.epoch(train))

    def epoch(self, train: Cohort) -> int:
        """Count the steps of a pass over the training slices, or cases; with mixed axes over those of all three."""
        spec: ConditionalSpec = self.spec
        axes: tuple[int | None, ...] = (0, 1, 2) if spec.mix_axes else (spec.axis if spec.dims == 2 else None,)
        only = spec.lesion_share == 1
        counted = partial(steps_of_an_epoch, lesions_only=only, slab=spec.slab)
        return sum(counted(train, spec.batch_size, axis=axis) for axis in axes)

    def _take_snapshots(self, fitting: Fitting) -> None:
        """Fill the ensemble with the networks of the last validations before the end, the newest first.

        Where there are fewer than members, the missing ones are the oldest.
        """
        if not len(self._earlier):
            return
        states = list(reversed(load_snapshots(fitting.folder).values()))
        states = states[1:] or states
        for place, member in enumerate(self._earlier):
            member.load_state_dict(states[min(place, len(states) - 1)])

    def images(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:
        """A volume with one style and one noise field."""
        spec: ConditionalSpec = self.spec
        style = self.knowledge.appearance.draw(rng, spec.jitter)
        member = self._member(rng)
        make = partial(inferred, member, accelerator=accelerator)
        move = Move.drawn(rng, self._plane, swap=spec.mirror and 0 in self._plane) if spec.moved else Move()
        moved = move.there(labels)
        means, noise = torch.from_numpy(style.means).float(), self._noise(moved, rng)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**63 - 1)))
            made = self._volume(make, moved, means, noise)
        widths = (spec.smoothing * member.smoothing).tolist()
        made = smooth_across(move.back(made), labels.voxels, widths, spec.axis)
        grain = member.grain[int(rng.integers(len(member.grain)))].cpu().numpy()
        return made + spec.grain * grain[:, None, None, None] * rng.standard_normal(made.shape, dtype=np.float32)

    def _volume(
        self,
        make: Callable[[tuple[torch.Tensor, ...]], torch.Tensor],
        labels: LabelMap,
        means: torch.Tensor,
        noise: np.ndarray,
    ) -> Images:
        """Images of a label map as the network gives them, slice by slice or in windows."""
        spec: ConditionalSpec = self.spec
        if spec.dims == 3:
            size = spec.size if spec.size is None or len(spec.size) == 3 else None
            return make_from_windows(make, labels, means, noise, contrasts=self.contrasts, size=size)
        return make_volume(
            make,
            labels,
            means,
            noise,
            contrasts=self.contrasts,
            context=spec.context,
            batch_size=spec.batch_size,
            axis=spec.axis,
        )

    def generate(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Make images for a batch, 0 where contrasts are missing and, if the spec says so, outside the brain."""
        labels = batch["labels"]
        noise = torch.randn((len(labels), 1, *labels.shape[2:]), device=labels.device)
        made: torch.Tensor = network(labels, batch["frame"], batch["means"], noise)
        masked = made * batch["brain"][:, None] if self.spec.masked else made
        known = batch.get("available")
        return masked if known is None else masked * known.view(*known.shape, *[1] * (made.ndim - 2))

    def label_channels(self, batch: Batch) -> torch.Tensor:
        """One-hot labels of the slices or patches themselves, without neighbours."""
        labels = batch["labels"]
        return one_hot(self.grouped(labels[:, labels.shape[1] // 2][:, None]), self.hot)

    def batches(self, cohort: Cohort, seed: int) -> Callable[[int], Batch]:
        """Return slices or patches of training cases by step; cases that lack contrasts first, if the spec says so.

        Raises:
            CohortError: The second stage takes complete cases, and there are none.
        """
        batches, self._stages = self._sampler.staged(cohort, seed, self.steps)
        return batches

    def _built(self) -> LabelGenerator:
        """A network with fresh weights."""
        spec: ConditionalSpec = self.spec
        planes = 2 * spec.context + 1 if spec.dims == 2 else 1
        own = self.extras()
        extras = (*((Position(),) if spec.position else ()), *(() if own is None else (own,)))
        inputs = planes * self.hot + self.contrasts * spec.style + sum(_channels(extra) for extra in extras)
        return LabelGenerator(
            self.build(inputs, self.contrasts),
            self.classes,
            (len(self._means), self.contrasts),
            style=spec.style,
            span=SPAN if spec.output == "tanh" else None,
            extras=extras,
            groups=self._groups,
        )

    @property
    def _plane(self) -> tuple[int, ...]:
        """Axes that the network sees at once."""
        return tuple(axis for axis in range(3) if self.spec.dims == 3 or axis != self.spec.axis)

    def _noise(self, labels: LabelMap, rng: np.random.Generator) -> np.ndarray:
        """Noise of a volume, of variance 1; between slices it is smooth."""
        spec: ConditionalSpec = self.spec
        field = rng.standard_normal(labels.voxels.shape)
        if spec.dims == 2:
            field = ndimage.gaussian_filter1d(field, _NOISE_WIDTH, axis=spec.axis)
        scaled: np.ndarray = (field / max(float(field.std()), 1e-6)).astype(np.float32)
        return scaled

    def _score(self, fitting: Fitting) -> Callable[[nn.Module], float] | None:
        """Score on slices of the validation cohort, if there is one, each with its own case's style."""
        if fitting.validation is None or not len(fitting.validation):
            return None
        cases = (ref.load() for ref in fitting.validation)
        means = _means_of(Appearance.of(cases, self.knowledge.modalities, self.knowledge.scheme))
        return unseen_score(self._sampler.framed(fitting.validation, fitting.seed).batch, means, fitting.accelerator)

    def _member(self, rng: np.random.Generator) -> LabelGenerator:
        """The network, or any of the ensemble with the same chance."""
        place = int(rng.integers(len(self._earlier) + 1)) if len(self._earlier) else 0
        return self._network if place == 0 else cast("LabelGenerator", self._earlier[place - 1])

    def _measured_grain(self, network: nn.Module, fitting: Fitting) -> torch.Tensor:
        """Grain that the trained generator leaves out, from about eight slices a case."""
        cases, batches = len(self._means), self._sampler.styled(fitting.train, fitting.seed, plain=True)

        def make(batch: Batch) -> torch.Tensor:
            noise = torch.zeros((len(batch["labels"]), 1, *batch["labels"].shape[2:]))
            inputs = (batch["labels"], batch["frame"], batch["means"], noise)
            return inferred(network, inputs, fitting.accelerator) * batch["brain"][:, None]

        return measure_grain(batches, make, cases, min(GRAIN_BATCHES, -(-8 * cases // self.spec.batch_size)))

    def _measured_smoothing(self, network: nn.Module, fitting: Fitting) -> torch.Tensor:
        """Smoothing across slices that the trained generator needs, from volumes of some training cases."""
        with torch.random.fork_rng():
            seed_torch(fitting.seed, "smoothing")
            return torch.tensor(measure_widths(self._examples(network, fitting), self.spec.axis, self.contrasts))

    def _examples(self, network: nn.Module, fitting: Fitting) -> Iterator[Example]:
        """Evenly chosen training cases with a volume in their own style, as noisy as the scans."""
        spec: ConditionalSpec = self.spec
        make, rng = partial(inferred, network, accelerator=fitting.accelerator), stream(fitting.seed, "smoothing")
        grain = cast("LabelGenerator", network).grain.cpu().numpy()
        for place in np.unique(np.linspace(0, len(fitting.train) - 1, CASES).round().astype(int)):
            case = fitting.train.cases[place].load()
            labels = case.require_labels()
            images = self._volume(make, labels, self._means[place], self._noise(labels, rng))
            noise = rng.standard_normal(images.shape, dtype=np.float32)
            scans = [
                case.images[m].voxels if m in case.images else np.full(labels.voxels.shape, np.nan, np.float32)
                for m in self.knowledge.modalities
            ]
            yield Example(
                images + spec.grain * grain[place][:, None, None, None] * noise,
                np.stack(scans),
                labels.voxels,
                labels.lesion,
            )


def _channels(extra: nn.Module) -> int:
    """Channels that a module adds to the condition."""
    return int(getattr(extra, "channels"))  # noqa: B009 - nn.Module types attributes as tensors


def _means_of(appearance: Appearance) -> torch.Tensor:
    """Class means of every case, `(case, class, contrast)`."""
    return torch.stack([torch.from_numpy(appearance.own(n).means).float() for n in range(len(appearance.means))])
