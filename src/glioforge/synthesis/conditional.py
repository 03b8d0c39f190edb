"""Bases of all synthesizers with a network conditioned on labels, alone or against a critic.

Four parts make a method: the condition (`condition`: labels to channels), the
network (`build`), the passes (`label_generator`: noise to images in one call or several),
and the finish (`synthesis.finish`: shifts, smoothing, grain, ensemble).  Each has
a default that the settings decide, and may be replaced by a method.

`AdversarialMethod` trains against a patch critic; a method adds its generator alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from glioforge.compute import AcceleratorSpec, seed_torch, start
from glioforge.core import Cohort, LabelMap
from glioforge.data import steps_of_an_epoch
from glioforge.losses import regional_l1
from glioforge.nn import MultiScaleCritic, Norm, Padding, gaussian, he, low_pass, xavier
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.condition import Condition
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.synthesis.finish import Ensemble, Finish
from glioforge.synthesis.label_generator import LabelGenerator, OnePass, Painter, Passes
from glioforge.synthesis.method import Images, Knowledge, Method
from glioforge.synthesis.style_spread import drawn_style
from glioforge.synthesis.styled_batches import Batch, StyledBatches
from glioforge.training import HOUSE_LOSSES, Adversarial, AdversarialSpec, Budget, Fitting, Outcome, inferred, train

__all__ = ["SPAN", "AdversarialMethod", "Batch", "ConditionalMethod"]

if TYPE_CHECKING:
    from glioforge.training import Recipe


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

    @staticmethod
    def draw_weights(network: nn.Module, way: Literal["xavier", "he", "gaussian"], scale: float = 1.0) -> None:
        """Draw a network's starting weights from torch's global generator; biases start at 0.

        Args:
            network: Its convolutions are drawn.
            way: Xavier's or He's normal weights, or normal ones of any width.
            scale: Gain of Xavier's, or standard deviation of `gaussian`; He's have neither.
        """
        if way == "he":
            he(network)
        else:
            {"xavier": xavier, "gaussian": gaussian}[way](network, scale)

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
        with self.making(rng):
            return self._volume(labels, rng, accelerator)

    def making(self, rng: np.random.Generator) -> AbstractContextManager[object]:  # noqa: ARG002 - for noise of a network's own
        """What holds while a volume is made, such as a dropout mask drawn for all of it; nothing by default."""
        return nullcontext()

    def _volume(self, labels: LabelMap, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Images:
        """A volume of the network that is drawn."""
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
        """Shares of the classes in slices or patches themselves, without neighbours: what the critic is shown."""
        return self._ensemble.members[0].condition.middle(batch["labels"])

    def batches(self, cohort: Cohort, seed: int) -> Callable[[int], Batch]:
        """Return slices or patches of training cases by step; cases that lack contrasts first, if the spec says so.

        Raises:
            CohortError: The second stage takes complete cases, and there are none.
        """
        batches, self._stages = self._sampler.staged(cohort, seed, self.steps)
        return lambda step: self.shown(batches(step), step)

    def shown(self, batch: Batch, step: int) -> Batch:  # noqa: ARG002 - for methods that learn in stages
        """The batch of a step as training sees it; as it was drawn unless a method changes it."""
        return batch

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


class CriticSpec(ConditionalSpec):
    """A network conditioned on labels, and the critic that it is trained against."""

    critic_width: int = Field(16, ge=1)
    """Channels of the critic's first layer."""
    critic_layers: int = Field(3, ge=2)
    """Convolutions of the critic before the score; 4 see patches of 70 voxels."""
    critic_scales: int = Field(2, ge=1)
    """Image sizes that are judged."""
    critic_norm: Norm = "instance"
    """Normalisation in the critic; real and synthetic images pass it in one batch, so batch norm mixes both."""
    critic_affine: bool = False
    """Learn a scale and a shift after the critic's instance norm: batch norm over a batch of one."""
    critic_padding: Padding = 2
    """Zeros around the inputs of the critic's convolutions: 2 as in SPADE and pix2pixHD, 1 as in pix2pix."""
    losses: AdversarialSpec = HOUSE_LOSSES
    """Weights of losses, and optimisers."""
    budget: Budget = Budget(steps=800, validate_every=100, checkpoint_every=200)
    """Length of the training."""

    def critic(self, channels: int, *, spectral: bool = True, stages: int = 0) -> MultiScaleCritic:
        """Build a critic with torch's default initialisation, from torch's global generator.

        Args:
            channels: Channels of condition and image together.
            spectral: Spectral norm of its convolutions.
            stages: Coarser stages of the training, as in `MultiScaleCritic`.
        """
        return MultiScaleCritic(
            channels,
            self.critic_width,
            self.critic_layers,
            scales=self.critic_scales,
            dims=self.dims,
            spectral=spectral,
            norm=self.critic_norm,
            affine=self.critic_affine,
            padding=self.critic_padding,
            stages=stages,
        )


class AdversarialMethod(ConditionalMethod, ABC):
    """A generator against a critic that sees labels and images."""

    def start(self, network: nn.Module) -> None:
        """Draw the starting weights of generator or critic; Xavier's unless a method says otherwise."""
        xavier(network, 1.0)

    def critic(self) -> MultiScaleCritic:
        """Return the critic with fresh weights."""
        spec: CriticSpec = self.spec
        critic = spec.critic(self.classes + self.contrasts)
        self.start(critic)
        return critic

    def terms(self, fake: torch.Tensor, batch: Batch) -> Mapping[str, torch.Tensor]:  # noqa: ARG002 - for methods with losses of their own
        """Further losses of the generator, weighted, by name; none unless a method has them."""
        return {}

    def stages(self, network: nn.Module, critic: MultiScaleCritic, steps: int) -> Mapping[str, Any]:  # noqa: ARG002 - for methods that learn in stages
        """Further arguments of `Adversarial`, for a generator or a critic that learns in stages."""
        return {}

    def recipe(self, network: nn.Module, steps: int) -> Adversarial:
        """Set the generator against a fresh critic."""
        critic = self.critic()
        return Adversarial(
            network,
            critic,
            self.spec.losses,
            steps=steps,
            generate=self.generate,
            condition=self.label_channels,
            terms=self.terms,
            **self.stages(network, critic, steps),
        )


Batches = Callable[[int], Mapping[str, torch.Tensor]]
BATCHES = 4
"""Batches of held-out subjects in a score."""


def unseen_score(
    batches: Batches, means: torch.Tensor, accelerator: AcceleratorSpec, *, channels: int = 1
) -> Callable[[nn.Module], float]:
    """Return a score of `LabelGenerator`s: minus the mean absolute difference inside the brain, in z-scores.

    Both images are set to 0 outside the brain and blurred slightly (`low_pass`, once) before they are compared.
    Contrasts that a case lacks do not count; a batch without brain scores 0.

    Args:
        batches: Slices or patches of the held-out subjects by number; the first ones are taken.
        means: Class means of each of their cases, `(case, class, contrast)`.
        accelerator: Device, precision and threads that images are made with.
        channels: Channels of the noise, which is 0 here.
    """
    drawn = [batches(number) for number in range(BATCHES)]

    def score(network: nn.Module) -> float:
        total = 0.0
        for batch in drawn:
            labels = batch["labels"]
            noise = torch.zeros((len(labels), channels, *labels.shape[2:]))
            inputs = (labels, batch["frame"], means[batch["case"]], noise)
            made = inferred(network, inputs, accelerator)
            blurred = low_pass(made * batch["brain"][:, None], 1)
            real, known = low_pass(batch["images"], 1), batch.get("available")
            total += float(regional_l1(blurred, real, batch["brain"], available=known))
        return -total / len(drawn)

    return score
