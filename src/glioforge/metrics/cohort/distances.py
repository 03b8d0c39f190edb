"""Distances between two sets of features, and whether one set lies within the other and covers it.

Fréchet distance: that of two Gaussians with the sets' means and covariances (Dowson & Landau 1982; Heusel et al. 2017,
arXiv:1706.08500, eq. 6).  It is biased upwards at few cases, the more so the more features there are, and so means
something only next to the floor at the same counts (`metrics.cohort.halves`).  The trace of the covariances' product
root is the sum of the singular values of the centred sets' product, so that it needs no matrix of features by features
and no root of a matrix that few cases leave singular.

Kernel distance (KID): the unbiased squared maximum mean discrepancy with the kernel `(x·y / d + 1)³` of `d` features
(Binkowski et al. 2018, arXiv:1801.01401, section 3 and appendix A).  Its mean is 0 for two samples of one population at
every size, so that counts need not be equal; single values may be negative.

Optimal transport: how far the sets differ under the best matching of cases: the Wasserstein-1 distance with the mean
absolute difference of the entries as cost (Peyré & Cuturi 2019, arXiv:1803.00567, section 2.3), solved exactly by POT.
With entries in standard deviations over real subjects, so is the distance.

Precision, recall, density and coverage: whether synthetic features lie among real ones, and cover them (precision and
recall: Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1-2; density and coverage: Naeem et al. 2020, arXiv:2002.09797,
eq. 3-4).  A ball around a case reaches to its `K`-th nearest neighbour of the same set.
"""

from dataclasses import dataclass
from typing import Final, final

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


def transport_distance(made: Float64[np.ndarray, "n d"], real: Float64[np.ndarray, "m d"]) -> float:
    """Mean difference of an entry between matched cases, in the unit of the entries.

    Args:
        made: At least one row.
        real: As many rows.

    Raises:
        CohortError: The sizes differ.

    Example:
        >>> x = np.array([[0.0, 0.0], [2.0, 2.0]])
        >>> transport_distance(x, x[::-1] + 1)
        1.0
    """
    import ot

    require_equal_counts(len(made), len(real), "transport")
    cost = ot.dist(np.ascontiguousarray(made), np.ascontiguousarray(real), metric="cityblock") / made.shape[1]
    return float(ot.emd2([], [], cost))


K: Final = 3
"""Neighbours of a ball, as in Kynkäänniemi et al."""


@final
@dataclass(frozen=True)
class Manifold:
    """Shares of cases in balls of the other set.

    Args:
        precision: Synthetic cases within a ball of a real one.
        recall: Real cases within a ball of a synthetic one.
        density: Real balls that a synthetic case lies in, over K; may exceed 1.
        coverage: Real balls that hold a synthetic case.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(made: Float64[np.ndarray, "n d"], real: Float64[np.ndarray, "m d"], k: int = K) -> Manifold:
    """Compare two sets of equal size by their neighbourhoods.

    Args:
        made: More than `k` rows.
        real: As many rows.
        k: Neighbours of a ball.

    Raises:
        CohortError: The sizes differ, or there are too few rows.

    Example:
        >>> x = np.arange(6.0)[:, None]
        >>> manifold(x + 100, x)
        Manifold(precision=0.0, recall=0.0, density=0.0, coverage=0.0)
    """
    from sklearn.metrics import pairwise_distances

    require_equal_counts(len(made), len(real), "precision and recall")
    if len(real) <= k:
        raise CohortError(f"{len(real)} cases a side", f"more than {k}, the neighbours of a ball", "add cases")
    across = pairwise_distances(made, real)
    of_real, of_made = (_radii(pairwise_distances(side), k) for side in (real, made))
    inside = across <= of_real
    return Manifold(
        precision=float(inside.any(axis=1).mean()),
        recall=float((across <= of_made[:, None]).any(axis=0).mean()),
        density=float(inside.sum(axis=1).mean()) / k,
        coverage=float(inside.any(axis=0).mean()),
    )


def nearest(made: Float64[np.ndarray, "n d"], real: Float64[np.ndarray, "m d"]) -> np.ndarray:
    """Row of the nearest real case of each synthetic one, `(n,)`; the first of several."""
    from sklearn.metrics import pairwise_distances_argmin

    return np.asarray(pairwise_distances_argmin(made, real))


def _radii(distances: Float64[np.ndarray, "n n"], k: int) -> Float64[np.ndarray, "n"]:
    """Distance of each row to its k-th nearest neighbour, itself apart."""
    radii: Float64[np.ndarray, "n"] = np.partition(distances, k, axis=1)[:, k]
    return radii
