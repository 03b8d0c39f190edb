"""Generator from noise against a critic of images alone (Goodfellow et al. 2014, arXiv:1406.2661).

Real and synthetic images pass the critic in batches of their own, as Radford et
al. 2016 (arXiv:1511.06434) do, so that batch norm does not mix their statistics.
All gradients are computed before anyone steps, so that a step that is not finite
leaves no trace.  Where the critic takes several steps for one of the generator
(Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1), each is a step of the training.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from glioforge.losses import critic_loss, generator_loss, right_shares, slope_at_real, slope_between
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
from glioforge.training.recipes.adversarial_spec import GanSpec, changed

ASKED = "findings"
"""Entry of a batch that both networks are also given, where it is there: what is asked of each image."""


@final
class Unconditional:
    """Recipe of a generator of noise and its critic; reads `images` of a batch, and `brain` to observe variety.

    Args:
        generator: Images for noise, and for `findings` where a batch has them.
        critic: Scores for images, of any shape; takes the findings too.
        spec: Form of the loss, critic's optimiser, and what keeps the critic smooth.
        optimizer: Optimiser of the generator.
        steps: Length of the schedules in steps.
        noise: Noise for a batch, from torch's global generator, on the batch's device.
        ema: Decay of the average of the generator's weights that is kept; none keeps the weights themselves.
    """

    def __init__(  # noqa: PLR0913 - the parts of a recipe
        self,
        generator: nn.Module,
        critic: nn.Module,
        spec: GanSpec,
        optimizer: OptimizerSpec,
        *,
        steps: int,
        noise: Callable[[Batch], torch.Tensor],
        ema: float | None = None,
    ) -> None:
        self._generator, self._critic, self._spec, self._steps, self._noise = generator, critic, spec, steps, noise
        self._average = None if ema is None else Ema(generator, ema)
        self._rates = {"generator": optimizer, "critic": spec.critic}
        self._optimizers = {
            "generator": build_optimizer(optimizer, generator.parameters()),
            "critic": build_optimizer(spec.critic, critic.parameters()),
        }
        self._called: list[nn.Module] = []
        self.accumulate = 1

    @property
    def networks(self) -> nn.ModuleDict:
        """Generator, critic, and the generator's average if there is one."""
        average = {} if self._average is None else {"average": self._average}
        return nn.ModuleDict({"generator": self._generator, "critic": self._critic, **average})

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for each player."""
        return self._optimizers

    def inference_network(self) -> nn.Module:
        """The generator's average if there is one, else the generator."""
        return self._generator if self._average is None else self._average.network

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Update the critic, and the generator whenever it is its turn; returns their losses."""
        if not self._called:
            self._called = [synchronised(network, fabric) for network in (self._generator, self._critic)]
        for name, spec in self._rates.items():
            set_rate(self._optimizers[name], spec, step, self._steps)
        both = (step + 1) % self._spec.critic_steps == 0
        players = [self._optimizers[name] for name in (("generator", "critic") if both else ("critic",))]
        due = step % self._spec.penalty_every == 0
        whole = partial(self._differentiated, fabric=fabric, both=both, due=due)
        losses = accumulated(whole, batch, self.accumulate, players)
        update_all(players, list(losses.values()), fabric, self._spec.clip_norm)
        self._clip()
        if self._average is not None and both:
            self._average.update(self._generator, step // self._spec.critic_steps)
        return losses

    def observe(self, batch: Batch) -> Observation:
        """Return images of the inference network, with two draws of noise."""
        network = self.inference_network()
        return Observation(batch, *(network(self._noise(batch), *_asked(batch)) for _ in range(2)))

    @torch.no_grad()
    def _clip(self) -> None:
        """Cut the critic's weights to the largest that the spec allows."""
        limit = self._spec.weight_clip
        if limit is not None:
            for parameter in self._critic.parameters():
                parameter.clamp_(-limit, limit)

    def _differentiated(self, batch: Batch, fabric: Fabric, *, both: bool, due: bool) -> dict[str, torch.Tensor]:
        """Gradients of a batch, or of a part of one, added to those that are there."""
        generator, critic = self._called
        asked, spec = _asked(batch), self._spec
        with fabric.autocast(), torch.set_grad_enabled(both):
            fake = generator(self._noise(batch), *asked)
        with fabric.autocast():
            real, made = changed(batch["images"], spec.augment), changed(fake.detach(), spec.augment)
            judged = [critic(real, *asked)], [critic(made, *asked)]
        loss_critic = critic_loss(*judged, spec.adversary)
        if due:
            loss_critic = loss_critic + spec.penalty_every * self._penalty(real, made, asked)
        fabric.backward(loss_critic)
        right = dict(zip(RIGHT, right_shares(*judged, spec.adversary), strict=True))
        told = {"critic": loss_critic.detach(), **right}
        if not both:
            return told
        # The generator's gradient must not reach the critic's weights.
        self._critic.requires_grad_(False)
        with fabric.autocast():
            scores = [self._critic(changed(fake, spec.augment), *asked)]
        loss = generator_loss(scores, spec.adversary)
        fabric.backward(loss)
        self._critic.requires_grad_(True)
        return {**told, "adversarial": loss.detach()}

    def _penalty(self, real: torch.Tensor, made: torch.Tensor, asked: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Weighted penalties on the critic's slope; 0 where none is asked for."""
        spec, total = self._spec, torch.zeros((), device=real.device)
        if spec.between:
            total = total + spec.between * slope_between(lambda x: self._critic(x, *asked), real, made)
        if spec.r1:
            total = total + spec.r1 / 2 * slope_at_real(lambda x: self._critic(x, *asked), real)
        return total


def _asked(batch: Batch) -> tuple[torch.Tensor, ...]:
    """What is asked of each image of a batch; nothing where it has no findings."""
    return (batch[ASKED],) if ASKED in batch else ()
