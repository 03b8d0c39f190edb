"""ROC curve of a reader over confidence: both errors at every degree of suspicion.

Source: Green & Swets, Signal Detection Theory and Psychophysics (1966), chapter 2.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from glioforge.reader.analysis_readings import Readings, ratings


@final
@dataclass(frozen=True)
class Roc:
    """Points of a curve from (0, 0) to (1, 1).

    Args:
        alarms: Share of negative items rated at least as high as each threshold.
        hits: The same share of positive items.
    """

    alarms: tuple[float, ...]
    hits: tuple[float, ...]

    @property
    def area(self) -> float:
        """Area under the straight lines between the points: the AUC."""
        return float(np.trapezoid(self.hits, self.alarms))


def roc(readings: Readings) -> Roc | None:
    """Curve of one reader; none without confidences, or where one kind of item is missing.

    Args:
        readings: Answers of one reader.
    """
    truth = readings.positive
    if not np.isfinite(readings.numbers("confidence")).any() or truth.all() or not truth.any():
        return None
    values = ratings(readings)
    steps = np.unique(values)[::-1]
    alarms, hits = ((values[kind][:, None] >= steps).mean(axis=0) for kind in (~truth, truth))
    return Roc((0.0, *alarms.tolist()), (0.0, *hits.tolist()))
