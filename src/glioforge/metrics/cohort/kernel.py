"""Kernel distance of features: the unbiased squared maximum mean discrepancy with a cubic kernel (KID).

Source: Binkowski et al. 2018, arXiv:1801.01401, section 3 and appendix A; the
kernel is `(x·y / d + 1)³` of `d` features.  Its mean is 0 for two samples of one
population at every size, so that counts need not be equal; single values may be
negative.
"""

import numpy as np
from jaxtyping import Float64

from glioforge.core import CohortError

Features = Float64[np.ndarray, "case feature"]
Kernel = Float64[np.ndarray, "case other"]


def kernel_distance(made: Float64[np.ndarray, "n d"], real: Float64[np.ndarray, "m d"]) -> float:
    """Unbiased squared distance of two sets.

    Args:
        made: At least two rows.
        real: At least two rows.

    Raises:
        CohortError: A set has fewer than two rows.

    Example:
        >>> x = np.array([[1.0], [3.0]])
        >>> kernel_distance(x, x + 1)
        -553.0
    """
    if min(len(made), len(real)) < 2:
        raise CohortError(f"{len(made)} and {len(real)} cases", "at least two on each side", "add cases")
    within = sum(_off_diagonal_mean(cubic_kernel(side, side)) for side in (made, real))
    return within - 2 * float(cubic_kernel(made, real).mean())


def cubic_kernel(x: Float64[np.ndarray, "n d"], y: Float64[np.ndarray, "m d"]) -> Float64[np.ndarray, "n m"]:
    """Return `(x·y / d + 1)³` for all pairs of rows."""
    kernel: Float64[np.ndarray, "n m"] = (x @ y.T / x.shape[1] + 1) ** 3
    return kernel


def _off_diagonal_mean(kernel: Kernel) -> float:
    """Mean over pairs of different rows."""
    count = len(kernel)
    return float(kernel.sum() - np.trace(kernel)) / (count * (count - 1))
