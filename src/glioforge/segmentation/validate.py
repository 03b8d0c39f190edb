"""Score a network on whole validation volumes while it trains."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from glioforge.core import CaseRef, Cohort, LabelMap, Modality
from glioforge.data import fits_in_memory
from glioforge.metrics import evaluate_case
from glioforge.segmentation.predict import Inference, Probabilities, predict
from glioforge.segmentation.target import Target
from glioforge.segmentation.view import View

if TYPE_CHECKING:
    from torch import nn


@final
class Validation:
    """Mean volumetric Dice over validation cases and regions: WT, TC, ET, tissue, whatever the target scores.

    An empty region counts as `metrics.base.AGREEMENT` says, so that a network
    cannot gain by leaving tumours out.

    Args:
        cohort: Prepared, labelled cases; at least one; read when first needed and kept in memory where they fit.
        modalities: Contrasts, in the order of the network's input channels.
        how: How the network is asked.
        view: How it sees the heads.
        unseen: Classes that no training case has. A region of these alone does not count, for a network that never
            finds it would score 1 for that.
        weights: Weight of each class; with it `scalars` holds the weighted Dice of the last call, mean over cases,
            which Foroozandeh & Eklund report, beside the unweighted score.
    """

    def __init__(
        self,
        cohort: Cohort,
        modalities: Sequence[Modality],
        how: Inference,
        view: View = "axial",
        unseen: Collection[str] = (),
        weights: Sequence[float] | None = None,
    ) -> None:
        self.scalars: dict[str, float] = {}
        self._weights = weights
        self._cohort = cohort
        self._regions = how.target.scored_without(unseen)
        self._modalities = tuple(modalities)
        self._how = how
        self._view: View = view
        self._held: list[tuple[np.ndarray, np.ndarray, LabelMap]] | None = None

    def __call__(self, network: "nn.Module") -> float:
        """Score the network; higher is better, and 0 where no region counts."""
        target = self._how.target
        scores, weighted = [], []
        for images, brain, truth in self._cases():
            probabilities = predict([(self._view, network)], images, brain, self._how)
            if self._weights is not None:
                weighted.append(weighted_dice(probabilities, truth, target, self._weights))
            voxels = target.decode(probabilities, brain)
            prediction = LabelMap(voxels, truth.geometry, target.scheme)
            scores += [row.value for row in evaluate_case(prediction, truth, self._regions, ("dice",))]
        self.scalars = {"weighted_dice": float(np.mean(weighted))} if weighted else {}
        return float(np.mean(scores)) if scores else 0.0

    def _cases(self) -> Iterable[tuple[np.ndarray, np.ndarray, LabelMap]]:
        """Images, brain and true labels of every case; read again each time where memory is short."""
        read = (self._read(ref) for ref in self._cohort)
        if self._held is None and fits_in_memory(self._cohort, bytes_per_voxel=4):
            self._held = list(read)
        return read if self._held is None else self._held

    def _read(self, ref: CaseRef) -> tuple[np.ndarray, np.ndarray, LabelMap]:
        """Images, brain and true labels of a case."""
        case = ref.load()
        return case.stack(self._modalities), case.brain_mask, self._how.target.truth(case.require_labels())


def weighted_dice(probabilities: Probabilities, truth: LabelMap, target: Target, weights: Sequence[float]) -> float:
    """Return one overlap over all classes of a case, background included, each weighed: 1 where all is right.

    Args:
        probabilities: Of each class of the target.
        truth: In the target's scheme.
        target: Classes, no nested regions.
        weights: Weight of each class, not all 0.
    """
    masks = np.stack([truth.voxels == target.scheme.value(name) for name in target.classes])
    overlap = (probabilities * masks).sum(axis=(1, 2, 3), dtype=np.float64)
    sizes = probabilities.sum(axis=(1, 2, 3), dtype=np.float64) + masks.sum(axis=(1, 2, 3))
    return float(2 * np.dot(weights, overlap) / np.dot(weights, sizes))
