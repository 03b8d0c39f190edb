"""Augment a whole batch, where it lies: a pure function of the batch, the seed and the step.

Images, labels and brain of a sample move together; labels and brain keep whole
numbers (nearest neighbour), and the background stays exactly 0.  Transforms of MONAI and
TorchIO draw from states of their own, with which a resumed training would see other batches.
"""

from typing import TYPE_CHECKING

from glioforge.core import stream
from glioforge.data.augment_spec import AugmentSpec

if TYPE_CHECKING:
    import torch


def augment_batch(
    batch: "dict[str, torch.Tensor]", spec: AugmentSpec, *, seed: int, step: int
) -> "dict[str, torch.Tensor]":
    """Draw and apply the changes of one step.

    Args:
        batch: `images` float32 (b, c, x, y[, z]), `labels` int64 and `brain` bool (b, x, y[, z]); the rest stays.
        spec: What may be drawn.
        seed: Seed of the training.
        step: Number of the step.

    Returns:
        A new batch of the same shapes; the one given is not written to. A batch of no samples comes back as it is.
    """
    import torch

    from glioforge.data.augment_images import change_intensities, draw_places, resample

    images = batch["images"]
    if not len(images):
        return batch
    rng = stream(seed, "augment", step)
    places = draw_places(spec, len(images), images.shape[2:], rng, images.device)
    masks = torch.stack([batch["labels"], batch["brain"]], dim=1).to(images.dtype)
    masks = resample(masks, places, "nearest")
    brain = masks[:, 1:] > 0.5
    moved = resample(images, places, "bilinear") * brain
    return {
        **batch,
        "images": change_intensities(moved, brain, spec, rng),
        "labels": masks[:, 0].round().long(),
        "brain": brain[:, 0],
    }
