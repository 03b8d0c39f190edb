"""Features of a small encoder that learned tissue and lesion on training subjects.

Features are means and standard deviations of its channels over the brain, contrast by
contrast.  It has seen subjects: who is measured with it must not be among them.

Conventions
-----------
folder      that of a trained model of any family (see `training.model_folder`)
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, final

import numpy as np

from glioforge import training
from glioforge.compute import AcceleratorSpec
from glioforge.config import Registry
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
)
from glioforge.features.space import Extractor
from glioforge.io import CARD, OLDER_ENCODER
from glioforge.training import WEIGHTS, Card, Fitting, Outcome, expected_hash, keep_trained, lineage_of, read_card

if TYPE_CHECKING:
    import torch

    from glioforge.nn import LabelEncoder

STEPS: Final = 150
"""Steps of a training, unless given."""
_KIND: Final = "labels"
_VERSION: Final = "1"


class EncoderMethod(Protocol):
    """What a file in `features/encoders` registers."""

    def __init__(self, spec: Any, /) -> None:  # noqa: ANN401 - each kind has its own spec
        """Take the kind's spec."""
        ...

    def build(self) -> "LabelEncoder":
        """Network of the spec, freshly initialised."""
        ...

    def fit(self, fitting: Fitting) -> "tuple[LabelEncoder, Outcome]":
        """Trained network in evaluation mode, and what the training came to; it goes on where it was stopped."""
        ...


ENCODERS: Registry[EncoderMethod] = Registry("encoder", "glioforge.features.encoders")
"""All encoders by kind."""


@final
class Encoder:
    """A trained encoder, read from its folder.

    Args:
        folder: Folder that `train_encoder` wrote.

    Raises:
        InputFileError: The folder holds no finished encoder, or one of an earlier release; or a file of it is damaged,
            changed or hostile.
    """

    def __init__(self, folder: Path) -> None:
        if (folder / OLDER_ENCODER).is_file() and not (folder / CARD).is_file():
            raise InputFileError(
                f"an encoder of an earlier release ({OLDER_ENCODER})",
                f"a folder with {CARD}",
                "train it again: repeat the command that made it with another --out",
                folder,
            )
        self._card = card = read_card(folder, ENCODERS)
        method, path = ENCODERS.part_for(card.spec)(card.spec), folder / WEIGHTS
        self._network = cast("LabelEncoder", training.built_to_fit(method.build, path))
        training.read_weights(path, self._network, expected_hash(card, WEIGHTS, folder))
        self._network.eval()

    @property
    def extractor(self) -> Extractor:
        """Settings and hash of the weights."""
        return Extractor("encoder", _VERSION, self._card.spec.model_dump(mode="json"), self._card.weights)

    @property
    def lineage(self) -> Lineage:
        """Everybody behind its weights."""
        return self._card.model_lineage

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


def require_other_subjects(behind: Collection[str], cohort: Cohort) -> None:
    """Refuse a cohort with subjects whom an encoder is or was trained on; raises `LeakageError` with their names."""
    seen = sorted(set(behind) & set(cohort.subject_ids))
    if seen:
        raise LeakageError(
            f"subjects whom the encoder was trained on: {listed(seen)}",
            "an encoder of other subjects",
            "train it on the training subjects of the study",
            cohort.where,
        )


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
        OutputError: The folder was made with other settings or is in use.
        TrainingError: The training diverged.
        InputFileError: The folder holds a damaged encoder.
    """
    spec = ENCODERS.parse({"kind": _KIND, "steps": steps})
    # It is small, and the same on every machine.
    how = AcceleratorSpec(device="cpu", precision="32-true")
    fitting = Fitting(cohort, None, folder / "training", seed, how, progress or Silent())

    def fit() -> "tuple[LabelEncoder, Outcome]":
        return ENCODERS.part_for(spec)(spec).fit(fitting)

    def card(fitted: "tuple[LabelEncoder, Outcome]") -> Card:
        network, outcome = fitted
        return Card(
            family=ENCODERS.family,
            spec=spec,
            modalities=cohort.modalities,
            lineage=lineage_of(spec, cohort, None),
            files={WEIGHTS: training.write_weights(folder / WEIGHTS, network.state_dict())},
            scheme=cohort.scheme,
            outcome=outcome,
            training={"seed": seed, "train": cohort.fingerprint, "device": "cpu"},
        )

    keep_trained(folder, spec, fitting, fit, card)
    for name in (OLDER_ENCODER, "encoder.safetensors"):
        (folder / name).unlink(missing_ok=True)
    return Encoder(folder)


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
