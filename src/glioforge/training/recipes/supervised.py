"""One network, one loss, one optimiser: segmenters and regressions."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from glioforge.training import (
    Batch,
    Ema,
    OptimizerSpec,
    accumulated,
    build_optimizer,
    set_rate,
    synchronised,
    update_all,
)

Call = Callable[[nn.Module, Batch], torch.Tensor]
Loss = Callable[[torch.Tensor, Batch], torch.Tensor]


@final
class Supervised:
    """Recipe that lowers `loss(network(batch[inputs]), batch)`.

    Args:
        network: Takes `batch[inputs]`.
        loss: Scalar of the network's float32 output and the whole batch.
        optimizer: Optimiser and schedule.
        steps: Length of the schedule in steps.
        inputs: Name of the network's input in a batch.
        call: How the network is called on a batch, where one input isn't enough.
        clip_norm: Largest L2 norm of the gradient; none leaves it.
        ema: Decay of an average of the weights that is used for inference; none uses the weights themselves.
    """

    def __init__(  # noqa: PLR0913 - the parts of a recipe
        self,
        network: nn.Module,
        loss: Loss,
        optimizer: OptimizerSpec,
        *,
        steps: int,
        inputs: str = "images",
        call: Call | None = None,
        clip_norm: float | None = 12.0,
        ema: float | None = None,
    ) -> None:
        self._network, self._loss, self._spec = network, loss, optimizer
        self._steps, self._clip_norm = steps, clip_norm
        self._call: Call = call or (lambda network, batch: network(batch[inputs]))
        self._average = None if ema is None else Ema(network, ema)
        self._called: nn.Module | None = None
        self.accumulate = 1
        self._optimizer = build_optimizer(optimizer, network.parameters())

    @property
    def networks(self) -> nn.ModuleDict:
        """The network, and its average if there is one."""
        average = {} if self._average is None else {"average": self._average}
        return nn.ModuleDict({"network": self._network, **average})

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """The one optimiser."""
        return {"network": self._optimizer}

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Forward, backward, update; returns the loss."""
        if self._called is None:
            self._called = synchronised(self._network, fabric)
        set_rate(self._optimizer, self._spec, step, self._steps)
        told = accumulated(partial(self._differentiated, fabric=fabric), batch, self.accumulate, [self._optimizer])
        update_all([self._optimizer], list(told.values()), fabric, self._clip_norm)
        if self._average is not None:
            self._average.update(self._network, step)
        return told

    def _differentiated(self, batch: Batch, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Gradients of a batch, or of a part of one, added to those that are there."""
        network = self._network if self._called is None else self._called
        with fabric.autocast():
            output = self._call(network, batch)
        loss = self._loss(output.float(), batch)
        fabric.backward(loss)
        return {"loss": loss.detach()}

    def inference_network(self) -> nn.Module:
        """The average if there is one, else the network."""
        return self._network if self._average is None else self._average.network
