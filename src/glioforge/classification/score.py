"""Ask a classifier about every slice of whole cases, and measure how well its answers rank them.

Conventions
-----------
slices of a case   axial slices with brain; those with a trace of tumour answer neither and are left out
answer of a case   mean probability over its slices with tumour

Source: Hanley & McNeil 1982, Radiology 143:29 (AUC as the chance that a case
with the finding ranks above one without; ties count a half).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float, Float64
from scipy.stats import rankdata

from glioforge.classification.target import ClassifierSpec, Target, grade_of, shows_tumour
from glioforge.core import CaseRef, Cohort, Modality

if TYPE_CHECKING:
    from torch import nn

_SLICES = 64


@final
@dataclass(frozen=True)
class Answers:
    """Probabilities of a case.

    Args:
        ref: The case.
        truth: Answer of each slice that was asked, or of the case alone.
        probability: Probability of each.
    """

    ref: CaseRef
    truth: Float64[np.ndarray, "asked"]
    probability: Float64[np.ndarray, "asked"]


def auc(truth: Float[np.ndarray, "n"], score: Float[np.ndarray, "n"]) -> float:
    """Area under the ROC curve; NaN where one of both answers is missing.

    Example:
        >>> auc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.4, 0.8]))
        0.875
    """
    positive = truth == 1
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))


def asked(
    network: "nn.Module", cohort: Cohort, modalities: Sequence[Modality], spec: ClassifierSpec, target: Target
) -> Iterator[Answers]:
    """Ask a network about every case; a case without a slice to ask about is passed over.

    Args:
        network: Gives one logit a slice; used in evaluation mode.
        cohort: Prepared, labelled cases.
        modalities: Contrasts, in the order of the network's input channels.
        spec: Settings.
        target: What is asked.
    """
    for ref in cohort:
        case = ref.load()
        labels, brain = case.require_labels(), case.brain_mask
        tumour_voxels = labels.lesion.sum(axis=(0, 1), dtype=np.int64)
        brain_voxels = brain.sum(axis=(0, 1), dtype=np.int64)
        truth = shows_tumour(tumour_voxels, brain_voxels, spec.least_share)
        shown = (brain_voxels > 0) & (np.isfinite(truth) if target == "tumour" else truth == 1)
        if not shown.any():
            continue
        slices = np.moveaxis(case.stack(tuple(modalities))[..., shown], -1, 0)
        probability = _probabilities(network, slices)
        if target == "grade":
            yield Answers(ref, np.array([grade_of(ref)]), np.array([probability.mean()]))
        else:
            yield Answers(ref, truth[shown], probability)


@final
class Validation:
    """Mean AUC over validation cases, or AUC over validation subjects' grades; 0.5 where none can be computed.

    Args:
        cohort: Prepared, labelled cases.
        modalities: Contrasts.
        spec: Settings.
        target: What is asked.
    """

    def __init__(self, cohort: Cohort, modalities: Sequence[Modality], spec: ClassifierSpec, target: Target) -> None:
        self._cohort, self._modalities, self._spec, self._target = cohort, tuple(modalities), spec, target

    def __call__(self, network: "nn.Module") -> float:
        """Score a network; higher is better."""
        found = list(asked(network, self._cohort, self._modalities, self._spec, self._target))
        if self._target == "grade":
            known = [answers for answers in found if np.isfinite(answers.truth[0])]
            values = [auc(*(np.array([getattr(a, n)[0] for a in known]) for n in ("truth", "probability")))]
        else:
            values = [auc(answers.truth, answers.probability) for answers in found]
        finite = [value for value in values if np.isfinite(value)]
        return float(np.mean(finite)) if finite else 0.5


def _probabilities(network: "nn.Module", slices: Float[np.ndarray, "n c x y"]) -> Float64[np.ndarray, "n"]:
    """Probability of each slice, in parts that fit into memory."""
    import torch

    device = next(network.parameters()).device
    network.eval()
    with torch.no_grad():
        parts = [
            torch.sigmoid(network(torch.from_numpy(np.ascontiguousarray(slices[n : n + _SLICES])).to(device)).float())
            for n in range(0, len(slices), _SLICES)
        ]
    return np.asarray(torch.cat(parts).cpu().numpy(), dtype=np.float64)
