"""Scaling of the input by the largest value and the mean of the training cases (Foroozandeh & Eklund).

The numbers are buffers of the network and part of its weights: a segmenter that
is loaded scales as it was trained, and test cases never change them.  The paper
takes them from the mixture of real and synthetic images; whose they are here is
a setting of the method.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from glioforge.core import Cohort, Modality
from glioforge.data import read_packed


@final
class InputScale(nn.Module):
    """`x / largest - mean`; leaves the input as it is until it is fitted."""

    largest: torch.Tensor
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("largest", torch.ones(()))
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Float[torch.Tensor, "batch channel *grid"]) -> Float[torch.Tensor, "batch channel *grid"]:
        """Images of the same shape."""
        return x / self.largest - self.mean

    def fit(self, cohorts: Iterable[Cohort], modalities: Sequence[Modality]) -> None:
        """Take the largest value of all contrasts and voxels, and the mean of what is divided by it."""
        largest, total, count = 0.0, 0.0, 0
        for ref in chain.from_iterable(cohorts):
            packed = read_packed(ref)
            for modality in modalities:
                channel = packed.modalities.index(modality)
                integers, scale = packed.images[:, channel], packed.scales[channel]
                largest = max(largest, float(integers.max()) * scale)
                total += float(integers.sum(dtype=np.int64)) * scale
                count += integers.size
        self.largest.fill_(largest or 1.0)
        self.mean.fill_(total / max(count, 1) / float(self.largest))
