"""Paste a random box of another subject, with its labels.

Source: Yun et al. 2019, arXiv:1905.04899: the kept share is drawn from a beta
distribution (equation 1) and the box has its complement (equation 2, here with
cube roots, in three dimensions).  Labels are not mixed by share, as for
classification, but pasted voxel by voxel, as for segmentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from pydantic import Field

from glioforge.core import EditError, bounding_box
from glioforge.mixing import MIXINGS, Mixed, MixingSpec, Scan


@final
class CutMixSpec(MixingSpec):
    """Settings of boxes pasted between subjects."""

    kind: Literal["cutmix"] = "cutmix"
    """Name of the mixing."""
    alpha: float = Field(1.0, gt=0)
    """Both parameters of the beta distribution; 1 draws every share alike."""


@MIXINGS.register(CutMixSpec)
@final
@dataclass(frozen=True)
class CutMix:
    """Replace a box; record: `start` and `size` in voxels."""

    spec: CutMixSpec

    def draw(self, host: Scan, donor: Scan, rng: np.random.Generator) -> dict[str, Any]:
        """Draw a box within the box around both brains, so that no draw is spent on air.

        Raises:
            EditError: Neither case has a brain.
        """
        frame = bounding_box(host.brain | donor.brain)
        if frame is None:
            raise EditError("two cases without brain", "a brain in one of them", "leave the cases out")
        kept = float(rng.beta(self.spec.alpha, self.spec.alpha))
        start, size = [], []
        for side in frame:
            length = side.stop - side.start
            # The centre lies anywhere and the box is cut at the frame, as published: boxes at the rim are smaller.
            half = length * (1 - kept) ** (1 / 3) / 2
            centre = side.start + rng.uniform(0, length)
            low = max(side.start, round(centre - half))
            high = min(side.stop, max(round(centre + half), low + 1))
            low = min(low, high - 1)
            start.append(int(low))
            size.append(int(high - low))
        return {"start": start, "size": size}

    def apply(self, host: Scan, donor: Scan, values: Mapping[str, Any]) -> Mixed:
        """Paste the box."""
        mask = np.zeros(host.brain.shape, dtype=bool)
        i, j, k = (slice(a, a + n) for a, n in zip(values["start"], values["size"], strict=True))
        mask[i, j, k] = True
        return host.with_part(mask, donor.images, donor.labels, donor.brain)
