"""An encoder that learns to name the label of every voxel from one contrast at a time; Glioforge's own.

Its network is `nn.perceptual`, on axial slices.  `steps` steps of Adam; draws depend on seed and step alone.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal, final

import numpy as np
from pydantic import Field

from glioforge import nn
from glioforge.compute import start
from glioforge.config import Spec
from glioforge.core import Cohort, stream, stream_seed
from glioforge.features import ENCODERS
from glioforge.training import Budget, Fitting, OptimizerSpec, Outcome

if TYPE_CHECKING:
    import torch

    from glioforge.nn import LabelEncoder

_BATCH: Final = 8
_RATE: Final = 3e-3
_CHECKPOINT: Final = 50
"""Steps between checkpoints."""


class LabelsSpec(Spec):
    """Settings of an encoder of labels."""

    kind: Literal["labels"] = "labels"
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field((8, 16, 32, 32), min_length=1)
    """Channels of each level, finest first."""
    steps: int = Field(150, ge=1)
    """Steps of its training."""


@ENCODERS.register(LabelsSpec)
@final
class Labels:
    """What builds and trains an encoder of labels.

    Args:
        spec: Settings.
    """

    def __init__(self, spec: LabelsSpec) -> None:
        self._spec = spec

    def build(self) -> "LabelEncoder":
        """Return the network, `(b, 1, i, j)` to features of each level, with weights of torch's global generator."""
        return nn.LabelEncoder(self._spec.widths, dims=2)

    def fit(self, fitting: Fitting) -> "tuple[LabelEncoder, Outcome]":
        """Train on all labels of a cohort's scheme; returns the network and what the training came to.

        Raises:
            CaseError: A case has no label map.
            TrainingError: The training diverged.
        """
        import torch

        from glioforge.losses import dice_and_cross_entropy
        from glioforge.training import Supervised, train

        cohort, seed, steps = fitting.train, fitting.seed, self._spec.steps
        values = sorted(cohort.scheme.labels.values())
        table = np.zeros(256, dtype=np.int64)
        table[values] = np.arange(len(values))
        images, labels = _slices(cohort, table)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(seed, "encoder") % 2**63)
            reader = nn.LabelReader(len(values), self._spec.widths, dims=2)
            recipe = Supervised(
                reader,
                lambda logits, batch: dice_and_cross_entropy(logits, batch["labels"]),
                OptimizerSpec(method="adam", learning_rate=_RATE, weight_decay=0),
                steps=steps,
                clip_norm=None,
            )
            outcome = train(
                recipe,
                partial(_batch, images, labels, seed),
                Budget(steps=steps, validate_every=steps, checkpoint_every=_CHECKPOINT),
                fitting.folder,
                seed=seed,
                fabric=start(fitting.accelerator),
                progress=fitting.progress,
                settings={"spec": self._spec.model_dump(mode="json"), "cohort": cohort.fingerprint},
            )
        return reader.encoder.eval(), outcome


def _batch(images: np.ndarray, labels: np.ndarray, seed: int, step: int) -> "dict[str, torch.Tensor]":
    """Slices of one contrast each, and the labels of their voxels."""
    import torch

    rng = stream(seed, "encoder", step)
    chosen = rng.integers(0, len(images), _BATCH)
    contrast = rng.integers(0, images.shape[1], _BATCH)
    shown = torch.from_numpy(images[chosen, contrast])[:, None]  # (b, 1, i, j)
    return {"images": shown, "labels": torch.from_numpy(labels[chosen])}


def _slices(cohort: Cohort, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axial slices with much brain: images `(slice, contrast, i, j)` and numbers of labels `(slice, i, j)`."""
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for ref in cohort:
        case = ref.load()
        voxels = case.require_labels().voxels
        areas = (voxels > 0).sum(axis=(0, 1))
        chosen = np.flatnonzero(areas >= areas.max() / 2)[::2]
        images.append(np.moveaxis(case.stack(cohort.modalities)[..., chosen], 3, 0))
        labels.append(np.moveaxis(table[voxels[..., chosen]], 2, 0))
    return np.concatenate(images), np.concatenate(labels)
