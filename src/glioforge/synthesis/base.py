"""Train a synthesizer on a cohort, keep it in a folder, load it, use it.

Conventions
-----------
input       prepared cases: complete labels, z-scores within the brain, exactly 0 outside
output      z-scores clipped to [-5, 5], exactly 0 where the label is background
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge.compute.accelerator import AcceleratorSpec, described, device_of, precision_for, precision_note
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
from glioforge.io.run_accelerator import kept_of, settled
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
from glioforge.synthesis.unseen_classes import painted_map, require_stand_ins, unseen_classes, warning_of

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
            depend on the machine's cores.  Without a precision of its own it takes the one of the training (see
            `compute.accelerator.precision_for`).
    """

    def __init__(self, method: Method, card: Mapping[str, Any], folder: Path, accelerator: AcceleratorSpec) -> None:
        self.card = dict(card)
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
    def trained_in(self) -> str:
        """Precision of its training; float32 where the card does not say."""
        return str(self.card.get("precision", "32-true"))

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
        return "" if self._method.network is None else precision_note(self.trained_in, self.runs_in)

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
        """Subjects that the weights depend on: those of the training cases, and of validation if it selected them."""
        return tuple(self.card["subjects"])

    @property
    def parameters(self) -> int:
        """Trained numbers of the network that makes images; 0 without a network."""
        network = self._method.network
        return 0 if network is None else sum(p.numel() for p in network.parameters() if p.requires_grad)

    @property
    def facts(self) -> Mapping[str, str]:
        """What a report says of the training besides the spec."""
        warning = warning_of(self._unseen, self.spec.stand_ins)
        return {**self.card.get("facts", {}), **({"unseen classes": warning} if warning else {})}

    @property
    def preparations(self) -> tuple[str, ...]:
        """Preparations of the training cases, where known."""
        return tuple(self.card.get(PREPARATION, ()))

    @property
    def lineage(self) -> Lineage:
        """Origin of the model itself, for the leakage firewall."""
        return Lineage("synthetic", self.kind, self.lineage_subjects, weights=self.weights_hash)

    def synthesize(self, labels: LabelMap, rng: np.random.Generator) -> dict[Modality, Volume]:
        """Synthesize one volume per contrast on the map's grid; the same generator state gives the same bytes.

        A map without brain gives images of 0.

        Raises:
            LabelError: The map is in another scheme than the training cohort was, or has a class that no training
                case had and that `stand_ins` names no other class for.
        """
        if labels.scheme != self.scheme:
            raise LabelError(
                f"labels in scheme {labels.scheme.name!r}",
                f"scheme {self.scheme.name!r}, in which it was trained",
                "prepare the label map as the training cohort was",
                where=self.kind,
            )
        labels = painted_map(labels, self._unseen, self.spec.stand_ins, self.kind)
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
        accelerator: Devices, precision, threads; `auto` and none take those that the folder began with, else this
            machine's.
        progress: Where progress is shown.

    Raises:
        CohortError: The cohort is empty, lacks a contrast or has no tissue labels; or weights are selected on
            validation cases that lack a contrast.
        LeakageError: A validation subject stands behind a training case.
        OutputError: The folder was made with other settings.
        SpecError: `stand_ins` names unknown classes, or unseen ones as those to paint.
        TrainingError: The training diverged.
    """
    progress = progress or Silent()
    kind = SYNTHESIZERS.part_for(spec)
    modalities = _usable(spec, train)
    if validation is not None and len(validation):
        require_no_leak({"training cases": train}, validation)
        validation = _judging(spec, validation, modalities, progress)
    settings = settled(accelerator, folder)
    with Step(folder, _key(spec, train, validation, seed, settings), kept=kept_of(settings)) as step:
        if not step.done:
            progress.say(described(settings))
            knowledge = Knowledge(modalities, train.scheme, Appearance.of(_loaded(train), modalities, train.scheme))
            _announce_unseen(spec, knowledge, progress)
            method = kind(spec, knowledge)
            outcome = method.fit(Fitting(train, validation, folder / "training", seed, settings, progress))
            behind = train.subjects_behind | _selected_on(spec, validation)
            facts = {**kept_of(settings), "device": device_of(settings).type}
            card = write_model(folder, method, {**_card(train, behind, seed, outcome), **facts})
            step.finish({"weights": card["weights"]})
    return load_synthesizer(folder, accelerator)


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


def _announce_unseen(spec: Any, knowledge: Knowledge, progress: Progress) -> None:  # noqa: ANN401 - any method's spec
    """Warn of classes that no training case has, once their stand-ins are seen to be fit."""
    unseen = unseen_classes(knowledge.appearance, knowledge.scheme)
    require_stand_ins(spec.stand_ins, unseen, knowledge.scheme)
    if warning := warning_of(unseen, spec.stand_ins):
        progress.say(f"warning: {warning}")


def _judging(spec: Any, validation: Cohort, modalities: tuple[Modality, ...], progress: Progress) -> Cohort | None:  # noqa: ANN401 - any method's spec
    """Return the validation cohort if it has all contrasts; else none, unless weights are to be selected by it."""
    missing = [str(m) for m in modalities if m not in known_modalities(validation, gaps=spec.gaps)]
    if not missing:
        return validation
    if getattr(spec, "select", False):
        raise CohortError(
            f"validation cases without {missing}",
            "all contrasts that the model makes, as select is true",
            "leave incomplete cases out, ask for fewer contrasts, or set select to false",
            validation.name,
        )
    progress.say(f"warning: no validation score, as validation cases lack {missing}")
    return None


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


def _selected_on(spec: Any, validation: Cohort | None) -> frozenset[str]:  # noqa: ANN401 - any method's spec
    """Validation subjects that the weights depend on: all of them where the spec selects weights by their score."""
    selected = validation is not None and getattr(spec, "select", False)
    return frozenset(validation.subjects_behind if validation is not None and selected else ())


def _card(train: Cohort, behind: AbstractSet[str], seed: int, outcome: Any) -> dict[str, Any]:  # noqa: ANN401 - an outcome or none
    """Entries of the card that come from the training; `behind` are the subjects that the weights depend on."""
    return {
        "subjects": sorted(behind),
        "train": {"name": train.name, "cases": len(train), "fingerprint": train.fingerprint},
        PREPARATION: list(preparations_of(train)),
        "seed": seed,
        "metrics": {} if outcome is None else {"validation_score": outcome.best_score, "best_step": outcome.best_step},
        "training": None
        if outcome is None
        else {"steps": outcome.steps, "seconds": outcome.seconds, "alarms": list(outcome.alarms)},
    }
