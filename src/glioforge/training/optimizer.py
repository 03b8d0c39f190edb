"""Optimisers and learning-rate schedules by spec."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from glioforge.config import Spec

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class OptimizerSpec(Spec):
    """Optimiser of one network."""

    method: Literal["adamw", "adam", "rmsprop", "sgd", "muon"] = "adamw"
    """AdamW (arXiv:1711.05101), Adam (arXiv:1412.6980), RMSprop (Tieleman & Hinton 2012, lecture 6.5), SGD with
    Nesterov momentum, or Muon for matrices with Adam for the rest (`training.muon`)."""
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


HOUSE_ADAMW: Final = OptimizerSpec(method="adamw", learning_rate=2e-3, schedule="cosine")
"""Optimiser of the house's networks that learn from examples without a critic: regression, autoencoders, readers."""


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
        from glioforge.training.muon import Muon

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
