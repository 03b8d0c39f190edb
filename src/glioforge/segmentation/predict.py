"""From images to labels: a network for slices run over a whole volume.

Only slices that show brain are run, in batches; every other slice, and every
voxel outside the brain, is background.

Conventions
-----------
images      float32 `(channel, i, j, k)`, cut along k
classes     0 background and normal tissue, 1 necrotic core, 2 oedema, 3
            enhancing tumour: the integers of scheme BRATS2023
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from glioforge.core.schemes import BRATS2023

if TYPE_CHECKING:
    import torch
    from torch import nn

CLASSES: Final = len(BRATS2023.labels)
"""Classes that a segmenter tells apart."""

_BATCH: Final = 16


def predict_labels(
    network: "nn.Module",
    images: Float32[np.ndarray, "c i j k"],
    brain: Bool[np.ndarray, "i j k"],
    *,
    flips: bool = False,
    autocast: "AbstractContextManager[None] | None" = None,
) -> UInt8[np.ndarray, "i j k"]:
    """Label a volume slice by slice; all background where there is no brain.

    Args:
        network: Maps `(b, c, i, j)` to logits `(b, classes, i, j)`; put into evaluation mode.
        images: Contrasts in the order the network was trained on.
        brain: Voxels that may be tumour.
        flips: Average the probabilities with those of the slices mirrored along i.
        autocast: Precision to run in; float32 unless given.
    """
    import torch

    labels = np.zeros(brain.shape, dtype=np.uint8)
    wanted = np.flatnonzero(brain.any(axis=(0, 1)))
    device = next(network.parameters()).device
    network.eval()
    with torch.no_grad(), autocast or nullcontext():
        for start in range(0, len(wanted), _BATCH):
            some = wanted[start : start + _BATCH]
            slices = np.ascontiguousarray(images[..., some].transpose(3, 0, 1, 2))
            found = _probabilities(network, torch.from_numpy(slices).to(device), flips=flips).argmax(dim=1)
            labels[..., some] = found.to(torch.uint8).cpu().numpy().transpose(1, 2, 0)
    labels[~brain] = 0
    return labels


def _probabilities(network: "nn.Module", slices: "torch.Tensor", *, flips: bool) -> "torch.Tensor":
    """Probability of each class; the mean over a slice and its mirror image where asked."""
    probabilities: torch.Tensor = network(slices).float().softmax(dim=1)
    if not flips:
        return probabilities
    mirrored: torch.Tensor = network(slices.flip(2)).float().softmax(dim=1).flip(2)
    return (probabilities + mirrored) / 2
