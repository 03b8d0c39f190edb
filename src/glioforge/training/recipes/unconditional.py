"""Generator from noise against a critic of images alone (Goodfellow et al. 2014, arXiv:1406.2661).

Real and synthetic images pass the critic in batches of their own, as Radford et
al. 2016 (arXiv:1511.06434) do, so that batch norm does not mix their statistics.
All gradients are computed before anyone steps, so that a step that is not finite
leaves no trace.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from glioforge.losses.adversarial import critic_loss, generator_loss, right_shares
from glioforge.training.accumulate import accumulated
from glioforge.training.ema import Ema
from glioforge.training.observation import Observation
from glioforge.training.optimizer import build_optimizer, set_rate
from glioforge.training.parallel import synchronised
from glioforge.training.recipes.adversarial_spec import AdversarialSpec
from glioforge.training.stability import update_all
from glioforge.training.watch import RIGHT

Batch = Mapping[str, torch.Tensor]


@final
class Unconditional:
    """Recipe of a generator of noise and its critic; reads `images` of a batch, and `brain` to observe variety.

    Args:
        generator: Images for noise.
        critic: Scores for images, of any shape.
        spec: Form of the adversarial loss, optimisers, clipping and average; losses that need a condition are not read.
        steps: Length of the schedules in steps.
        noise: Noise for a batch, from torch's global generator, on the batch's device.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        spec: AdversarialSpec,
        *,
        steps: int,
        noise: Callable[[Batch], torch.Tensor],
    ) -> None:
        self._generator, self._critic, self._spec, self._steps, self._noise = generator, critic, spec, steps, noise
        self._average = None if spec.ema is None else Ema(generator, spec.ema)
        self._optimizers = {
            "generator": build_optimizer(spec.generator, generator.parameters()),
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
        """Update both players once; returns their losses."""
        if not self._called:
            self._called = [synchronised(network, fabric) for network in (self._generator, self._critic)]
        for name, spec in (("generator", self._spec.generator), ("critic", self._spec.critic)):
            set_rate(self._optimizers[name], spec, step, self._steps)
        whole = partial(self._differentiated, fabric=fabric)
        losses = accumulated(whole, batch, self.accumulate, self._optimizers.values())
        update_all(list(self._optimizers.values()), list(losses.values()), fabric, self._spec.clip_norm)
        if self._average is not None:
            self._average.update(self._generator, step)
        return losses

    def observe(self, batch: Batch) -> Observation:
        """Return images of the inference network, with two draws of noise."""
        network = self.inference_network()
        return Observation(batch, network(self._noise(batch)), network(self._noise(batch)))

    def _differentiated(self, batch: Batch, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Gradients of a batch, or of a part of one, added to those that are there."""
        generator, critic = self._called
        with fabric.autocast():
            fake = generator(self._noise(batch))
            judged = [critic(batch["images"])], [critic(fake.detach())]
        loss_critic = critic_loss(*judged, self._spec.adversary)
        fabric.backward(loss_critic)
        # The generator's gradient must not reach the critic's weights.
        self._critic.requires_grad_(False)
        with fabric.autocast():
            scores = [self._critic(fake)]
        loss = self._spec.adversarial * generator_loss(scores, self._spec.adversary)
        fabric.backward(loss)
        self._critic.requires_grad_(True)
        right = dict(zip(RIGHT, right_shares(*judged, self._spec.adversary), strict=True))
        return {"critic": loss_critic.detach(), "adversarial": loss.detach(), **right}
