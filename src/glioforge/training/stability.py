"""No step may spoil the weights: updates happen only when loss and gradients are finite.

A recipe computes all its gradients first and hands every optimiser to
`update_all`, which either steps all of them or none.  What a skipped step left
in buffers (running statistics, spectral vectors) is put back by `Buffers`.
"""

from collections.abc import Sequence
from typing import final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer


@final
class NonFiniteError(ArithmeticError):
    """A loss or gradient of this step is NaN or infinite; nothing was updated."""


def update_all(
    optimizers: Sequence[Optimizer], losses: Sequence[torch.Tensor], fabric: Fabric, clip_norm: float | None = None
) -> None:
    """Clip gradients and step every optimiser, or none of them, and clear the gradients.

    Args:
        optimizers: Those whose gradients this step computed.
        losses: Scalars that were differentiated.
        fabric: Makes all processes decide alike.
        clip_norm: Largest L2 norm of an optimiser's gradients; none leaves them.

    Raises:
        NonFiniteError: A loss or a gradient is NaN or infinite.
    """
    norms = []
    for optimizer in optimizers:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        norms.append(norm)
        if clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, clip_norm, norm)
    finite = torch.isfinite(torch.stack([*(x.detach().float() for x in losses), *(n.float() for n in norms)])).all()
    finite = mean_over_processes(finite.float(), fabric) == 1
    try:
        if not bool(finite):
            raise NonFiniteError("loss or gradient is NaN or infinite")
        for optimizer in optimizers:
            optimizer.step()
    finally:
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)


def mean_over_processes(values: torch.Tensor, fabric: Fabric) -> torch.Tensor:
    """Mean of what each process has its own of, the same in all of them."""
    return values if fabric.world_size == 1 else torch.as_tensor(fabric.all_reduce(values, reduce_op="mean"))


def scale_rates(optimizers: Sequence[Optimizer], factor: float) -> None:
    """Multiply every learning rate, and the rate that schedules start from."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] *= factor
            if "base_rate" in group:
                group["base_rate"] *= factor


@final
class Buffers:
    """Buffers of networks as they were before a step.

    Args:
        networks: Their buffers are copied now.
    """

    def __init__(self, networks: nn.Module) -> None:
        self._saved = [(buffer, buffer.clone()) for buffer in networks.buffers()]

    def put_back(self) -> None:
        """Undo what happened to them since."""
        for buffer, saved in self._saved:
            buffer.copy_(saved)
