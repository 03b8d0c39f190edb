"""Score a network on whole validation volumes while it trains."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Bool

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap
from glioforge.core.modality import Modality
from glioforge.metrics.evaluate import evaluate_case
from glioforge.segmentation.predict import Inference, predict
from glioforge.segmentation.view import View

if TYPE_CHECKING:
    from torch import nn


@final
class Validation:
    """Mean volumetric Dice over validation cases and regions: WT, TC, ET, tissue, whatever the target scores.

    An empty region counts as `metrics.base.AGREEMENT` says, so that a network
    cannot gain by leaving tumours out.

    Args:
        cohort: Prepared, labelled cases; at least one; read when first needed and kept in memory.
        modalities: Contrasts, in the order of the network's input channels.
        how: How the network is asked.
        view: How it sees the heads.
        unseen: Classes that no training case has. A region of these alone does not count, for a network that never
            finds it would score 1 for that.
    """

    def __init__(
        self,
        cohort: Cohort,
        modalities: Sequence[Modality],
        how: Inference,
        view: View = "axial",
        unseen: Collection[str] = (),
    ) -> None:
        self._cohort = cohort
        self._regions = how.target.scored_without(unseen)
        self._modalities = tuple(modalities)
        self._how = how
        self._view: View = view

    def __call__(self, network: "nn.Module") -> float:
        """Score the network; higher is better, and 0 where no region counts."""
        target = self._how.target
        scores = []
        for images, brain, truth in self._cases:
            voxels = target.decode(predict([(self._view, network)], images, brain, self._how), brain)
            prediction = LabelMap(voxels, truth.geometry, target.scheme)
            scores += [row.value for row in evaluate_case(prediction, truth, self._regions, ("dice",))]
        return float(np.mean(scores)) if scores else 0.0

    @cached_property
    def _cases(self) -> list[tuple[np.ndarray, np.ndarray, LabelMap]]:
        """Images, brain and true labels of every case."""
        cases = [ref.load() for ref in self._cohort]
        truth = self._how.target.truth
        return [(case.stack(self._modalities), brain_of(case), truth(case.require_labels())) for case in cases]


def brain_of(case: Case) -> Bool[np.ndarray, "i j k"]:
    """The case's brain mask, or where any contrast is not 0 if it has none."""
    if case.brain is not None:
        return case.brain
    return np.logical_or.reduce([volume.voxels != 0 for volume in case.images.values()])
