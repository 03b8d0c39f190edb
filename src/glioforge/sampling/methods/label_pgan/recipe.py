"""Generator from noise against a critic of maps, both growing (Karras et al. 2018, arXiv:1710.10196).

The caller says how labels become the maps that the critic sees, and what it sees of a network's output
(`Encoding`), so that grey values and one-hot classes are trained alike.  Maps of classes have no gradient where they
are drawn; boundary seeking (Hjelm et al. 2018, arXiv:1702.08431, equations 8 and 9) teaches the generator by the
critic's scores of several draws instead.

All gradients are computed before anyone steps, so that a step that is not finite leaves no trace.
"""

from collections.abc import Mapping
from functools import partial
from typing import Literal, Protocol, final

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer

from glioforge.config import Spec
from glioforge.losses import (
    critic_loss,
    generator_loss,
    right_shares,
    slope_at_real,
    slope_between,
    wasserstein_critic_loss,
)
from glioforge.nn import Maps, ProgressiveCritic, ProgressiveGenerator
from glioforge.sampling.methods.label_pgan.growth import GrowthSpec, Moment, moment_of
from glioforge.training import (
    RIGHT,
    Batch,
    Ema,
    Observation,
    OptimizerSpec,
    accumulated,
    build_optimizer,
    set_rate,
    synchronised,
    update_all,
)

_PLAYER = OptimizerSpec(method="adam", learning_rate=1e-3, momentum=0.0, second_momentum=0.99, weight_decay=0)


class ProgressiveSpec(Spec):
    """Losses, optimisers and growth of a progressive training."""

    adversary: Literal["wasserstein", "logistic", "boundary_seeking"] = "wasserstein"
    """Wasserstein critic; log loss; or log loss with boundary seeking, for maps of drawn classes."""
    penalty: float = Field(10.0, ge=0)
    """Weight of the penalty on the critic's slope: between real and synthetic maps for `wasserstein`, else at real ones
    (half of gamma)."""
    penalty_every: int = Field(1, ge=1)
    """Steps between two penalties, whose weight rises by the same factor."""
    drift: float = Field(1e-3, ge=0)
    """Weight of the mean square of real scores, for `wasserstein`."""
    draws: int = Field(8, ge=2)
    """Maps drawn for each noise, for `boundary_seeking`."""
    generator: OptimizerSpec = _PLAYER
    """Optimiser of the generator."""
    critic: OptimizerSpec = _PLAYER
    """Optimiser of the critic."""
    fresh_optimizers: bool = True
    """Forget the optimisers' moments whenever a level begins to fade in or is in use whole."""
    ema: float = Field(0.999, ge=0, lt=1)
    """Decay of the average of the generator's weights, which is used for inference."""
    growth: GrowthSpec = GrowthSpec()
    """When levels are added, and how large batches are."""


class Encoding(Protocol):
    """What a critic sees of labels and of a generator's output."""

    def real(self, labels: torch.Tensor, moment: Moment) -> Maps:
        """Maps of real labels `(b, ...)` at the level in use, faded as the generator's are."""
        ...

    def shown(self, made: Maps, *, whole: bool) -> Maps:
        """Maps that the critic sees of a generator's output; `whole` where no level fades in."""
        ...

    def weighed(self, maps: Maps) -> Maps:
        """What the critic sees of drawn classes, one-hot."""
        ...

    def classes(self, made: Maps) -> torch.Tensor:
        """Class of each pixel, `(b, ...)`, at full size."""
        ...


@final
class Progressive:
    """Recipe of a growing generator and its critic; reads `labels` and `condition` of a batch.

    Args:
        generator: Maps for noise and condition.
        critic: A score for maps and condition.
        spec: Losses, optimisers and growth.
        encoding: What the critic sees.
        latent: Numbers of noise.
        steps: Length of the schedules in steps.
    """

    def __init__(
        self,
        generator: ProgressiveGenerator,
        critic: ProgressiveCritic,
        spec: ProgressiveSpec,
        *,
        encoding: Encoding,
        latent: int,
        steps: int,
    ) -> None:
        self._generator, self._critic, self._spec, self._steps = generator, critic, spec, steps
        self._encoding, self._latent = encoding, latent
        self._average = Ema(generator, spec.ema)
        self._optimizers = {
            "generator": build_optimizer(spec.generator, generator.parameters()),
            "critic": build_optimizer(spec.critic, critic.parameters()),
        }
        self._called: list[nn.Module] = []
        self.accumulate = 1

    @property
    def networks(self) -> nn.ModuleDict:
        """Generator, critic, and the generator's average."""
        return nn.ModuleDict({"generator": self._generator, "critic": self._critic, "average": self._average})

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for each player."""
        return self._optimizers

    def inference_network(self) -> nn.Module:
        """The generator's average, at the level that was reached."""
        return self._average.network

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Grow where it is time, then update both players once; returns their losses."""
        if not self._called:
            self._called = [synchronised(network, fabric) for network in (self._generator, self._critic)]
        moment = self._grow(step)
        for name, spec in (("generator", self._spec.generator), ("critic", self._spec.critic)):
            set_rate(self._optimizers[name], spec, step, self._steps)
        whole = partial(self._differentiated, moment=moment, step=step, fabric=fabric)
        losses = accumulated(whole, batch, self.accumulate, self._optimizers.values())
        update_all(list(self._optimizers.values()), list(losses.values()), fabric)
        self._average.update(self._generator, step)
        return losses

    def observe(self, batch: Batch) -> Observation:
        """Return the classes that the inference network makes, with two draws of noise."""
        made, again = (self._encoding.classes(self._made(batch)) for _ in range(2))
        seen = {"images": batch["labels"][:, None].float(), "brain": batch["labels"] > 0}
        return Observation(seen, made[:, None].float(), again[:, None].float())

    def _made(self, batch: Batch) -> Maps:
        """What the inference network makes for a batch."""
        maps: torch.Tensor = self._average.network(self._noise(batch), batch["condition"])
        return maps

    def _noise(self, batch: Batch) -> torch.Tensor:
        """Draw from torch's global generator."""
        return torch.randn((len(batch["labels"]), self._latent), device=batch["labels"].device)

    def _grow(self, step: int) -> Moment:
        """Use the levels that belong to the step."""
        growth, levels = self._spec.growth, self._generator.levels
        moment = moment_of(growth, levels, step)
        for network in (self._generator, self._critic):
            network.grow_to(moment.grown)
        begins = step > 0 and moment_of(growth, levels, step - 1).phase != moment.phase
        if begins and self._spec.fresh_optimizers:
            for optimizer in self._optimizers.values():
                optimizer.state.clear()
        return moment

    def _differentiated(self, batch: Batch, moment: Moment, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Gradients of a batch, or of a part of one, added to those that are there."""
        generator, critic = self._called
        condition, whole = batch["condition"], moment.grown == moment.level
        real = self._encoding.real(batch["labels"], moment)
        with fabric.autocast():
            made = generator(self._noise(batch), condition)
            fake = self._shown(made, whole)
            judged = critic(real, condition), critic(fake.detach(), condition)
        loss = self._critic_loss(*judged)
        penalty = self._penalty(real, fake, condition) if step % self._spec.penalty_every == 0 else None
        fabric.backward(loss if penalty is None else loss + penalty)
        # The generator's gradient must not reach the critic's weights.
        self._critic.requires_grad_(False)
        with fabric.autocast():
            taught = self._generator_loss(made, fake, condition)
        fabric.backward(taught)
        self._critic.requires_grad_(True)
        losses = {"critic": loss.detach(), "adversarial": taught.detach()}
        if self._spec.adversary == "wasserstein":
            return losses
        right = right_shares([judged[0]], [judged[1]], "vanilla")
        return {**losses, **dict(zip(RIGHT, right, strict=True))}

    def _shown(self, made: Maps, whole: bool) -> Maps:  # noqa: FBT001 - passed on
        """What the critic sees: one draw of the classes where the boundary is sought."""
        if self._spec.adversary != "boundary_seeking":
            return self._encoding.shown(made, whole=whole)
        return self._encoding.weighed(self._drawn(made.detach(), 1))

    def _critic_loss(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        if self._spec.adversary == "wasserstein":
            return wasserstein_critic_loss(real, fake, self._spec.drift)
        return critic_loss([real], [fake], "vanilla")

    def _penalty(self, real: Maps, fake: Maps, condition: torch.Tensor) -> torch.Tensor:
        """Weighted penalty on the critic's slope."""

        def scored(maps: torch.Tensor) -> torch.Tensor:
            score: torch.Tensor = self._critic(maps, condition)
            return score

        weight = self._spec.penalty * self._spec.penalty_every
        if self._spec.adversary == "wasserstein":
            return weight * slope_between(scored, real, fake)
        return weight * slope_at_real(scored, real)

    def _generator_loss(self, made: Maps, fake: Maps, condition: torch.Tensor) -> torch.Tensor:
        if self._spec.adversary == "boundary_seeking":
            return self._boundary_loss(made, condition)
        score = self._critic(fake, condition)
        return -score.float().mean() if self._spec.adversary == "wasserstein" else generator_loss([score], "vanilla")

    def _boundary_loss(self, made: Maps, condition: torch.Tensor) -> torch.Tensor:
        """Log probability of several draws, weighed by how real the critic takes each of them for."""
        count = self._spec.draws
        drawn = self._drawn(made.detach(), count)
        with torch.no_grad():
            scores = self._critic(self._encoding.weighed(drawn), condition.repeat(count, 1)).float().view(count, -1)
        logs = functional.log_softmax(made.float(), dim=1).repeat(count, *[1] * (made.ndim - 1))
        probable = (drawn * logs).flatten(1).sum(dim=1).view(count, -1)
        return -(scores.softmax(dim=0) * probable).sum(dim=0).mean() / made[0, 0].numel()

    @staticmethod
    def _drawn(made: Maps, count: int) -> Maps:
        """Draw the class of each pixel from its probability, one-hot, `count` times the batch."""
        probabilities = made.float().softmax(dim=1).movedim(1, -1)
        shape = probabilities.shape
        index = torch.multinomial(probabilities.reshape(-1, shape[-1]), count, replacement=True)
        hot = functional.one_hot(index.T.reshape(count * shape[0], *shape[1:-1]), shape[-1])
        return hot.movedim(-1, 1).to(made.dtype)
