"""Several processes train one model: each sees its share of the same batch."""

from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch import nn

from glioforge.training.batch_norm import synchronise_batch_norms


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
