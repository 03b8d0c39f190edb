"""Optimisers and learning-rate schedules by spec.

Muon: an optimiser that gives every direction of a weight matrix a step of the same length.

The momentum of each matrix is replaced by the nearest matrix whose singular
values are about 1, found by a short iteration.  Rare directions, which Adam
hardly moves, learn as fast as common ones.  What has one axis, as norms and
biases, is left to Adam.

Sources: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural
networks" (iteration and its coefficients); Bernstein & Newhouse 2024,
arXiv:2409.20325 (why).  torch's own `Muon` takes parameters of two axes alone;
here a convolution's kernel `(out, in, *window)` counts as the matrix
`(out, in * window)`.
"""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import nn
from torch.optim import Optimizer
from torch.optim.adam import adam

from glioforge.config import Spec

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class OptimizerSpec(Spec):
    """Optimiser of one network."""

    method: Literal["adamw", "adam", "rmsprop", "sgd", "muon"] = "adamw"
    """AdamW (arXiv:1711.05101), Adam (arXiv:1412.6980), RMSprop (Tieleman & Hinton 2012, lecture 6.5), SGD with
    Nesterov momentum, or Muon for matrices with Adam for the rest (`training.optimizer`)."""
    learning_rate: float = Field(1e-3, gt=0)
    """Rate at the first step after the warm-up."""
    weight_decay: float = Field(1e-4, ge=0)
    """Decoupled for AdamW and Muon (matrices alone), an L2 penalty for the others."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """First-order averaging: beta 1 of Adam, momentum of SGD, RMSprop and Muon."""
    second_momentum: float = Field(0.999, ge=0, lt=1)
    """Beta 2 of Adam, the same of RMSprop; SGD has none."""
    schedule: Literal["constant", "constant_linear", "poly", "cosine"] = "constant"
    """`constant_linear` stays for half of the steps, then falls to 0 in a straight line (pix2pix and its heirs);
    `poly` falls as (1 - step / steps) ** 0.9 (nnU-Net), `cosine` as half a cosine."""
    warmup: int = Field(0, ge=0)
    """Steps over which the rate rises from near 0."""


def build_optimizer(spec: OptimizerSpec, parameters: "Iterable[nn.Parameter]") -> "Optimizer":
    """Make the optimiser; its groups keep `base_rate`, from which schedules start."""
    import torch

    common: dict[str, Any] = {"lr": spec.learning_rate, "weight_decay": spec.weight_decay}
    betas = (spec.momentum, spec.second_momentum)
    optimizer: Optimizer
    if spec.method == "sgd":
        optimizer = torch.optim.SGD(parameters, momentum=spec.momentum, nesterov=spec.momentum > 0, **common)
    elif spec.method == "adam":
        optimizer = torch.optim.Adam(parameters, betas=betas, **common)
    elif spec.method == "rmsprop":
        optimizer = torch.optim.RMSprop(parameters, alpha=spec.second_momentum, momentum=spec.momentum, **common)
    elif spec.method == "muon":
        optimizer = Muon(parameters, betas=betas, **common)
    else:
        optimizer = torch.optim.AdamW(parameters, betas=betas, **common)
    for group in optimizer.param_groups:
        group["base_rate"] = spec.learning_rate
    return optimizer


def set_rate(optimizer: "Optimizer", spec: OptimizerSpec, step: int, steps: int) -> None:
    """Set the rate for a step: a pure function of it, so that a resumed run has the same rates.

    Args:
        optimizer: Made by `build_optimizer`.
        spec: Names the schedule.
        step: Steps taken before this one.
        steps: Steps in all.
    """
    factor = rate_factor(spec, step, steps)
    for group in optimizer.param_groups:
        group["lr"] = group["base_rate"] * factor


def rate_factor(spec: OptimizerSpec, step: int, steps: int) -> float:
    """Rate at a step as a share of the full rate.

    Example:
        >>> rate_factor(OptimizerSpec(schedule="cosine"), 50, 100)
        0.5
    """
    if step < spec.warmup:
        return (step + 1) / (spec.warmup + 1)
    done = min(step / steps, 1.0)
    if spec.schedule == "constant_linear":
        return min(1.0, 2 * (1 - done))
    if spec.schedule == "poly":
        return float((1 - done) ** 0.9)
    if spec.schedule == "cosine":
        return round(0.5 + 0.5 * math.cos(math.pi * done), 12)
    return 1.0


_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_REST = 0.2
"""Adam's learning rate, as a share of that of matrices."""
_LEAST = 1e-7


@final
class Muon(Optimizer):
    """Muon for parameters of two axes and more, Adam for the others.

    Args:
        params: Parameters of any shape, in one list.
        lr: Learning rate of matrices; Adam takes a fifth of it.
        betas: Averaging of Adam; the first is the momentum of matrices too.
        weight_decay: Decoupled, for matrices alone.
        eps: Least divisor of Adam.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 2e-2,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        every = list(params)
        groups: list[dict[str, Any]] = [
            {"params": [p for p in every if p.ndim >= 2], "matrices": True},
            {"params": [p for p in every if p.ndim < 2], "matrices": False},
        ]
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "eps": eps}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters: list[torch.Tensor] = [p for p in group["params"] if p.grad is not None]
            if group["matrices"]:
                for parameter in parameters:
                    self._move(parameter, group)
            elif parameters:
                self._move_by_adam(parameters, group)
        return loss

    def _move(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        """One step of a matrix along its orthogonalised momentum (Nesterov's)."""
        gradient, beta = _gradient(parameter), group["betas"][0]
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - beta)
        matrix = gradient.lerp(momentum, beta).flatten(1)
        length = math.sqrt(max(1.0, matrix.shape[0] / matrix.shape[1]))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalised(matrix).view_as(parameter), alpha=-group["lr"] * length)

    def _move_by_adam(self, parameters: list[torch.Tensor], group: dict[str, Any]) -> None:
        """One step of everything else."""
        for parameter in (p for p in parameters if not self.state[p]):
            self.state[parameter] = {
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
                "step": torch.zeros((), dtype=torch.float32),
            }
        averages, squares, steps = (
            [self.state[p][name] for p in parameters] for name in ("exp_avg", "exp_avg_sq", "step")
        )
        adam(
            parameters,
            [_gradient(p) for p in parameters],
            averages,
            squares,
            [],
            steps,
            foreach=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=_REST * group["lr"],
            weight_decay=0,
            eps=group["eps"],
            maximize=False,
        )


def _gradient(parameter: torch.Tensor) -> torch.Tensor:
    """Gradient of a parameter that has one."""
    if parameter.grad is None:
        msg = "a parameter without a gradient"
        raise ValueError(msg)
    return parameter.grad


def orthogonalised(matrix: Float[torch.Tensor, "rows columns"]) -> Float[torch.Tensor, "rows columns"]:
    """The matrix with all its singular values moved near 1 (0.7 to 1.2); 0 where it is 0.

    Five rounds of the quintic Newton-Schulz iteration with Jordan's coefficients, which reach there fast instead of
    meeting 1 exactly.

    Example:
        >>> made = orthogonalised(torch.diag(torch.tensor([10.0, 1.0, 0.3])))
        >>> bool((torch.linalg.svdvals(made) > 0.6).all())
        True
    """
    a, b, c = _COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / wide.norm().clamp_min(_LEAST)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
