"""Several processes train one model: each sees its share of the same batch.

Batch norm takes the samples of all processes, as if one process held the whole batch.
torch's own `SyncBatchNorm` runs on GPUs only; this is the same on any device,
with equal shares of the batch in each process.  Modules and the names of their
weights stay as they are.

Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1, with the mean over
processes inside each expectation.
"""

import os
from collections.abc import Mapping
from functools import partial
from typing import Final, final

import torch
from lightning_fabric import Fabric
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from glioforge.compute import AcceleratorSpec

_RANKS: Final = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
"""Variables by which launchers number the processes of a training; the first process has 0 in all of them."""


def leads(accelerator: AcceleratorSpec) -> bool:
    """Return whether this process writes the results: the only one, or the first of several, joined yet or not."""
    return accelerator.devices * accelerator.nodes == 1 or all(os.environ.get(name, "0") == "0" for name in _RANKS)


def meet() -> None:
    """Wait until all processes of a training have come here; nothing to wait for in a single one."""
    if distributed.is_initialized():
        distributed.barrier()


def share(batch: Mapping[str, torch.Tensor], fabric: Fabric) -> dict[str, torch.Tensor]:
    """This process's samples of a batch, on its device: every `world_size`-th one.

    With equal shares the mean of the processes' gradients is the whole batch's.
    """
    return {
        name: value[fabric.global_rank :: fabric.world_size].to(fabric.device, non_blocking=True)
        for name, value in batch.items()
    }


def averaged(scalars: Mapping[str, torch.Tensor], fabric: Fabric) -> dict[str, float]:
    """A step's scalars as plain numbers, the same in every process: their mean."""
    if fabric.world_size == 1 or not scalars:
        return {name: float(value) for name, value in scalars.items()}
    together = torch.stack([value.detach().float() for value in scalars.values()])
    mean = torch.as_tensor(fabric.all_reduce(together, reduce_op="mean"))
    return dict(zip(scalars, mean.tolist(), strict=True))


def synchronised(network: nn.Module, fabric: Fabric) -> nn.Module:
    """The network as it must be called in a pass whose gradients train it.

    One process: the network itself.  Several: a wrapper that averages
    gradients, with batch norms that see the samples of all processes.
    """
    if fabric.world_size == 1:
        return network
    synchronise_batch_norms(network, fabric.world_size)
    return fabric.setup_module(network)


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
