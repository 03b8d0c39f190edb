"""One overlap over all classes of a label map, weighted by class or not, as papers report it for whole networks.

    class_dice            mean over the classes of 2 |P and T| / (|P| + |T|); a class in neither map is left out
    weighted_class_dice   2 sum(w |P and T|) / sum(w (|P| + |T|)), background among the classes

Sources: Crum, Camara & Hill, IEEE Transactions on Medical Imaging 25 (2006), for the generalised overlap; Foroozandeh &
Eklund 2020 report one minus such a number in percent, with weights from the training set.
"""

from collections.abc import Mapping
from typing import final

import numpy as np

from glioforge.core import LabelMap, SpecError
from glioforge.metrics.base import Direction
from glioforge.metrics.register import SHARE, RegisteredMetric, register

CLASSES = "classes"
"""Region of a number over all classes."""

for _name, _title in (
    ("class_dice", "Dice, mean over classes"),
    ("weighted_class_dice", "Dice over classes, weighted"),
):
    register(RegisteredMetric(_name, _title, "1", Direction.HIGHER, SHARE))


@final
class ClassOverlap:
    """Voxels of each class in a prediction, in the truth, and in both.

    Args:
        prediction: Predicted labels.
        truth: True labels in the same scheme, on the same grid.

    Raises:
        GeometryError: The grids differ.
        SpecError: The schemes differ.
    """

    def __init__(self, prediction: LabelMap, truth: LabelMap) -> None:
        truth.geometry.require_same(prediction.geometry, "prediction")
        if prediction.scheme != truth.scheme:
            raise SpecError(f"labels {prediction.scheme.name} against {truth.scheme.name}", "one scheme for both")
        self.classes = tuple(sorted(truth.scheme.labels, key=truth.scheme.value))
        values = [truth.scheme.value(name) for name in self.classes]
        both = truth.voxels[prediction.voxels == truth.voxels]
        ours, theirs, common = (
            np.bincount(voxels.ravel(), minlength=256)[values] for voxels in (prediction.voxels, truth.voxels, both)
        )
        self._sizes, self._common = (ours + theirs).astype(np.float64), common.astype(np.float64)

    def by_class(self) -> dict[str, float]:
        """Dice of each class; NaN for one in neither map."""
        found = np.divide(2 * self._common, self._sizes, out=np.full(len(self._sizes), np.nan), where=self._sizes > 0)
        return dict(zip(self.classes, found.tolist(), strict=True))

    def mean(self) -> float:
        """Mean over the classes that either map holds, background among them."""
        return float(np.nanmean(list(self.by_class().values())))

    def weighted(self, weights: Mapping[str, float]) -> float:
        """One overlap in which each class has a weight; a class without one has none."""
        factors = np.array([weights.get(name, 0.0) for name in self.classes])
        return float(2 * factors @ self._common / (factors @ self._sizes))
