"""Batch norm over the samples of all processes, as if one process held the whole batch.

torch's own `SyncBatchNorm` runs on GPUs only; this is the same on any device,
with equal shares of the batch in each process.  Modules and the names of their
weights stay as they are.

Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1, with the mean over
processes inside each expectation.
"""

from functools import partial
from typing import final

import torch
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise_batch_norms(network: nn.Module, processes: int) -> None:
    """Have every batch norm of a network take its statistics over all processes when training."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.forward = partial(_forward, module, processes)  # type: ignore[method-assign]


def _forward(module: _BatchNorm, processes: int, x: torch.Tensor) -> torch.Tensor:
    """Normalise by the statistics of the whole batch and note them; in evaluation mode by those noted."""
    if not module.training:
        return type(module).forward(module, x)
    axes, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
    values = x.float()
    mean = _mean(values.mean(axes), processes)
    centred = values - mean.view(shape)
    variance = _mean(centred.square().mean(axes), processes)
    _note(module, mean.detach(), variance.detach(), processes * x.numel() // x.shape[1])
    made = centred * torch.rsqrt(variance + module.eps).view(shape)
    if module.affine:
        made = made * module.weight.view(shape) + module.bias.view(shape)
    return made.to(x.dtype)


@final
class _Sum(torch.autograd.Function):
    """Sum over processes, whose gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(_context: object, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: object, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total


def _mean(values: torch.Tensor, processes: int) -> torch.Tensor:
    """Mean over the processes."""
    total: torch.Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total / processes


def _note(module: _BatchNorm, mean: torch.Tensor, variance: torch.Tensor, count: int) -> None:
    """Move the running statistics towards those of this batch, the variance without bias."""
    if module.running_mean is None or module.running_var is None or module.num_batches_tracked is None:
        return
    module.num_batches_tracked.add_(1)
    rate = 1 / float(module.num_batches_tracked) if module.momentum is None else module.momentum
    module.running_mean.lerp_(mean.to(module.running_mean.dtype), rate)
    unbiased = variance * count / max(count - 1, 1)
    module.running_var.lerp_(unbiased.to(module.running_var.dtype), rate)
