"""Train a classifier, and load its weights again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glioforge.classification.target import ClassifierSpec, Target, require_grades
from glioforge.compute import AcceleratorSpec, seed_torch, start
from glioforge.core import Cohort, Modality, Progress, require_no_leak
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
    from glioforge.classification.score import Validation
    from glioforge.training import Supervised, train

    modalities = mix.modalities(None, validation)
    require_no_leak(mix.inputs, validation)
    if target == "grade":
        mix = Mix(cohort_of_knowns(mix.real), mix.synthetic and cohort_of_knowns(mix.synthetic), mix.share)
        for cohort in mix.used:
            require_grades(cohort, "training")
    fabric = start(accelerator)
    seed_torch(seed, "network")
    network = build(len(modalities), spec)
    recipe = Supervised(network, _loss, spec.optimizer, steps=spec.budget.steps, ema=spec.ema)
    settings = {
        "classifier": spec.model_dump(mode="json"),
        "target": target,
        "share": mix.share,
        "cohorts": [cohort.fingerprint for cohort in (*mix.used, validation)],
    }
    outcome = train(
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
    from glioforge.training import read_weights

    network = build(len(modalities), spec)
    read_weights(folder / WEIGHTS, network)
    return network.eval()


def _loss(logits: "torch.Tensor", batch: "Mapping[str, torch.Tensor]") -> "torch.Tensor":
    """Weighted cross entropy; 0 where no slice of the batch answers."""
    from torch.nn import functional

    each = functional.binary_cross_entropy_with_logits(logits, batch["truth"], reduction="none")
    return (each * batch["weight"]).sum() / batch["weight"].sum().clamp(min=1e-6)
