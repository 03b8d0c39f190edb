"""Train a synthesizer on a cohort, keep it in a folder, load it, use it.

Conventions
-----------
input       prepared cases: complete labels, z-scores within the brain, exactly 0 outside
output      z-scores clipped to [-5, 5], exactly 0 where the label is background
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.config.spec import Spec
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, LabelError
from glioforge.core.firewall import require_no_leak
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.lineage import Lineage
from glioforge.core.modality import Modality
from glioforge.core.preparation import PREPARATION, preparations_of
from glioforge.core.protocols import Progress, Silent
from glioforge.core.volume import Volume
from glioforge.io.run_folder import Step
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.card import read_model, write_model
from glioforge.synthesis.method import (
    SYNTHESIZERS,
    Fitting,
    Knowledge,
    Method,
    SynthesizerSpec,
    chosen_modalities,
    known_modalities,
)

__all__ = [
    "SYNTHESIZERS",
    "Method",
    "SynthesizerSpec",
    "TrainedSynthesizer",
    "load_synthesizer",
    "train_synthesizer",
]

LIMIT = 5.0
"""Largest absolute z-score of an image."""


@final
class TrainedSynthesizer:
    """An `ImageSynthesizer` with what it was trained on.

    Args:
        method: Method with its weights.
        card: What the model's folder says of it.
        folder: That folder.
        accelerator: Where it runs; the CPU takes one thread unless told otherwise, so that bytes don't
            depend on the machine's cores.
    """

    def __init__(self, method: Method, card: Mapping[str, Any], folder: Path, accelerator: AcceleratorSpec) -> None:
        self.card = dict(card)
        self.folder = folder
        self._method = method
        self._accelerator = accelerator

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
        return str(self.card["kind"])

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts made."""
        return self._method.knowledge.modalities

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of the label maps taken."""
        return self._method.knowledge.scheme

    @property
    def varied(self) -> bool:
        """Whether one label map gives differing images."""
        return self._method.varied

    @property
    def weights_hash(self) -> str:
        """Hash of the file of weights and statistics."""
        return str(self.card["weights"])

    @property
    def lineage_subjects(self) -> tuple[str, ...]:
        """Subjects behind the training cases."""
        return tuple(self.card["subjects"])

    @property
    def parameters(self) -> int:
        """Trained numbers of the network that makes images; 0 without a network."""
        network = self._method.network
        return 0 if network is None else sum(p.numel() for p in network.parameters() if p.requires_grad)

    @property
    def facts(self) -> Mapping[str, str]:
        """What a report must tell of its training beside the spec."""
        return dict(self.card.get("facts", {}))

    @property
    def preparations(self) -> tuple[str, ...]:
        """Preparations of the training cases, where known."""
        return tuple(self.card.get(PREPARATION, ()))

    @property
    def lineage(self) -> Lineage:
        """Origin of the model itself, for the leakage firewall."""
        return Lineage("synthetic", self.kind, self.lineage_subjects, weights=self.weights_hash)

    def synthesize(self, labels: LabelMap, rng: np.random.Generator) -> dict[Modality, Volume]:
        """One volume a contrast on the map's grid; the same generator state gives the same bytes.

        A map without brain gives images of 0.

        Raises:
            LabelError: The map is in another scheme than the training cohort was.
        """
        if labels.scheme != self.scheme:
            raise LabelError(
                f"labels in scheme {labels.scheme.name!r}",
                f"scheme {self.scheme.name!r}, in which it was trained",
                "prepare the label map as the training cohort was",
                where=self.kind,
            )
        inside = labels.voxels > 0
        if not inside.any():
            images = np.zeros((len(self.modalities), *labels.voxels.shape), np.float32)
        else:
            images = self._method.images(labels, rng, self._accelerator)
        clipped = np.clip(np.nan_to_num(images, posinf=LIMIT, neginf=-LIMIT), -LIMIT, LIMIT) * inside
        return {
            modality: Volume(np.ascontiguousarray(image, dtype=np.float32), labels.geometry, modality)
            for modality, image in zip(self.modalities, clipped, strict=True)
        }


def train_synthesizer(  # noqa: PLR0913 - cohort, place and run settings, by keyword
    spec: Spec,
    train: Cohort,
    validation: Cohort | None,
    folder: Path,
    *,
    seed: int,
    accelerator: AcceleratorSpec,
    progress: Progress | None = None,
) -> TrainedSynthesizer:
    """Train a synthesizer, or go on with its training, or load it when it is done.

    Args:
        spec: Spec of a kind in `SYNTHESIZERS`.
        train: Prepared cases with complete labels.
        validation: Cases of other subjects for model selection, if any.
        folder: The model's own folder.
        seed: Root of all draws.
        accelerator: Devices, precision, threads.
        progress: Where progress is shown.

    Raises:
        CohortError: The cohort is empty, lacks a contrast or has no tissue labels.
        LeakageError: A validation subject stands behind a training case.
        OutputError: The folder was made with other settings.
        TrainingError: The training diverged.
    """
    progress = progress or Silent()
    kind = SYNTHESIZERS.part_for(spec)
    modalities = _usable(spec, train)
    if validation is not None and len(validation):
        require_no_leak({"training cases": train}, validation)
        modalities_of_validation = set(validation.modalities)
        validation = validation if set(modalities) <= modalities_of_validation else None
    with Step(folder, _key(spec, train, validation, seed, accelerator)) as step:
        if not step.done:
            knowledge = Knowledge(modalities, train.scheme, Appearance.of(_loaded(train), modalities, train.scheme))
            method = kind(spec, knowledge)
            outcome = method.fit(Fitting(train, validation, folder / "training", seed, accelerator, progress))
            card = write_model(folder, method, _card(train, seed, outcome))
            step.finish({"weights": card["weights"]})
    return load_synthesizer(folder, accelerator)


def load_synthesizer(folder: Path, accelerator: AcceleratorSpec | None = None) -> TrainedSynthesizer:
    """Load a trained synthesizer.

    Args:
        folder: Made by `train_synthesizer`.
        accelerator: Where it shall run; one device whatever it says of devices.

    Raises:
        InputFileError: The folder is unfinished, or a file is damaged, changed or hostile.
    """
    method, card = read_model(folder)
    return TrainedSynthesizer(method, card, folder, accelerator or AcceleratorSpec())


def _usable(spec: Any, train: Cohort) -> tuple[Modality, ...]:  # noqa: ANN401 - any method's spec
    """Contrasts to make, once the cohort is seen to have them and tissue labels."""
    if not len(train):
        raise CohortError("no training cases", "at least one", "check the split", train.name)
    if not train.scheme.is_complete:
        raise CohortError(
            f"labels in scheme {train.scheme.name!r}, which names no normal tissue",
            "complete label maps",
            "prepare the cohort first",
            train.name,
        )
    known = known_modalities(train, gaps=spec.gaps)
    modalities = chosen_modalities(spec.modalities, train, gaps=spec.gaps)
    missing = [str(m) for m in modalities if m not in known]
    if missing or not modalities:
        raise CohortError(
            f"contrasts {[str(m) for m in known]} in {'any' if spec.gaps else 'every'} case",
            f"also {missing}" if missing else "some",
            "leave incomplete cases out, or ask for fewer contrasts",
            train.name,
        )
    return modalities


def _loaded(cohort: Cohort) -> Iterator[Case]:
    """Cases one after the other, so that memory holds one."""
    return (ref.load() for ref in cohort)


def _key(
    spec: Spec, train: Cohort, validation: Cohort | None, seed: int, accelerator: AcceleratorSpec
) -> dict[str, Any]:
    """All that the weights depend on, but devices and threads."""
    return {
        "spec": spec.model_dump(mode="json"),
        "train": train.fingerprint,
        "validation": None if validation is None else validation.fingerprint,
        "seed": seed,
        "precision": accelerator.precision,
    }


def _card(train: Cohort, seed: int, outcome: Any) -> dict[str, Any]:  # noqa: ANN401 - an outcome or none
    """Entries of the card that come from the training."""
    return {
        "subjects": sorted(train.subjects_behind),
        "train": {"name": train.name, "cases": len(train), "fingerprint": train.fingerprint},
        PREPARATION: list(preparations_of(train)),
        "seed": seed,
        "metrics": {} if outcome is None else {"validation_score": outcome.best_score, "best_step": outcome.best_step},
        "training": None
        if outcome is None
        else {"steps": outcome.steps, "seconds": outcome.seconds, "alarms": list(outcome.alarms)},
    }
