"""What the training loop asks of a recipe, and what is observed of an adversarial training at a validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from glioforge.metrics import PREPARED_RANGE, likeness_of_pairs, mean_of_pairs
from glioforge.training.step import Batch

Batches = Callable[[int], Mapping[str, torch.Tensor]]


Validate = Callable[[nn.Module], float | None]
"""Scores a network, higher is better; none where it cannot be chosen yet."""


@runtime_checkable
class Recipe(Protocol):
    """What one training step does."""

    @property
    def networks(self) -> nn.ModuleDict:
        """Every network, trained or averaged; all of it goes into checkpoints."""
        ...

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Optimisers by name."""
        ...

    def step(self, batch: Mapping[str, torch.Tensor], step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Take all optimiser steps of one iteration; return detached scalars. Raises `NonFiniteError` untouched."""
        ...

    def inference_network(self) -> nn.Module:
        """The network that is validated and kept, one of `networks` or part of it."""
        ...


Images = Float[torch.Tensor, "b contrast *grid"]


@final
@dataclass(frozen=True, eq=False)
class Observation:
    """Images synthesized for one batch, with the scans they belong to.

    Args:
        batch: The batch, with `images`, `brain` and perhaps `labels`.
        made: Synthetic images for it.
        again: Synthetic images for it with another draw of noise.
    """

    batch: Batch
    made: Images
    again: Images

    @property
    def scalars(self) -> dict[str, float]:
        """Columns of the history."""
        found = variety(self.made, self.again, self.batch["images"], self.batch["brain"])
        return found | variety_lost(self.made, self.batch["images"])


@runtime_checkable
class Observable(Protocol):
    """A recipe that can be observed, so that collapse is noticed."""

    def observe(self, batch: Mapping[str, torch.Tensor]) -> Observation:
        """Make images for a batch with two draws of noise; networks are in evaluation mode, gradients are off."""
        ...


SAMPLES: Final = 4
"""Fewest samples of an observation: smaller batches are joined, since a single sample shows no variety."""


_LOOKED_AT = 12


_SMALL = 1e-6


_LEAST_SIDE = 16


def observe_last(
    observe: Callable[[Batch], Observation], batches: Callable[[int], Batch], steps: int, device: torch.device
) -> Observation:
    """Observe the batches of a training's last steps, as many as give `SAMPLES` samples of one size.

    The last steps show what the training ends with: all contrasts, the full resolution.

    Args:
        observe: Makes images for one batch.
        batches: Batch of a step, a pure function of its number.
        steps: Length of the training, at least 1.
        device: Where the networks are.
    """
    parts: list[Observation] = []
    for number in range(steps - 1, max(steps - 1 - _LOOKED_AT, -1), -1):
        part = observe({name: value.to(device) for name, value in batches(number).items()})
        if parts and part.made.shape[2:] != parts[0].made.shape[2:]:
            continue
        parts.append(part)
        if sum(len(part.made) for part in parts) >= SAMPLES:
            break
    return _joined(parts)


def variety(made: Images, again: Images, real: Images, brain: Bool[torch.Tensor, "b *grid"]) -> dict[str, float]:
    """Measure the diversity within a batch and the response to noise, both as a share of the spread of scans.

    Spread is the mean standard deviation of two samples, over all pairs and all
    voxels that are brain in both.

    Returns:
        `diversity` and `noise_response`; nothing for a batch of one, where no two brains overlap, or for equal scans.

    Example:
        >>> real = torch.tensor([[[1.0]], [[3.0]]])
        >>> inside = torch.ones(2, 1, dtype=torch.bool)
        >>> variety(real * 0.5, real * 0.5, real, inside)
        {'diversity': 0.5, 'noise_response': 0.0}
    """
    pairs = [(a, b) for a, b in combinations(range(len(real)), 2) if bool((brain[a] & brain[b]).any())]
    if not pairs:
        return {}
    spread = _spread(real, brain, pairs)
    if spread < _SMALL:
        return {}
    moved = (made.float() - again.float()).abs().movedim(1, -1)[brain]
    return {"diversity": _spread(made, brain, pairs) / spread, "noise_response": float(moved.mean()) / spread}


def variety_lost(made: Images, real: Images) -> dict[str, float]:
    """Measure how much more alike different synthetic images are than different scans, by MS-SSIM of pairs.

    The same number as that of whole cohorts (`metrics.cohort.variety`), on the middle slice of a few samples.

    Returns:
        `variety_lost`: 0 as varied as scans, 1 one image for all; nothing for a batch of one or small images.
    """
    count = min(len(real), SAMPLES)
    if count < 2 or min(real.shape[2:4]) < _LEAST_SIDE:
        return {}
    alike = []
    for images in (made, real):
        flat = images[:count] if images.ndim == 4 else images[:count, ..., images.shape[-1] // 2]
        pairs = likeness_of_pairs(flat.detach().float().cpu().numpy(), PREPARED_RANGE)
        alike.append(mean_of_pairs(pairs))
    return {"variety_lost": (alike[0] - alike[1]) / max(1 - alike[1], _SMALL)}


def _spread(images: Images, brain: Bool[torch.Tensor, "b *grid"], pairs: Sequence[tuple[int, int]]) -> float:
    """Mean standard deviation of two samples, over their common brain."""
    differences = [(images[a].float() - images[b].float())[:, brain[a] & brain[b]].abs().flatten() for a, b in pairs]
    return float(torch.cat(differences).mean()) / 2**0.5


def _joined(parts: Sequence[Observation]) -> Observation:
    """Several observations as one."""
    names = set.intersection(*(set(part.batch) for part in parts))
    batch = {name: torch.cat([part.batch[name] for part in parts]) for name in sorted(names)}
    made, again = (torch.cat(images) for images in ([p.made for p in parts], [p.again for p in parts]))
    return Observation(batch, made, again)
