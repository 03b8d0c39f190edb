"""Several processes train one model: each sees its share of the same batch."""

import os
from collections.abc import Mapping
from typing import Final

import torch
from lightning_fabric import Fabric
from torch import distributed, nn

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.training.batch_norm import synchronise_batch_norms

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
