"""What a step of a training is made of: batches in parts, updates that stay finite, averaged weights, recomputation.

Gradients of a batch that is taken part by part are those of the whole, equal within float rounding where a loss is a
mean over samples and no layer looks at the batch; batch norm sees each part alone, and a Dice over the batch becomes
the mean of the parts' Dice.

No step may spoil the weights: updates happen only when loss and gradients are finite.  A recipe computes all its
gradients first and hands every optimiser to `update_all`, which either steps all of them or none.  What a skipped step
left in buffers (running statistics, spectral vectors) is put back by `Buffers`.

The exponential moving average of a network's weights is steadier than any single step (Polyak & Juditsky 1992; for
GANs Yazıcı et al. 2019, arXiv:1806.04498).  `torch.optim.swa_utils.AveragedModel` is not used: it copies the weights at
its first update and keeps a count of its own, where the rate here follows the step of the training, so that a resumed
run and its averages agree.

Activations of some stages may be computed again in the backward pass, instead of being kept: Chen et al. 2016,
arXiv:1604.06174.  What is computed again must be what was computed: random numbers are drawn again alike, batch norm
takes its statistics from the same input, and what a pass changes in buffers (running statistics, vectors of spectral
norm) is not changed a second time.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol, final, runtime_checkable

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

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


@final
class Ema(nn.Module):
    """A copy of a network whose weights follow the original's slowly.

    The rate starts low, `(1 + step) / (10 + step)`, so that the first random
    weights are soon forgotten.  Buffers are copied as they are.

    Args:
        network: Network to follow; copied.
        decay: Share of the old average kept in a step, in [0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards the network's present weights.

        Args:
            network: The network that was copied.
            step: Steps taken before this one.
        """
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        averages: list[torch.Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(averages, [p.detach() for p in network.parameters()], weight)
        for kept, current in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(current)

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        """Output of the averaged network."""
        output: torch.Tensor = self.network(*arguments)
        return output


def recompute_stages(networks: nn.ModuleDict) -> int:
    """Have every stage of every trained network computed again; give their number.

    A stage is a member of an outermost `nn.ModuleList`: that is where the
    networks keep their blocks.  Networks without gradients (averages) stay.

    Raises:
        SpecError: No trained network has stages.
    """
    stages = [stage for network in networks.values() for stage in _stages(network)]
    trained = [stage for stage in stages if any(p.requires_grad for p in stage.parameters())]
    if not trained:
        raise SpecError(
            "budget.checkpoint_activations with networks that have no stages to compute again",
            "blocks in an nn.ModuleList",
            "set it to false, or budget.accumulate to a higher number",
        )
    for stage in trained:
        stage.forward = partial(_recomputed, stage, stage.forward)
    return len(trained)


def _stages(module: nn.Module) -> Iterator[nn.Module]:
    """Members of the outermost lists."""
    for child in module.children():
        yield from child if isinstance(child, nn.ModuleList) else _stages(child)


def _recomputed(stage: nn.Module, forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:  # noqa: ANN401 - any stage's
    """Output of a stage, kept without what lies inside it."""
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, stage), **named)


def _contexts(stage: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Around the first pass nothing, around the second one buffers as the first one left them."""
    return nullcontext(), _second_pass(stage)


@contextmanager
def _second_pass(stage: nn.Module) -> Iterator[None]:
    """Keep buffers as they are, and spectral norms at the vectors that the first pass arrived at."""
    buffers = Buffers(stage)
    norms = [module for module in stage.modules() if isinstance(module, _SpectralNorm) and module.training]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True
        buffers.put_back()
