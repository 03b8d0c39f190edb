"""Features of a small encoder that learned tissue and lesion on training subjects.

`nn.perceptual` learns to name the label of every voxel from one contrast at a
time, on axial slices.  Features are means and standard deviations of its channels
over the brain.  It has seen subjects: who is measured with it must not be among them.

Conventions
-----------
folder      `encoder.safetensors` and `encoder.json`: settings, hash, subjects, loss
training    `STEPS` steps of Adam; draws depend on seed and step alone
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from glioforge import nn
from glioforge.core import (
    Case,
    Cohort,
    InputFileError,
    LeakageError,
    Lineage,
    Modality,
    Progress,
    Silent,
    listed,
    stream,
    stream_seed,
)
from glioforge.features.space import Extractor
from glioforge.io import read_json, write_atomically, write_json

if TYPE_CHECKING:
    import torch

    from glioforge.nn import LabelEncoder

WIDTHS: Final = (8, 16, 32, 32)
"""Channels of each level, finest first."""
STEPS: Final = 150
"""Steps of a training, unless given."""
_BATCH: Final = 8
_RATE: Final = 3e-3
_WEIGHTS: Final = "encoder.safetensors"
_CARD: Final = "encoder.json"
_VERSION: Final = "1"


@final
class Encoder:
    """A trained encoder, read from its folder.

    Args:
        folder: Folder that `train_encoder` wrote.

    Raises:
        InputFileError: The folder holds no encoder, or its weights have another hash than its card says.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load

        self._card: dict[str, Any] = read_json(folder / _CARD)
        data = (folder / _WEIGHTS).read_bytes() if (folder / _WEIGHTS).is_file() else b""
        if _hash(data) != self._card.get("weights"):
            raise InputFileError("damaged or missing weights", "the encoder's own", "train it again", folder / _WEIGHTS)
        self._network: nn.LabelEncoder = nn.LabelEncoder(tuple(self._card["widths"]), dims=2)
        self._network.load_state_dict(load(data))
        self._network.eval()

    @property
    def extractor(self) -> Extractor:
        """Settings and hash of the weights."""
        settings = {name: self._card[name] for name in ("widths", "steps", "seed", "cohort")}
        return Extractor("encoder", _VERSION, settings, str(self._card["weights"]))

    @property
    def lineage(self) -> Lineage:
        """Everybody behind its weights."""
        return Lineage.from_json(self._card["lineage"])

    @property
    def subjects(self) -> frozenset[str]:
        """Everybody whose data it was trained on."""
        return frozenset(self._card["lineage"]["subjects"])

    def require_unseen(self, cohort: Cohort) -> None:
        """Refuse a cohort with subjects whom the encoder was trained on.

        Raises:
            LeakageError: Names them.
        """
        seen = sorted(self.subjects & set(cohort.subject_ids))
        if seen:
            raise LeakageError(
                f"subjects whom the encoder was trained on: {listed(seen)}",
                "an encoder of other subjects",
                "train it on the training subjects of the study",
                cohort.where,
            )

    def features(self, case: Case, modalities: tuple[Modality, ...]) -> dict[str, float]:
        """Means and standard deviations of all channels over the brain, contrast by contrast."""
        import torch

        brain = case.brain_mask
        if not brain.any():
            return {}
        slices = np.flatnonzero(brain.any(axis=(0, 1)))
        inside = torch.from_numpy(np.ascontiguousarray(np.moveaxis(brain[..., slices], 2, 0)))
        found: dict[str, float] = {}
        with torch.inference_mode():
            for modality in modalities:
                image = np.moveaxis(case.images[modality].voxels[..., slices], 2, 0)
                x = torch.from_numpy(np.ascontiguousarray(image))[:, None]
                found |= {f"{modality} {name}": value for name, value in _pooled(self._network, x, inside).items()}
        return found


def train_encoder(
    cohort: Cohort, folder: Path, *, steps: int = STEPS, seed: int = 1, progress: Progress | None = None
) -> Encoder:
    """Train an encoder on a cohort, or read it where it is done.

    Args:
        cohort: Prepared, labelled cases of training subjects.
        folder: Where it is kept.
        steps: Length of the training.
        seed: Of weights and batches.
        progress: Where progress is shown.

    Raises:
        CaseError: A case has no label map.
        InputFileError: The folder holds a damaged encoder.
    """
    key = {"widths": list(WIDTHS), "steps": steps, "seed": seed, "cohort": cohort.fingerprint}
    known = read_json(folder / _CARD) if (folder / _CARD).is_file() else {}
    if any(known.get(name) != value for name, value in key.items()):
        network, loss = _trained(cohort, steps, seed, progress or Silent())
        from safetensors.torch import save

        data = save({name: value.contiguous() for name, value in network.state_dict().items()})
        lineage = Lineage.union("encoder", (cohort.lineage,), weights=_hash(data))
        write_atomically(folder / _WEIGHTS, data)
        write_json(folder / _CARD, {**key, "weights": _hash(data), "loss": loss, "lineage": lineage.to_json()})
    return Encoder(folder)


def _trained(cohort: Cohort, steps: int, seed: int, progress: Progress) -> "tuple[LabelEncoder, float]":
    """The encoder and its last loss."""
    import torch

    from glioforge.losses import dice_and_cross_entropy

    values = sorted(cohort.scheme.labels.values())
    table = np.zeros(256, dtype=np.int64)
    table[values] = np.arange(len(values))
    images, labels = _slices(cohort, table)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "encoder") % 2**63)
        reader = nn.LabelReader(len(values), WIDTHS, dims=2)
    optimizer = torch.optim.Adam(reader.parameters(), lr=_RATE)
    last = float("nan")
    for step in progress.track(range(steps), "training the encoder"):
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


def _pooled(network: "LabelEncoder", x: "torch.Tensor", inside: "torch.Tensor") -> dict[str, float]:
    """Statistics of every channel of every level over the brain."""
    from torch.nn import functional

    found: dict[str, float] = {}
    for number, level in enumerate(network(x), 1):
        mask = functional.interpolate(inside[:, None].float(), level.shape[2:], mode="nearest")[:, 0] > 0
        values = level.movedim(1, 0)[:, mask].double()
        for kind, row in (("mean", values.mean(dim=1)), ("spread", values.std(dim=1, correction=0))):
            found |= {f"level {number} {kind} {n}": float(value) for n, value in enumerate(row.tolist())}
    return found


def _hash(data: bytes) -> str:
    """Hash of a file of weights."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()
