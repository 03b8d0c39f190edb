"""Precision, recall, density and coverage: whether synthetic features lie among real ones, and cover them.

Sources: Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1-2 (precision, recall);
Naeem et al. 2020, arXiv:2002.09797, eq. 3-4 (density, coverage).  A ball around a
case reaches to its `K`-th nearest neighbour of the same set.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float64

from glioforge.core import CohortError
from glioforge.metrics.cohort.halves import require_equal_counts

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
