"""A trained synthesizer: read from its folder, and used on label maps.

The folder holds the model's card (`training.model_folder`), and the weights and class statistics of the synthesizer.

Conventions
-----------
input                 label maps in the scheme of the training cohort
output                z-scores clipped to [-5, 5], exactly 0 where the label is background
weights.safetensors   `network/...` of the network, `appearance/...` of the class statistics
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge import training
from glioforge.compute import AcceleratorSpec, precision_for, precision_note
from glioforge.core import InputFileError, LabelError, LabelMap, LabelScheme, Lineage, Modality, Volume
from glioforge.io import CARD
from glioforge.synthesis.appearance import Appearance, painted_map, unseen_classes, warning_of
from glioforge.synthesis.method import SYNTHESIZERS, Knowledge, Method
from glioforge.training import WEIGHTS, Card, expected_hash, read_card

LIMIT = 5.0
"""Largest absolute z-score of an image."""


@final
class TrainedSynthesizer:
    """An `ImageSynthesizer` with what it was trained on.

    Args:
        method: Method with its weights.
        card: What the model's folder says of it.
        folder: That folder.
        accelerator: Where it runs; the CPU takes one thread unless a number is given, so that bytes don't
            depend on the machine's cores.  Without a precision of its own it takes the one of the training (see
            `compute.accelerator.precision_for`).
    """

    def __init__(self, method: Method, card: Card, folder: Path, accelerator: AcceleratorSpec) -> None:
        self.card = card
        self.folder = folder
        self._method = method
        self._unseen = unseen_classes(method.knowledge.appearance, method.knowledge.scheme)
        precision = precision_for(self.trained_in, accelerator)
        self._accelerator = accelerator.model_copy(update={"precision": precision})

    @property
    def spec(self) -> Any:  # noqa: ANN401 - each method has its own spec
        """The method's spec."""
        return self._method.spec

    @property
    def accelerator(self) -> AcceleratorSpec:
        """Device, precision and threads of its inference."""
        return self._accelerator

    @property
    def kind(self) -> str:
        """Name of the method."""
        return self.card.kind

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts made."""
        return self._method.knowledge.modalities

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of the label maps taken."""
        return self._method.knowledge.scheme

    @property
    def trained_in(self) -> str:
        """Precision of its training."""
        return self.card.precision

    @property
    def runs_in(self) -> str:
        """Precision that it runs in here."""
        return self._accelerator.precision

    @property
    def kept(self) -> dict[str, Any]:
        """Precision and threads that it runs with, for folders that remember them."""
        return {"precision": self.runs_in, "threads": self._accelerator.threads or 1}

    @property
    def note(self) -> str:
        """What must be told of the precision that it runs in; empty where that is the one of its training."""
        return precision_note(self.trained_in, self.runs_in) if self.parameters else ""

    @property
    def varied(self) -> bool:
        """Whether one label map gives differing images."""
        return self._method.varied

    @property
    def weights_hash(self) -> str:
        """Hash of the file of weights and statistics."""
        return self.card.weights

    @property
    def lineage_subjects(self) -> tuple[str, ...]:
        """Subjects that the weights depend on: those of the training cases, and of validation if it selected them."""
        return self.card.lineage.subjects

    @property
    def parameters(self) -> int:
        """Trained numbers of the network that makes images; 0 without a network."""
        network = self._method.network
        return 0 if network is None else sum(p.numel() for p in network.parameters() if p.requires_grad)

    @property
    def facts(self) -> Mapping[str, str]:
        """What a report says of the training besides the spec."""
        warning = warning_of(self._unseen, self.spec.stand_ins)
        return {**self.card.facts, **({"unseen classes": warning} if warning else {})}

    @property
    def preparations(self) -> tuple[str, ...]:
        """Preparations of the training cases, where known."""
        return self.card.preparations

    @property
    def lineage(self) -> Lineage:
        """Origin of the model itself, for the leakage firewall."""
        return self.card.model_lineage

    def takes(self, scheme: LabelScheme) -> bool:
        """Whether label maps of a scheme are taken as they are."""
        return self._method.takes(scheme)

    def synthesize(self, labels: LabelMap, rng: np.random.Generator) -> dict[Modality, Volume]:
        """Synthesize one volume per contrast on the map's grid; the same generator state gives the same bytes.

        A map without brain gives images of 0.

        Raises:
            LabelError: The map is in another scheme than the training cohort was, or has a class that no training
                case had and that `stand_ins` names no other class for.
        """
        if not self.takes(labels.scheme):
            raise LabelError(
                f"labels in scheme {labels.scheme.name!r}",
                f"scheme {self.scheme.name!r}, in which it was trained",
                "prepare the label map as the training cohort was",
                where=self.kind,
            )
        labels = painted_map(labels, self._unseen, self.spec.stand_ins, self.kind)
        inside = labels.foreground
        if not inside.any():
            images = np.zeros((len(self.modalities), *labels.voxels.shape), np.float32)
        else:
            images = self._method.images(labels, rng, self._accelerator)
        clipped = np.clip(np.nan_to_num(images, posinf=LIMIT, neginf=-LIMIT), -LIMIT, LIMIT) * inside
        return {
            modality: Volume(np.ascontiguousarray(image, dtype=np.float32), labels.geometry, modality)
            for modality, image in zip(self.modalities, clipped, strict=True)
        }


def load_synthesizer(folder: Path, accelerator: AcceleratorSpec | None = None) -> TrainedSynthesizer:
    """Load a trained synthesizer.

    Args:
        folder: Made by `train_synthesizer`.
        accelerator: Where it shall run; one device whatever it says of devices, in the precision of its training
            unless it names another (see `compute.accelerator.precision_for`).

    Raises:
        InputFileError: The folder is unfinished, or a file is damaged, changed or hostile.
    """
    method, card = read_model(folder)
    return TrainedSynthesizer(method, card, folder, accelerator or AcceleratorSpec())


MAX_APPEARANCE = 2**28
"""Largest size in bytes of the class statistics: more is refused before it is read."""

_REMEDY = "take the whole folder as train made it, or train again"


def write_tensors(folder: Path, method: Method) -> dict[str, str]:
    """Write network and class statistics; return the file's hash by its name.

    Raises:
        OutputError: The folder cannot be written.
    """
    import torch

    arrays = method.knowledge.appearance.to_arrays()
    tensors = {f"appearance/{name}": torch.from_numpy(array.copy()) for name, array in arrays.items()}
    if method.network is not None:
        tensors |= {f"network/{name}": value for name, value in method.network.state_dict().items()}
    return {WEIGHTS: training.write_weights(folder / WEIGHTS, tensors)}


def read_model(folder: Path) -> tuple[Method, Card]:
    """Read a trained method and its card.

    Raises:
        InputFileError: The folder holds something else, is unfinished, a file is damaged or changed, or they don't
            belong together.
    """
    card = read_card(folder, SYNTHESIZERS)
    knowledge = _knowledge(card, training.read_some(folder / WEIGHTS, "appearance/", MAX_APPEARANCE), folder)
    return _method(card, knowledge, folder / WEIGHTS, expected_hash(card, WEIGHTS, folder)), card


def _knowledge(card: Card, tensors: Mapping[str, Any], folder: Path) -> Knowledge:
    """What the card and the class statistics say of the training cohort."""
    try:
        if card.scheme is None:
            msg = "no label scheme"
            raise ValueError(msg)  # noqa: TRY301 - one message for all that does not fit
        appearance = _appearance(tensors, len(card.scheme.labels), len(card.modalities))
        return Knowledge(card.modalities, card.scheme, appearance)
    except (KeyError, ValueError) as error:
        raise InputFileError(
            f"a card that does not fit its weights ({error!r})", "the card as train wrote it", _REMEDY, folder / CARD
        ) from error


def _method(card: Card, knowledge: Knowledge, path: Path, expected: str) -> Method:
    """The method with the file's weights, whose hash is checked without a network too."""
    from torch import nn

    made: list[Method] = []

    def build() -> nn.Module:
        made.append(SYNTHESIZERS.part_for(card.spec)(card.spec, knowledge))
        return made[-1].network or nn.Module()

    training.read_weights(path, training.built_to_fit(build, path, "network/").eval(), expected, "network/")
    return made[-1]


def _appearance(tensors: Mapping[str, Any], classes: int, contrasts: int) -> Appearance:
    """Class statistics, checked for shape and finite values."""
    arrays = {name: np.asarray(tensors[f"appearance/{name}"]) for name in ("means", "deviations", "present")}
    for name, array in arrays.items():
        if array.ndim != 3 or array.shape[1:] != (classes, contrasts) or not len(array) or not np.isfinite(array).all():
            msg = f"appearance/{name} of shape {array.shape}"
            raise ValueError(msg)
    return Appearance.from_arrays(arrays)
