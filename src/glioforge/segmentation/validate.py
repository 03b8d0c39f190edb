"""Score a network on whole validation volumes while it trains."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Bool

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap
from glioforge.core.modality import Modality
from glioforge.core.schemes import BRATS2023
from glioforge.metrics.evaluate import REGIONS, evaluate_case
from glioforge.segmentation.predict import predict_labels

if TYPE_CHECKING:
    from torch import nn


@final
class Validation:
    """Mean volumetric Dice over validation cases and regions WT, TC and ET.

    An empty region counts as `metrics.base.AGREEMENT` says, so that a network
    cannot gain by leaving tumours out.

    Args:
        cohort: Prepared, labelled cases; at least one; read when first needed and kept in memory.
        modalities: Contrasts, in the order of the network's input channels.
        autocast: Gives the precision to run in.
    """

    def __init__(
        self, cohort: Cohort, modalities: Sequence[Modality], autocast: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._cohort = cohort
        self._modalities = tuple(modalities)
        self._autocast = autocast

    def __call__(self, network: "nn.Module") -> float:
        """Score the network; higher is better."""
        scores = []
        for images, brain, truth in self._cases:
            voxels = predict_labels(network, images, brain, autocast=self._autocast())
            prediction = LabelMap(voxels, truth.geometry, BRATS2023)
            scores += [row.value for row in evaluate_case(prediction, truth, REGIONS, ("dice",))]
        return float(np.mean(scores))

    @cached_property
    def _cases(self) -> list[tuple[np.ndarray, np.ndarray, LabelMap]]:
        """Images, brain and true labels of every case."""
        cases = [ref.load() for ref in self._cohort]
        return [(case.stack(self._modalities), brain_of(case), case.require_labels()) for case in cases]


def brain_of(case: Case) -> Bool[np.ndarray, "i j k"]:
    """The case's brain mask, or where any contrast is not 0 if it has none."""
    if case.brain is not None:
        return case.brain
    return np.logical_or.reduce([volume.voxels != 0 for volume in case.images.values()])
