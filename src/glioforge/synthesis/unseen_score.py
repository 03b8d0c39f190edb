"""Score generators by how close their images are to scans of held-out subjects."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from glioforge.compute import AcceleratorSpec
from glioforge.losses import regional_l1
from glioforge.nn.low_pass import low_pass
from glioforge.training import inferred

Batches = Callable[[int], Mapping[str, torch.Tensor]]
BATCHES = 4
"""Batches of held-out subjects in a score."""


def unseen_score(
    batches: Batches, means: torch.Tensor, accelerator: AcceleratorSpec, *, channels: int = 1
) -> Callable[[nn.Module], float]:
    """Return a score of `LabelGenerator`s: minus the mean absolute difference inside the brain, in z-scores.

    Both images are set to 0 outside the brain and blurred slightly (`low_pass`, once) before they are compared.
    Contrasts that a case lacks do not count; a batch without brain scores 0.

    Args:
        batches: Slices or patches of the held-out subjects by number; the first ones are taken.
        means: Class means of each of their cases, `(case, class, contrast)`.
        accelerator: Device, precision and threads that images are made with.
        channels: Channels of the noise, which is 0 here.
    """
    drawn = [batches(number) for number in range(BATCHES)]

    def score(network: nn.Module) -> float:
        total = 0.0
        for batch in drawn:
            labels = batch["labels"]
            noise = torch.zeros((len(labels), channels, *labels.shape[2:]))
            inputs = (labels, batch["frame"], means[batch["case"]], noise)
            made = inferred(network, inputs, accelerator)
            blurred = low_pass(made * batch["brain"][:, None], 1)
            real, known = low_pass(batch["images"], 1), batch.get("available")
            total += float(regional_l1(blurred, real, batch["brain"], available=known))
        return -total / len(drawn)

    return score
