"""A batch too large for the device, taken part by part: the gradients are those of the whole.

Equal within float rounding where a loss is a mean over samples and no layer
looks at the batch; batch norm sees each part alone, and a Dice over the batch
becomes the mean of the parts' Dice.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch.optim import Optimizer

from glioforge.core import SpecError

Batch = Mapping[str, torch.Tensor]


@runtime_checkable
class Accumulating(Protocol):
    """A recipe that can take its batches in parts."""

    accumulate: int


def set_parts(recipe: object, count: int) -> None:
    """Tell a recipe into how many parts it shall cut its batches.

    Raises:
        SpecError: More than one, and the recipe cannot.
    """
    if isinstance(recipe, Accumulating):
        recipe.accumulate = count
    elif count > 1:
        raise SpecError(
            f"budget.accumulate {count}", "1, because this method takes its batches whole", "make batches smaller"
        )


def accumulated(
    differentiate: Callable[[Batch], Mapping[str, torch.Tensor]],
    batch: Batch,
    count: int,
    optimizers: Iterable[Optimizer],
) -> dict[str, torch.Tensor]:
    """Leave the mean of the parts' gradients in the weights; give the mean of their scalars.

    Args:
        differentiate: Adds a part's gradients to those that are there.
        batch: The whole batch.
        count: Number of parts.
        optimizers: Those whose gradients `differentiate` computes.

    Raises:
        SpecError: The batch cannot be cut into that many equal parts.
    """
    rows = [dict(differentiate(part)) for part in parts_of(batch, count)]
    if count == 1:
        return rows[0]
    weights = (p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"])
    gradients = [p.grad for p in weights if p.grad is not None]
    if gradients:
        torch._foreach_mul_(gradients, 1 / count)
    return {name: torch.stack([row[name].detach() for row in rows]).mean(0) for name in rows[0]}


def parts_of(batch: Batch, count: int) -> list[dict[str, torch.Tensor]]:
    """Equal parts along the first axis.

    Raises:
        SpecError: There is no number of samples that each part could have.

    Example:
        >>> [part["images"].tolist() for part in parts_of({"images": torch.arange(4)}, 2)]
        [[0, 1], [2, 3]]
    """
    size = len(next(iter(batch.values())))
    if size % count:
        raise SpecError(
            f"a batch of {size} to be cut into {count} parts",
            "equal parts",
            "make batch_size a multiple of budget.accumulate, in each process",
        )
    share = size // count
    return [{name: value[n * share : (n + 1) * share] for name, value in batch.items()} for n in range(count)]
