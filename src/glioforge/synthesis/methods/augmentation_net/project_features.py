"""Features for a perceptual loss that are learned in the project, where no weights of VGG-19 are at hand.

A small encoder learns on the training subjects to predict every label of the complete map from one contrast at a
time.  Its features are of brain tissue and lesions instead of photographs, and of the training subjects alone, so
no test subject can leak through them; but they are not VGG-19, and what is trained with them says so: it is named
`project features` on the card and in reports.
"""

from collections.abc import Callable

import torch
from pydantic import Field

from glioforge.compute import seed_torch, start
from glioforge.config import Spec
from glioforge.losses import dice_and_cross_entropy
from glioforge.nn import Dims, LabelEncoder, LabelReader
from glioforge.training import Batch, Budget, Fitting, OptimizerSpec, Supervised, preparing, train

NAME = "project features"
"""What such features are called wherever a model trained with them is described."""
FOLDER = "features"
"""Folder next to the training's own; it stays in the model's folder with weights and history."""


class FeatureSpec(Spec):
    """The encoder, and how long it learns."""

    widths: tuple[int, ...] = Field((8, 16, 16, 32, 32), min_length=1)
    """Channels of each level, finest first."""
    optimizer: OptimizerSpec = OptimizerSpec(method="adam", learning_rate=3e-3, weight_decay=0, schedule="cosine")
    """Optimiser and schedule."""
    budget: Budget = Budget(steps=150, validate_every=50, checkpoint_every=50)
    """Length of the training."""


def train_features(
    spec: FeatureSpec, batches: Callable[[int], Batch], classes: int, dims: Dims, fitting: Fitting
) -> LabelEncoder:
    """Train the encoder, or go on, or load what is done; always on one device.

    Args:
        spec: Widths and length.
        batches: Batches of the method, with `images` `(b, contrast, *grid)` and `labels` `(b, planes, *grid)`.
        classes: Number of labels.
        dims: 2 or 3.
        fitting: The method's own training, whose folder is next to the encoder's.
    """
    seed_torch(fitting.seed, "project features")
    reader = LabelReader(classes, spec.widths, dims=dims)
    alone = fitting.accelerator.model_copy(update={"devices": 1, "nodes": 1, "strategy": "auto"})
    with preparing() as estimated:
        budget = spec.budget.model_copy(update={"steps": 1}) if estimated else spec.budget
        train(
            Supervised(reader, _loss, spec.optimizer, steps=budget.steps),
            lambda step: single_contrasts(batches(step)),
            budget,
            fitting.folder.with_name(FOLDER),
            seed=fitting.seed,
            fabric=start(alone),
            progress=fitting.progress,
            settings={"spec": spec.model_dump(mode="json"), "train": fitting.train.fingerprint},
        )
    return reader.encoder.cpu().eval().requires_grad_(False)


def single_contrasts(batch: Batch) -> dict[str, torch.Tensor]:
    """Every contrast as a sample of its own, under the labels of its slice or patch; missing ones are left out."""
    images, labels = batch["images"], batch["labels"]
    middle = labels[:, labels.shape[1] // 2].repeat_interleave(images.shape[1], dim=0)
    known = batch.get("available", torch.ones(images.shape[:2], dtype=torch.bool)).flatten()
    return {"images": images.flatten(0, 1)[known][:, None], "labels": middle[known]}


def _loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Dice and cross entropy of all labels."""
    return dice_and_cross_entropy(logits, batch["labels"])
