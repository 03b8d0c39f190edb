"""What an adversarial training shows of itself at a validation: numbers on variety, and pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float

Images = Float[torch.Tensor, "b contrast *grid"]
_SMALL = 1e-6


@final
@dataclass(frozen=True, eq=False)
class Observation:
    """Images made for one batch, beside the scans.

    Args:
        batch: The batch, with `images`, `brain` and perhaps `labels`.
        made: Images made for it.
        again: Images made for it with another draw of noise.
    """

    batch: Mapping[str, torch.Tensor]
    made: Images
    again: Images

    @property
    def scalars(self) -> dict[str, float]:
        """Columns of the history."""
        return variety(self.made, self.again, self.batch["images"], self.batch["brain"])


def variety(made: Images, again: Images, real: Images, brain: Bool[torch.Tensor, "b *grid"]) -> dict[str, float]:
    """Diversity within a batch and response to noise, both as a share of the spread of scans.

    Spread is the mean standard deviation over the batch at each voxel that is
    brain in every sample.

    Returns:
        `diversity` and `noise_response`; nothing for a batch of one, without common brain, or of equal scans.

    Example:
        >>> real = torch.tensor([[[1.0]], [[3.0]]])
        >>> inside = torch.ones(2, 1, dtype=torch.bool)
        >>> variety(real * 0.5, real * 0.5, real, inside)
        {'diversity': 0.5, 'noise_response': 0.0}
    """
    inside = brain.all(0)
    if len(real) < 2 or not bool(inside.any()):
        return {}
    spread = _spread(real, inside)
    if spread < _SMALL:
        return {}
    moved = float((made.float() - again.float()).abs()[..., inside].mean())
    return {"diversity": _spread(made, inside) / spread, "noise_response": moved / spread}


def _spread(images: Images, inside: Bool[torch.Tensor, "*grid"]) -> float:
    """Mean standard deviation over the batch inside a mask."""
    return float(images.float()[..., inside].std(0).mean())
