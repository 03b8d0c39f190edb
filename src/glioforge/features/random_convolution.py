"""Features of an untrained network: three random 3-D convolutions, for any contrast.

Random convolutions with rectification keep enough of an image's texture for simple
readers (Jarrett et al. 2009, doi:10.1109/ICCV.2009.5459469; Ulyanov et al. 2017,
arXiv:1711.10925, for random networks as priors).  They have seen no image, so that
no subject can leak through them, and need no file of weights: the seed is all.

Conventions
-----------
input       z-scores of one contrast, cut to the box of the brain, 0 outside
layer       convolution of 3 × 3 × 3 with stride 2, then rectification; 16, 32 and 64 channels
feature     mean and standard deviation of a channel over the voxels whose field is centred in the brain
"""

import hashlib
from typing import TYPE_CHECKING, Final, final

import numpy as np

from glioforge.core import Case, Modality, bounding_box, stream
from glioforge.features.space import Extractor

if TYPE_CHECKING:
    import torch

WIDTHS: Final = (16, 32, 64)
"""Channels of each layer."""
SEED: Final = 0
"""Seed of the weights."""
_VERSION: Final = "1"


@final
class RandomConvolution:
    """Three layers of random weights.

    Args:
        seed: Of the weights; features of different seeds can't be compared.
    """

    def __init__(self, seed: int = SEED) -> None:
        self._seed = seed
        self._kernels = _kernels(seed)

    @property
    def extractor(self) -> Extractor:
        """Widths, seed and hash of the weights."""
        weights = hashlib.blake2b(b"".join(kernel.tobytes() for kernel in self._kernels), digest_size=8).hexdigest()
        return Extractor("random_convolution", _VERSION, {"widths": list(WIDTHS), "seed": self._seed}, weights)

    def features(self, case: Case, modalities: tuple[Modality, ...]) -> dict[str, float]:
        """Means and standard deviations of all channels, contrast by contrast."""
        import torch

        brain = case.brain_mask
        box = bounding_box(brain, 2)
        if box is None:
            return {}
        inside = torch.from_numpy(np.ascontiguousarray(brain[box]))
        images = [np.where(brain[box], case.images[m].voxels[box], np.float32(0)) for m in modalities]
        found: dict[str, float] = {}
        with torch.inference_mode():
            for modality, image in zip(modalities, images, strict=True):
                x = torch.from_numpy(np.ascontiguousarray(image))[None, None]
                found |= {f"{modality} {name}": value for name, value in self._pooled(x, inside).items()}
        return found

    def _pooled(self, x: "torch.Tensor", inside: "torch.Tensor") -> dict[str, float]:
        """Statistics of every channel of every layer."""
        import torch
        from torch.nn import functional

        found: dict[str, float] = {}
        for number, kernel in enumerate(self._kernels, 1):
            x = functional.relu(functional.conv3d(x, torch.from_numpy(kernel), stride=2, padding=1))
            inside = inside[::2, ::2, ::2]
            values = x[0][:, inside].double()
            if not values.shape[1]:
                values = x[0].flatten(1).double()
            for kind, row in (("mean", values.mean(dim=1)), ("spread", values.std(dim=1, correction=0))):
                found |= {f"layer {number} {kind} {n}": float(value) for n, value in enumerate(row.tolist())}
        return found


def _kernels(seed: int) -> list[np.ndarray]:
    """Weights of each layer `(out, in, 3, 3, 3)`, of variance 2 over the inputs (He et al. 2015)."""
    kernels = []
    for number, (inputs, outputs) in enumerate(zip((1, *WIDTHS), WIDTHS, strict=False)):
        drawn = stream(seed, "random convolution", number).standard_normal((outputs, inputs, 3, 3, 3))
        kernels.append((drawn * np.sqrt(2 / (27 * inputs))).astype(np.float32))
    return kernels
