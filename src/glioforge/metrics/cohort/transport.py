"""Optimal transport between two sets of descriptions: how far they differ under the best matching of cases.

Wasserstein-1 distance with the mean absolute difference of the entries as cost
(Peyré & Cuturi 2019, arXiv:1803.00567, section 2.3), solved exactly by POT.  With
entries in standard deviations over real subjects, so is the distance.
"""

import numpy as np
from jaxtyping import Float64

from glioforge.metrics.cohort.halves import require_equal_counts


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
