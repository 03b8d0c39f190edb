"""Train a classifier, load it again, ask it about every slice of whole cases, and measure how its answers rank them.

Conventions
-----------
slices of a case   axial slices with brain; those with a trace of tumour answer neither and are left out
answer of a case   mean probability over its slices with tumour

Source: Hanley & McNeil 1982, Radiology 143:29 (AUC as the chance that a case
with the finding ranks above one without; ties count a half).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float, Float64
from scipy.stats import rankdata

from glioforge import training
from glioforge.classification.target import ClassifierSpec, Target, grade_of, require_grades, shows_tumour
from glioforge.compute import AcceleratorSpec, seed_torch, start
from glioforge.core import CaseRef, Cohort, Modality, Progress, require_no_leak
from glioforge.segmentation import Mix
from glioforge.training import Outcome

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS = "weights.safetensors"
"""File of the weights in the folder of a training."""


def train_classifier(  # noqa: PLR0913 - what a training consists of, by keyword
    mix: Mix,
    validation: Cohort,
    spec: ClassifierSpec,
    target: Target,
    folder: Path,
    *,
    seed: int,
    accelerator: AcceleratorSpec,
    progress: Progress | None = None,
) -> tuple["nn.Module", Outcome]:
    """Train, resume, or load a finished training.

    Args:
        mix: Cases to train on.
        validation: Cases that choose the weights; none keeps the last ones.
        spec: Settings.
        target: What is asked.
        folder: The training's own folder.
        seed: Root of all draws.
        accelerator: Devices, precision, threads.
        progress: Where progress is shown.

    Raises:
        CohortError: There are no cases, a contrast is missing, or one of both grades.
        LeakageError: A validation subject stands behind a training case.
        OutputError: The folder was made with other settings, or cannot be written.
    """
    from glioforge.classification.batches import ClassifierBatches, cohort_of_knowns

    modalities = mix.modalities(None, validation)
    require_no_leak(mix.inputs, validation)
    if target == "grade":
        mix = Mix(cohort_of_knowns(mix.real), mix.synthetic and cohort_of_knowns(mix.synthetic), mix.share)
        for cohort in mix.used:
            require_grades(cohort, "training")
    fabric = start(accelerator)
    seed_torch(seed, "network")
    network = build(len(modalities), spec)
    recipe = training.Supervised(network, _loss, spec.optimizer, steps=spec.budget.steps, ema=spec.ema)
    settings = {
        "classifier": spec.model_dump(mode="json"),
        "target": target,
        "share": mix.share,
        "cohorts": [cohort.fingerprint for cohort in (*mix.used, validation)],
    }
    outcome = training.train(
        recipe,
        ClassifierBatches(mix, modalities, spec, target, seed),
        spec.budget,
        folder,
        seed=seed,
        fabric=fabric,
        validate=Validation(validation, modalities, spec, target) if len(validation) else None,
        progress=progress,
        settings=settings,
    )
    return recipe.inference_network(), outcome


def build(channels: int, spec: ClassifierSpec) -> "nn.Module":
    """Return the network with weights of torch's global generator."""
    from glioforge.nn import Classifier

    return Classifier(channels, spec.widths, dims=2, dropout=spec.dropout)


def load_classifier(folder: Path, modalities: Sequence[Modality], spec: ClassifierSpec) -> "nn.Module":
    """Load the weights of a finished training.

    Raises:
        InputFileError: They are missing or damaged.
    """
    network = build(len(modalities), spec)
    training.read_weights(folder / WEIGHTS, network)
    return network.eval()


def _loss(logits: "torch.Tensor", batch: "Mapping[str, torch.Tensor]") -> "torch.Tensor":
    """Weighted cross entropy; 0 where no slice of the batch answers."""
    from torch.nn import functional

    each = functional.binary_cross_entropy_with_logits(logits, batch["truth"], reduction="none")
    return (each * batch["weight"]).sum() / batch["weight"].sum().clamp(min=1e-6)


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
