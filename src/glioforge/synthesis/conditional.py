"""Base of all synthesizers with a network conditioned on labels; a method adds its network and its losses.

Four parts make a method: the condition (`condition`: labels to channels), the
network (`build`), the passes (`passes`: noise to images in one call or several),
and the finish (`synthesis.finish`: shifts, smoothing, grain, ensemble).  Each has
a default that the settings decide, and may be replaced by a method.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from glioforge.compute import AcceleratorSpec, seed_torch, start
from glioforge.core import Cohort, LabelMap
from glioforge.data import steps_of_an_epoch
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.condition import Condition
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.synthesis.finish import Ensemble, Finish
from glioforge.synthesis.label_generator import LabelGenerator
from glioforge.synthesis.method import Images, Knowledge, Method
from glioforge.synthesis.painter import Painter
from glioforge.synthesis.passes import OnePass, Passes
from glioforge.synthesis.style_spread import drawn_style
from glioforge.synthesis.styled_batches import Batch, StyledBatches
from glioforge.synthesis.unseen_score import unseen_score
from glioforge.training import Fitting, Outcome, inferred, train

if TYPE_CHECKING:
    from glioforge.training import Recipe

__all__ = ["SPAN", "Batch", "ConditionalMethod"]

SPAN = 5.0
"""Largest absolute z-score that tanh reaches."""


class ConditionalMethod(Method, ABC):
    """A network that makes images from labels, slice by slice or patch by patch."""

    def __init__(self, spec: ConditionalSpec, knowledge: Knowledge) -> None:
        super().__init__(spec, knowledge)
        self.classes, self.contrasts = len(knowledge.scheme.labels), len(knowledge.modalities)
        self.steps = spec.budget.steps
        self._stages = ""
        self._sampler = StyledBatches(spec, knowledge.modalities, _means_of(knowledge.appearance))
        self._finish = Finish(Painter(spec, self.contrasts, self.passes.channels))
        self._ensemble = Ensemble([self._built() for _ in range(spec.ensemble)])

    @abstractmethod
    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """Generator with fresh weights from torch's global generator.

        Args:
            inputs: Channels of the condition `(b, inputs, *grid)`, its first argument; the second is noise
                `(b, 1, *grid)`, which it may leave alone. Other `passes` may call it otherwise.
            contrasts: Channels of its images `(b, contrasts, *grid)`; any grid must be taken.
        """

    @abstractmethod
    def recipe(self, network: Any, steps: int) -> "Recipe":  # noqa: ANN401 - a `LabelGenerator`
        """Losses and optimisers for a network (a `LabelGenerator`), over this many steps."""

    def condition(self) -> Condition:
        """What the network is shown, with fresh extras; a method may `replace` parts of it."""
        return Condition.of(self.spec, self.classes, self.contrasts)

    @property
    def passes(self) -> Passes:
        """How noise becomes images; one call of the network unless a method says otherwise."""
        return OnePass()

    def before_training(self, network: Any, fitting: Fitting) -> None:  # noqa: ANN401 - a `LabelGenerator`
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
        return self._ensemble.network

    def fit(self, fitting: Fitting) -> Outcome:
        """Train the network; then measure grain and smoothing, and the score on unseen subjects."""
        spec: ConditionalSpec = self.spec
        seed_torch(fitting.seed, "weights")
        network = self._ensemble.members[0] = self._built()
        self.before_training(network, fitting)
        budget = spec.trained_budget.in_steps(lambda: self.epoch(fitting.train))
        self.steps = budget.steps
        recipe = self.recipe(network, budget.steps)
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
        network.load_state_dict(recipe.inference_network().state_dict())
        self._ensemble.take_snapshots(fitting.folder)
        self._finish.measure(self._ensemble.members, self._sampler, fitting)
        if score is not None:
            outcome = replace(outcome, best_score=score(network.eval()))
        self.network.cpu().eval()
        return outcome

    def epoch(self, train: Cohort) -> int:
        """Count the steps of a pass over the training slices, or cases; with mixed axes over those of all three."""
        spec: ConditionalSpec = self.spec
        axes: tuple[int | None, ...] = (0, 1, 2) if spec.mix_axes else (spec.axis if spec.dims == 2 else None,)
        only = spec.lesion_share == 1
        counted = partial(steps_of_an_epoch, lesions_only=only, slab=spec.slab)
        return sum(counted(train, spec.batch_size, axis=axis) for axis in axes)

    def images(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:
        """A volume with one style and one noise field."""
        style = drawn_style(self.knowledge, self.spec.jitter, self.spec.style_width, rng)
        member = self._ensemble.draw(rng)
        move = self._finish.move(rng)
        moved, painter = move.there(labels), self._finish.painter
        means, noise = torch.from_numpy(style.means).float(), painter.noise(moved, rng)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**63 - 1)))
            made = painter.paint(partial(inferred, member, accelerator=accelerator), moved, means, noise)
        return self._finish.finished(move.back(made), labels, member, rng)

    def generate(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Make images for a batch, 0 where contrasts are missing and, if the spec says so, outside the brain."""
        labels = batch["labels"]
        noise = torch.randn((len(labels), self.passes.channels, *labels.shape[2:]), device=labels.device)
        made: torch.Tensor = network(labels, batch["frame"], batch["means"], noise)
        masked = made * batch["brain"][:, None] if self.spec.masked else made
        known = batch.get("available")
        return masked if known is None else masked * known.view(*known.shape, *[1] * (made.ndim - 2))

    def label_channels(self, batch: Batch) -> torch.Tensor:
        """One-hot labels of the slices or patches themselves, without neighbours."""
        return self._ensemble.members[0].condition.middle(batch["labels"])

    def batches(self, cohort: Cohort, seed: int) -> Callable[[int], Batch]:
        """Return slices or patches of training cases by step; cases that lack contrasts first, if the spec says so.

        Raises:
            CohortError: The second stage takes complete cases, and there are none.
        """
        batches, self._stages = self._sampler.staged(cohort, seed, self.steps)
        return batches

    def _built(self) -> LabelGenerator:
        """A network with fresh weights."""
        condition = self.condition()
        generator = self.build(condition.channels, self.contrasts)
        span = SPAN if self.spec.output == "tanh" else None
        return LabelGenerator(generator, condition, len(self._sampler.means), span=span, passes=self.passes)

    def _score(self, fitting: Fitting) -> Callable[[nn.Module], float] | None:
        """Score on slices of the validation cohort, if there is one, each with its own case's style."""
        if fitting.validation is None or not len(fitting.validation):
            return None
        cases = (ref.load() for ref in fitting.validation)
        means = _means_of(Appearance.of(cases, self.knowledge.modalities, self.knowledge.scheme))
        batches = self._sampler.framed(fitting.validation, fitting.seed).batch
        return unseen_score(batches, means, fitting.accelerator, channels=self.passes.channels)


def _means_of(appearance: Appearance) -> torch.Tensor:
    """Class means of every case, `(case, class, contrast)`."""
    return torch.stack([torch.from_numpy(appearance.own(n).means).float() for n in range(len(appearance.means))])
