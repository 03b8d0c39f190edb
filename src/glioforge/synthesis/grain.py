"""The fine grain of scans: noise that no label map can predict, measured after training and added when sampling.

A generator that is rewarded for being near to the scan leaves noise out.  What
it leaves out is told by the energy above the blur of `nn.low_pass`: that of
the training scans minus that of the images made for them.  White noise of the
missing energy is added to what is made, with the strength of a training case
drawn at random.

Conventions
-----------
grain       standard deviation in z-scores, `(case, contrast)`
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float

from glioforge.nn.low_pass import low_pass

BLURS = 2
"""Binomial blurs whose remainder counts as fine."""

Batch = Mapping[str, torch.Tensor]
Images = Float[torch.Tensor, "batch contrast x y"]


def measure_grain(
    batches: Callable[[int], Batch], make: Callable[[Batch], Images], cases: int, steps: int
) -> Float[torch.Tensor, "cases contrast"]:
    """Grain of each training case; one that was not drawn takes the mean of the others.

    Args:
        batches: Training batches with `images`, `brain` and `case`.
        make: Images for a batch, without grain.
        cases: Number of training cases.
        steps: Batches to look at, at least 1.
    """
    contrasts = batches(0)["images"].shape[1]
    missing, voxels = torch.zeros(cases, contrasts), torch.zeros(cases, 1)
    for step in range(steps):
        batch = batches(step)
        made = make(batch)
        energy = fine_energy(batch["images"], batch["brain"]) - fine_energy(made, batch["brain"])
        missing.index_add_(0, batch["case"], energy)
        voxels.index_add_(0, batch["case"], batch["brain"].sum((1, 2))[:, None].float())
    seen = voxels[:, 0] > 0
    variance = (missing / voxels.clamp_min(1)).clamp_min(0) / _white_gain()
    variance[~seen] = variance[seen].mean(dim=0)
    return variance.sqrt()


def fine_energy(images: Images, inside: Bool[torch.Tensor, "batch x y"]) -> Float[torch.Tensor, "batch contrast"]:
    """Sum of squares of what the blur takes away, over the voxels inside."""
    fine = images - low_pass(images, BLURS)
    return (fine.square() * inside[:, None]).sum((2, 3))


def _white_gain() -> float:
    """Share of white noise's variance that counts as fine."""
    point = torch.zeros(1, 1, 4 * BLURS + 3, 4 * BLURS + 3)
    point[..., 2 * BLURS + 1, 2 * BLURS + 1] = 1
    return float((point - low_pass(point, BLURS)).square().sum())
