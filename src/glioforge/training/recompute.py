"""Stages of a network whose activations are computed again on the way back, instead of being kept.

Source: Chen et al. 2016, arXiv:1604.06174.  What is computed again must be what
was computed: random numbers are drawn again alike, batch norm takes its
statistics from the same input, and what a pass changes in buffers (running
statistics, vectors of spectral norm) is not changed a second time.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.utils.checkpoint import checkpoint

from glioforge.core import SpecError
from glioforge.training.step import Buffers


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
