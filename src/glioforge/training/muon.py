"""Muon: an optimiser that gives every direction of a weight matrix a step of the same length.

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
from typing import Any, final

import torch
from jaxtyping import Float
from torch import nn
from torch.optim import Optimizer
from torch.optim.adam import adam

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
