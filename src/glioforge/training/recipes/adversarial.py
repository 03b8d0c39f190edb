"""Generator against critic, in the open: which loss is weighed how, and who steps when.

One forward pass of the generator serves both players.  Both gradients are
computed before either steps, so that a step that is not finite leaves no trace.
Sources: Goodfellow et al. 2014; learning rates of two time scales: Heusel et
al. 2017, arXiv:1706.08500.
"""

from collections.abc import Callable, Mapping
from typing import final

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from glioforge.config.spec import Spec
from glioforge.losses.adversarial import Adversary, critic_loss, generator_loss
from glioforge.losses.feature_matching import feature_matching_loss
from glioforge.losses.regional import regional_l1
from glioforge.nn.low_pass import low_pass
from glioforge.training.ema import Ema
from glioforge.training.optimizer import OptimizerSpec, build_optimizer, set_rate
from glioforge.training.parallel import synchronised
from glioforge.training.stability import update_all

Batch = Mapping[str, torch.Tensor]
Generate = Callable[[nn.Module, Batch], torch.Tensor]
Condition = Callable[[Batch], torch.Tensor]


class AdversarialSpec(Spec):
    """Weights of the losses, and the two optimisers."""

    adversary: Adversary = "hinge"
    """Form of the adversarial loss."""
    adversarial: float = Field(1.0, ge=0)
    """Weight of the generator's adversarial loss."""
    feature_matching: float = Field(10.0, ge=0)
    """Weight of feature matching."""
    l1: float = Field(0.0, ge=0)
    """Weight of the absolute difference inside the brain."""
    l1_low_pass: int = Field(0, ge=0)
    """Binomial blurs of both images before that difference: 0 compares every voxel; more leave fine texture to the
    critic, for noise can't be predicted."""
    generator: OptimizerSpec = OptimizerSpec(method="adam", learning_rate=1e-4, weight_decay=0, momentum=0)
    """Optimiser of the generator."""
    critic: OptimizerSpec = OptimizerSpec(method="adam", learning_rate=4e-4, weight_decay=0, momentum=0)
    """Optimiser of the critic."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest L2 norm of each player's gradient; none leaves it."""
    ema: float | None = Field(None, ge=0, lt=1)
    """Decay of the average of the generator's weights used for inference; none uses the weights themselves."""


@final
class Adversarial:
    """Recipe of a conditional generator and its critic; reads `images` and `brain` of a batch.

    Args:
        generator: Called by `generate`.
        critic: Takes condition and image; gives scores by scale, and features by scale and layer.
        spec: Weights and optimisers.
        steps: Length of the schedules in steps.
        generate: Images that the generator makes for a batch.
        condition: What the critic sees beside the image.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        spec: AdversarialSpec,
        *,
        steps: int,
        generate: Generate,
        condition: Condition,
    ) -> None:
        self._generator, self._critic, self._spec, self._steps = generator, critic, spec, steps
        self._generate, self._condition = generate, condition
        self._average = None if spec.ema is None else Ema(generator, spec.ema)
        self._generator_optimizer = build_optimizer(spec.generator, generator.parameters())
        self._critic_optimizer = build_optimizer(spec.critic, critic.parameters())
        self._called: tuple[nn.Module, nn.Module] | None = None

    @property
    def networks(self) -> nn.ModuleDict:
        """Generator, critic, and the generator's average if there is one."""
        average = {} if self._average is None else {"average": self._average}
        return nn.ModuleDict({"generator": self._generator, "critic": self._critic, **average})

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for each player."""
        return {"generator": self._generator_optimizer, "critic": self._critic_optimizer}

    def inference_network(self) -> nn.Module:
        """The generator's average if there is one, else the generator."""
        return self._generator if self._average is None else self._average.network

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Update both players once; returns every loss."""
        if self._called is None:
            self._called = synchronised(self._generator, fabric), synchronised(self._critic, fabric)
        generator, critic = self._called
        set_rate(self._generator_optimizer, self._spec.generator, step, self._steps)
        set_rate(self._critic_optimizer, self._spec.critic, step, self._steps)
        condition, real = self._condition(batch), batch["images"]
        with fabric.autocast():
            fake = self._generate(generator, batch)
            scores, features = critic(torch.cat([condition] * 2), torch.cat([real, fake.detach().to(real.dtype)]))
        half = len(real)
        loss_critic = critic_loss([s[:half] for s in scores], [s[half:] for s in scores], self._spec.adversary)
        fabric.backward(loss_critic)
        real_features = [[f[:half].detach() for f in scale] for scale in features]
        terms = self._generator_terms(condition, fake, real_features, batch, fabric)
        loss_generator = torch.stack(list(terms.values())).sum()
        fabric.backward(loss_generator)
        self._critic.requires_grad_(True)
        update_all(list(self.optimizers.values()), [loss_generator, loss_critic], fabric, self._spec.clip_norm)
        if self._average is not None:
            self._average.update(self._generator, step)
        return {"critic": loss_critic.detach(), **{name: term.detach() for name, term in terms.items()}}

    def _generator_terms(
        self,
        condition: torch.Tensor,
        fake: torch.Tensor,
        real_features: list[list[torch.Tensor]],
        batch: Batch,
        fabric: Fabric,
    ) -> dict[str, torch.Tensor]:
        """Weighted losses of the generator; the critic is frozen for them."""
        spec = self._spec
        self._critic.requires_grad_(False)
        with fabric.autocast():
            scores, features = self._critic(condition, fake)
        terms = {"adversarial": spec.adversarial * generator_loss(scores, spec.adversary)}
        if spec.feature_matching:
            terms["feature_matching"] = spec.feature_matching * feature_matching_loss(features, real_features)
        if spec.l1:
            fake, real = (low_pass(image.float(), spec.l1_low_pass) for image in (fake, batch["images"]))
            terms["l1"] = spec.l1 * regional_l1(fake, real, batch["brain"])
        return terms
