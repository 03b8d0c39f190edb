"""An encoder that learns to name the label of every voxel from one contrast at a time; Glioforge's own.

Its network is `nn.perceptual`, on axial slices.  `steps` steps of Adam; draws depend on seed and step alone.
"""

from typing import TYPE_CHECKING, Annotated, Final, Literal, final

import numpy as np
from pydantic import Field

from glioforge import nn
from glioforge.config import Spec
from glioforge.core import Cohort, Progress, stream, stream_seed
from glioforge.features import ENCODERS

if TYPE_CHECKING:
    from glioforge.nn import LabelEncoder

_BATCH: Final = 8
_RATE: Final = 3e-3


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

    def fit(self, cohort: Cohort, seed: int, progress: Progress) -> "tuple[LabelEncoder, float]":
        """Train on all labels of a cohort's scheme; returns the network and its last loss.

        Raises:
            CaseError: A case has no label map.
        """
        import torch

        from glioforge.losses import dice_and_cross_entropy

        values = sorted(cohort.scheme.labels.values())
        table = np.zeros(256, dtype=np.int64)
        table[values] = np.arange(len(values))
        images, labels = _slices(cohort, table)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(seed, "encoder") % 2**63)
            reader = nn.LabelReader(len(values), self._spec.widths, dims=2)
        optimizer = torch.optim.Adam(reader.parameters(), lr=_RATE)
        last = float("nan")
        for step in progress.track(range(self._spec.steps), "training the encoder"):
            rng = stream(seed, "encoder", step)
            chosen = rng.integers(0, len(images), _BATCH)
            contrast = rng.integers(0, images.shape[1], _BATCH)
            x = torch.from_numpy(images[chosen, contrast])[:, None]
            loss = dice_and_cross_entropy(reader(x), torch.from_numpy(labels[chosen]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            last = float(loss.detach())
        return reader.encoder.eval(), last


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
