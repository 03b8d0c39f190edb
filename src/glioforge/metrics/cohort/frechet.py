"""Fréchet distance of features: that of two Gaussians with their means and covariances.

Source: Dowson & Landau 1982; Heusel et al. 2017, arXiv:1706.08500, eq. 6.  It is
biased upwards at few cases, the more so the more features there are, and so means
something only beside the floor at the same counts (`metrics.cohort.halves`).

The trace of the covariances' product root is the sum of the singular values of the
centred sets' product, so that it needs no matrix of features by features and no
root of a matrix that few cases leave singular.
"""

import numpy as np
from jaxtyping import Float64

from glioforge.core import CohortError
from glioforge.metrics.cohort.halves import require_equal_counts


def frechet_distance(made: Float64[np.ndarray, "n d"], real: Float64[np.ndarray, "m d"]) -> float:
    """Squared Fréchet distance of two sets of equal size.

    Args:
        made: At least two rows.
        real: As many rows.

    Raises:
        CohortError: The sizes differ, or there are fewer than two rows.

    Example:
        >>> x = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 0.0]])
        >>> round(frechet_distance(x, x + 2), 12)
        8.0
    """
    require_equal_counts(len(made), len(real), "Fréchet distance")
    if len(made) < 2:
        raise CohortError(f"{len(made)} cases", "at least two on each side", "add cases")
    centred = [side - side.mean(axis=0) for side in (made, real)]
    scale = len(made) - 1
    spread = sum(float((side**2).sum()) for side in centred) / scale
    shared = float(np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()) / scale
    moved = float(((made.mean(axis=0) - real.mean(axis=0)) ** 2).sum())
    return max(0.0, moved + spread - 2 * shared)
