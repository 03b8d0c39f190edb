"""A small network that reads from a slice alone whether it shows tumour, how much, and on which side.

It is trained on slices of labelled cases, and says whether a slice from noise shows what was asked of it: a generator
may ignore what it is asked, and nobody else would notice.  Han et al. 2018 name such a classifier as future work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn
from torch.nn import functional

from glioforge.compute import AcceleratorSpec, seed_torch, start
from glioforge.core import Cohort, Progress, stream
from glioforge.sampling.slice_gan import SliceGan
from glioforge.training import HOUSE_ADAMW, Budget, Supervised, inferred, train

STEPS: Final = 300
"""Steps of a training."""
_BATCH: Final = 32
_SHIFT: Final = 2
"""Pixels by which training slices are moved at most."""


@final
@dataclass(frozen=True, eq=False)
class ContentReader:
    """A trained reader.

    Args:
        network: Gives presence as a logit, size and side of each slice.
        right: Share of slices of held-out subjects whose presence of tumour it reads right; NaN without any.
        held_out: Number of these slices.
    """

    network: nn.Module
    right: float
    held_out: int

    def read(self, images: Float32[np.ndarray, "n contrast x y"]) -> Float32[np.ndarray, "n 3"]:
        """Return chance of tumour, size and side of slices from -1 to 1, as `sampling.slices` measures findings."""
        found = inferred(self.network, (torch.from_numpy(images),), AcceleratorSpec(device="cpu")).numpy()
        chance = 1 / (1 + np.exp(-found[:, :1]))
        return np.concatenate([chance, found[:, 1:]], axis=1)


def train_reader(
    method: SliceGan, cohort: Cohort, folder: Path, *, steps: int = STEPS, seed: int = 1, progress: Progress
) -> ContentReader:
    """Train a reader on slices as a sampler's settings choose them; a fifth of the subjects is held out.

    Args:
        method: Says which slices, contrasts and grid.
        cohort: Prepared cases with labels.
        folder: Folder of the training, which is resumed there.
        steps: Length of the training.
        seed: Root of all draws.
        progress: Where progress is shown.

    Raises:
        CohortError: There are no slices.
        OutputError: The folder was made with other settings, or cannot be written.
    """
    subjects = cohort.subject_ids
    order = stream(seed, "reader").permutation(len(subjects))
    apart = [subjects[place] for place in order[: len(subjects) // 5]]
    known = [name for name in subjects if name not in apart]
    images, findings = _held(method, cohort.of_subjects(known, "reader"))

    def batches(step: int) -> Mapping[str, torch.Tensor]:
        rng = stream(seed, "reader", step)
        rows = torch.from_numpy(rng.integers(len(images), size=_BATCH))
        shifts = [int(n) for n in rng.integers(-_SHIFT, _SHIFT + 1, size=2)]
        return {"images": images[rows].float().roll(shifts, dims=(2, 3)), "findings": findings[rows]}

    seed_torch(seed, "reader")
    network = _network(images.shape[1], images.shape[2])
    recipe = Supervised(network, _loss, HOUSE_ADAMW, steps=steps, ema=0.98)
    train(
        recipe,
        batches,
        Budget(steps=steps, validate_every=steps, checkpoint_every=100),
        folder,
        seed=seed,
        fabric=start(AcceleratorSpec(device="cpu", precision="32-true", threads=1)),
        progress=progress,
        settings={"cohort": cohort.fingerprint, "spec": method.spec.model_dump(mode="json")},
    )
    reader = ContentReader(recipe.inference_network().eval(), float("nan"), 0)
    if not apart:
        return reader
    unseen, truth = _held(method, cohort.of_subjects(apart, "held out"))
    right = (reader.read(unseen.float().numpy())[:, 0] > 0.5) == (truth[:, 0].numpy() > 0.5)
    return ContentReader(reader.network, float(right.mean()), len(right))


def _held(method: SliceGan, cohort: Cohort) -> tuple[torch.Tensor, torch.Tensor]:
    """Slices and findings of a cohort."""
    slices = method.slices(cohort)
    return slices.images, torch.from_numpy(slices.findings)


def _network(contrasts: int, size: int) -> nn.Module:
    """Strided convolutions and one dense layer, which knows places and so sides."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((contrasts, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.SiLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(64 * (size // 8) ** 2, 3))


def _loss(found: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
    """Cross entropy of presence, and squared errors of size and side where there is tumour."""
    truth = batch["findings"]
    presence = functional.binary_cross_entropy_with_logits(found[:, 0], truth[:, 0])
    errors = (found[:, 1:] - truth[:, 1:]).square().sum(dim=1)
    return presence + (errors * truth[:, 0]).sum() / truth[:, 0].sum().clamp(min=1)
