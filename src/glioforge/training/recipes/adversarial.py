"""Generator against critic, in the open: which loss is weighed how, and who steps when.

One forward pass of the generator serves both players.  All gradients are
computed before anyone steps, so that a step that is not finite leaves no trace.
Sources: Goodfellow et al. 2014; learning rates of two time scales: Heusel et
al. 2017, arXiv:1706.08500; penalty on the critic's slope at real images (R1):
Mescheder et al. 2018, arXiv:1801.04406, equation 9; taken now and then: Karras
et al. 2020, arXiv:1912.04958.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from glioforge.losses import (
    LossBalance,
    critic_loss,
    feature_matching_loss,
    generator_loss,
    regional_l1,
    right_shares,
    slope_penalty,
)
from glioforge.nn import low_pass
from glioforge.training import (
    RIGHT,
    Batch,
    Ema,
    Observation,
    OptimizerSpec,
    accumulated,
    build_optimizer,
    mean_over_processes,
    set_rate,
    synchronised,
    update_all,
)
from glioforge.training.recipes.adversarial_spec import AdversarialSpec

Generate = Callable[[nn.Module, Batch], torch.Tensor]
Condition = Callable[[Batch], torch.Tensor]
Terms = Callable[[torch.Tensor, Batch], Mapping[str, torch.Tensor]]
View = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
During = Callable[[Batch], AbstractContextManager[None]]
SLOPE_EVERY = 16
"""Steps between two penalties on the critic's slope; each then counts as many times."""


@final
@dataclass(frozen=True, eq=False)
class Companion:
    """A further network that is trained with the two players.

    Args:
        network: Whatever the generator's further losses look at.
        optimizer: Its optimiser.
        loss: Scalar of the network, the batch and the made images, which carry no gradient.
    """

    network: nn.Module
    optimizer: OptimizerSpec
    loss: Callable[[nn.Module, Batch, torch.Tensor], torch.Tensor]


@final
class Adversarial:
    """Recipe of a conditional generator and its critic; reads `images` and `brain` of a batch.

    Where contrasts may be missing it reads `available` too; `generate` makes them 0, as they are in the images.

    Args:
        generator: Called by `generate`.
        critic: Takes condition and image; gives scores by scale, and features by scale and layer.
        spec: Weights and optimisers.
        steps: Length of the schedules in steps.
        generate: Images that the generator makes for a batch.
        condition: What the critic sees with the image.
        terms: Further losses of the generator for its images and the batch, by name, weighted.
        view: What the critic sees of condition and image, real or made alike (random, differentiable).
        companion: A network trained with them.
        balance: Adapts the weights of the generator's losses at intervals; they are logged.
        kept: Further modules whose state belongs into checkpoints; not optimised.
        during: Context in which the gradients of a batch are computed, for networks that learn in stages.
        restarts: Step at which parts of the generator join: the average of its weights starts again there, so that
            it forgets their random start.
    """

    def __init__(  # noqa: PLR0913 - the parts of a recipe
        self,
        generator: nn.Module,
        critic: nn.Module,
        spec: AdversarialSpec,
        *,
        steps: int,
        generate: Generate,
        condition: Condition,
        terms: Terms | None = None,
        view: View | None = None,
        companion: Companion | None = None,
        balance: LossBalance | None = None,
        kept: Mapping[str, nn.Module] | None = None,
        during: During | None = None,
        restarts: int = 0,
    ) -> None:
        self._during, self._restarts = during, restarts
        self._generator, self._critic, self._spec, self._steps = generator, critic, spec, steps
        self._generate, self._condition = generate, condition
        self._terms, self._view, self._companion, self._balance = terms, view, companion, balance
        self._kept = {**(kept or {}), **({} if balance is None else {"balance": balance})}
        self._average = None if spec.ema is None else Ema(generator, spec.ema)
        self._generator_optimizer = build_optimizer(spec.generator, generator.parameters())
        self._critic_optimizer = build_optimizer(spec.critic, critic.parameters())
        self._companion_optimizer = (
            None if companion is None else build_optimizer(companion.optimizer, companion.network.parameters())
        )
        self._called: list[nn.Module] = []
        self.accumulate = 1

    @property
    def networks(self) -> nn.ModuleDict:
        """Generator, critic, and whatever else there is: the generator's average, a companion, what is kept."""
        average = {} if self._average is None else {"average": self._average}
        companion = {} if self._companion is None else {"companion": self._companion.network}
        return nn.ModuleDict(
            {"generator": self._generator, "critic": self._critic, **average, **companion, **self._kept}
        )

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for each network that learns."""
        players = {"generator": self._generator_optimizer, "critic": self._critic_optimizer}
        return players if self._companion_optimizer is None else {**players, "companion": self._companion_optimizer}

    def inference_network(self) -> nn.Module:
        """The generator's average if there is one, else the generator."""
        return self._generator if self._average is None else self._average.network

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Update every network once; returns every loss."""
        losses = self.differentiate(batch, step, fabric)
        update_all(list(self.optimizers.values()), list(losses.values()), fabric, self._spec.clip_norm)
        self.settle(step)
        return losses

    def differentiate(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Compute every gradient and update nothing yet; returns every loss, and their weights if they are balanced.

        The caller steps the optimisers, all or none, and then calls `settle`.
        """
        self._set_rates(step)
        if self._balance is not None:
            self._balance.begin(partial(mean_over_processes, fabric=fabric))
        whole = partial(self._differentiated, step=step, fabric=fabric)
        with nullcontext() if self._during is None else self._during(batch):
            return accumulated(whole, batch, self.accumulate, self.optimizers.values())

    def _differentiated(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Gradients of a batch, or of a part of one, added to those that are there."""
        generator, critic, *companion = self._synchronised(fabric)
        condition, real = self._condition(batch), batch["images"]
        with fabric.autocast():
            fake = self._generate(generator, batch)
        if step < self._spec.begins * self._steps:
            return self._without_critic(fake, batch, fabric)
        with fabric.autocast():
            seen = self._seen(torch.cat([condition] * 2), torch.cat([real, fake.detach().to(real.dtype)]))
            scores, features = critic(*seen)
        half = len(real)
        judged = [s[:half] for s in scores], [s[half:] for s in scores]
        loss_critic = critic_loss(*judged, self._spec.adversary)
        fabric.backward(loss_critic + self._slope(critic, condition, real, step))
        losses = {"critic": loss_critic, **self._companion_loss(companion, batch, fake, fabric)}
        real_features = [[f[:half].detach() for f in scale] for scale in features]
        terms = self._generator_terms(condition, fake, real_features, batch, fabric)
        weighted = terms if self._balance is None else self._balance(terms)
        fabric.backward(torch.stack(list(weighted.values())).sum())
        self._freeze(frozen=False)
        weights = {} if self._balance is None else self._balance.weights()
        right = dict(zip(RIGHT, right_shares(*judged, self._spec.adversary), strict=True))
        return {name: value.detach() for name, value in {**losses, **terms, **weights, **right}.items()}

    def _without_critic(self, fake: torch.Tensor, batch: Batch, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Gradients of the losses that need no critic."""
        with fabric.autocast():
            terms = self._plain_terms(fake, batch)
        fabric.backward(torch.stack(list(terms.values())).sum())
        return {name: value.detach() for name, value in terms.items()}

    def observe(self, batch: Batch) -> Observation:
        """Images of the inference network for a batch, with two draws of noise."""
        network = self.inference_network()
        return Observation(batch, self._generate(network, batch), self._generate(network, batch))

    def settle(self, step: int) -> None:
        """Follow the generator with its average, once the optimisers have stepped."""
        if self._average is not None:
            self._average.update(self._generator, step - self._restarts if step >= self._restarts else step)

    def _synchronised(self, fabric: Fabric) -> list[nn.Module]:
        """Generator, critic and companion as they are called in passes that train them."""
        if not self._called:
            companion = [] if self._companion is None else [self._companion.network]
            self._called = [synchronised(n, fabric) for n in (self._generator, self._critic, *companion)]
        return self._called

    def _set_rates(self, step: int) -> None:
        """Learning rates of this step; the critic's schedule starts when it joins."""
        joins = math.ceil(self._spec.begins * self._steps)
        set_rate(self._generator_optimizer, self._spec.generator, step, self._steps)
        set_rate(self._critic_optimizer, self._spec.critic, max(step - joins, 0), max(self._steps - joins, 1))
        if self._companion is not None and self._companion_optimizer is not None:
            set_rate(self._companion_optimizer, self._companion.optimizer, step, self._steps)

    def _seen(self, condition: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Condition and image as the critic sees them."""
        return (condition, image) if self._view is None else self._view(condition, image)

    def _slope(self, critic: nn.Module, condition: torch.Tensor, real: torch.Tensor, step: int) -> torch.Tensor:
        """Penalty on the critic's slope, in the steps that take it; else 0."""
        if not self._spec.r1 or step % SLOPE_EVERY:
            return real.new_zeros(())
        return SLOPE_EVERY * self._spec.r1 / 2 * slope_penalty(critic, condition, real)

    def _companion_loss(
        self, companion: list[nn.Module], batch: Batch, fake: torch.Tensor, fabric: Fabric
    ) -> dict[str, torch.Tensor]:
        """Loss of the companion, already differentiated; nothing without one."""
        if self._companion is None:
            return {}
        with fabric.autocast():
            loss = self._companion.loss(companion[0], batch, fake.detach())
        fabric.backward(loss)
        return {"companion": loss}

    def _freeze(self, *, frozen: bool) -> None:
        """Keep gradients of the generator's losses out of the other networks."""
        self._critic.requires_grad_(not frozen)
        if self._companion is not None:
            self._companion.network.requires_grad_(not frozen)

    def _generator_terms(
        self,
        condition: torch.Tensor,
        fake: torch.Tensor,
        real_features: list[list[torch.Tensor]],
        batch: Batch,
        fabric: Fabric,
    ) -> dict[str, torch.Tensor]:
        """Weighted losses of the generator; the other networks are frozen for them."""
        spec = self._spec
        self._freeze(frozen=True)
        with fabric.autocast():
            scores, features = self._critic(*self._seen(condition, fake))
            plain = self._plain_terms(fake, batch)
        terms = {"adversarial": spec.adversarial * generator_loss(scores, spec.adversary), **plain}
        if spec.feature_matching:
            terms["feature_matching"] = spec.feature_matching * feature_matching_loss(
                features, real_features, spec.feature_difference
            )
        return terms

    def _plain_terms(self, fake: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        """Weighted losses that need no critic."""
        spec = self._spec
        terms = {} if self._terms is None else dict(self._terms(fake, batch))
        if spec.l1:
            fake, real = (low_pass(image.float(), spec.l1_low_pass) for image in (fake, batch["images"]))
            inside = batch["brain"] if spec.l1_over == "brain" else torch.ones_like(batch["brain"])
            terms["l1"] = spec.l1 * regional_l1(fake, real, inside, available=batch.get("available"))
        return terms
