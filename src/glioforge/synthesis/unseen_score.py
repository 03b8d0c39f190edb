"""How near a generator's images are to scans of subjects that it never saw."""

from collections.abc import Callable

import torch
from torch import nn

from glioforge.losses.regional import regional_l1
from glioforge.nn.low_pass import low_pass
from glioforge.synthesis.patches import FramedPatches
from glioforge.synthesis.slices import FramedSlices

BATCHES = 4
"""Batches of unseen subjects that a score looks at."""


def unseen_score(slices: FramedSlices | FramedPatches, means: torch.Tensor) -> Callable[[nn.Module], float]:
    """A score of `LabelGenerator`s: the negative absolute difference inside the brain of slightly blurred images.

    Args:
        slices: Slices or patches of the unseen subjects, always the same ones.
        means: Class means of each of their cases, `(case, class, contrast)`.
    """
    drawn = [slices.batch(number) for number in range(BATCHES)]

    def score(network: nn.Module) -> float:
        device = next(network.parameters()).device
        total = 0.0
        for batch in drawn:
            labels = batch["labels"]
            noise = torch.zeros((len(labels), 1, *labels.shape[2:]))
            inputs = (labels, batch["frame"], means[batch["case"]], noise)
            with torch.no_grad():
                made = network(*(value.to(device) for value in inputs)).cpu()
            total += float(regional_l1(low_pass(made, 1), low_pass(batch["images"], 1), batch["brain"]))
        return -total / len(drawn)

    return score
