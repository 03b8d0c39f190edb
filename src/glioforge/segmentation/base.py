"""Segmenters: what each method gives, how one is trained, kept, loaded and asked.

A method is one file in `segmentation/methods`: a spec, `build` (the network) and
`recipe` (loss and optimiser).  Data, mixing, augmentation, validation, model
selection and prediction are shared, so that arms and methods differ in nothing else.

Conventions
-----------
input      prepared cases: intensities in [-5, 5], 0 outside the brain
output     scheme BRATS2023 on the case's grid, background outside the brain
score      mean volumetric Dice over WT, TC and ET of the validation subjects
lineage    every subject behind training and validation cases: the weights depend on both
folder     `card.json` (spec, lineage, hashes) beside what `training.loop` writes
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, final

import numpy as np
from pydantic import Field

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch, start
from glioforge.config.registry import Registry
from glioforge.config.spec import Spec
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError, InputFileError
from glioforge.core.labels import LabelMap
from glioforge.core.modality import Modality
from glioforge.core.protocols import Progress
from glioforge.core.schemes import BRATS2023
from glioforge.data.augment import AugmentSpec
from glioforge.io.run_folder import read_json, write_json
from glioforge.segmentation.batches import SegmenterBatches
from glioforge.segmentation.clean import CleanSpec, clean
from glioforge.segmentation.mix import Mix
from glioforge.segmentation.predict import CLASSES, predict_labels
from glioforge.segmentation.validate import Validation, brain_of
from glioforge.training.budget import Budget, Outcome

if TYPE_CHECKING:
    import torch
    from torch import nn

    from glioforge.training.loop import Recipe

CARD = "card.json"
WEIGHTS = "weights.safetensors"
LARGEST_INTENSITY = 5.0
"""Prepared images are clipped here."""


class SegmenterSpec(Spec):
    """Settings that every segmenter shares; a method's spec adds its own and a `kind`."""

    batch_size: int = Field(8, ge=1)
    """Slices in a step."""
    size: tuple[int, int] | None = None
    """Slices are cut or padded to this size in training; the grid's own unless given."""
    lesion_share: float = Field(0.33, ge=0, le=1)
    """Share of a batch drawn from slices with tumour, the rest from all slices with brain (nnU-Net's third).
    At 1 the segmenter never sees a slice without tumour."""
    modalities: tuple[Modality, ...] | None = None
    """Contrasts to use; those that every training case has unless given."""
    augment: AugmentSpec | None = AugmentSpec()
    """Classical augmentation, of real and synthetic slices alike."""
    flips: bool = False
    """Average predictions over the slice and its mirror image."""
    clean: CleanSpec = CleanSpec()
    """Rules applied to every predicted map; none by default."""


class SegmenterMethod(Protocol):
    """What a file in `segmentation/methods` registers."""

    def __init__(self, spec: Any, /) -> None:  # noqa: ANN401 - each method has its own spec
        """Take the method's spec."""
        ...

    def build(self, channels: int, classes: int) -> "nn.Module":
        """Network from `(b, channels, x, y)` to logits `(b, classes, x, y)`, freshly initialised."""
        ...

    def recipe(self, network: "nn.Module", real: Cohort, steps: int) -> "Recipe":
        """Loss and optimiser; statistics of labels are taken from the real training cases alone."""
        ...


SEGMENTERS: Registry[SegmenterMethod] = Registry("segmenter", "glioforge.segmentation.methods")


@final
@dataclass(frozen=True, eq=False)
class TrainedSegmenter:
    """A segmenter with weights; a `core.protocols.Segmenter`.

    Args:
        spec: Its settings.
        network: Its network, in evaluation mode.
        modalities: Contrasts it needs, in the order of its channels.
        lineage_subjects: Every subject behind its training and validation cases.
        weights_hash: Hash of its weights file.
        outcome: What its training came to.
        precision: Precision that it was trained in and predicts in.
    """

    spec: SegmenterSpec
    network: "nn.Module"
    modalities: tuple[Modality, ...]
    lineage_subjects: tuple[str, ...]
    weights_hash: str
    outcome: Outcome
    precision: str

    def segment(self, case: Case) -> LabelMap:
        """Label a prepared case on its own grid, in scheme BRATS2023.

        Raises:
            CaseError: A contrast is missing, or the images were not prepared.
        """
        import torch

        images = case.stack(self.modalities)
        largest = float(np.abs(images).max())
        if largest > LARGEST_INTENSITY * 1.01:
            raise CaseError(
                f"intensities up to {largest:.4g}",
                "prepared images within [-5, 5]",
                "prepare the case first",
                case.case_id,
            )
        device = next(self.network.parameters()).device.type
        autocast = torch.autocast(device, torch.bfloat16) if self.precision == "bf16-mixed" else nullcontext()
        voxels = predict_labels(self.network, images, brain_of(case), flips=self.spec.flips, autocast=autocast)
        return clean(LabelMap(voxels, case.geometry, BRATS2023), self.spec.clean)


def train_segmenter(  # noqa: PLR0913 - what a training consists of, by keyword
    spec: SegmenterSpec,
    train: Cohort,
    validation: Cohort,
    folder: Path,
    *,
    seed: int,
    budget: Budget,
    synthetic: Cohort | None = None,
    synthetic_share: float = 0.0,
    accelerator: AcceleratorSpec | None = None,
    progress: Progress | None = None,
) -> TrainedSegmenter:
    """Train a segmenter, go on with one, or load it when it is done; the same call does all three.

    Args:
        spec: Method and settings.
        train: Prepared, labelled real cases.
        validation: Prepared, labelled real cases of other subjects, for model selection.
        folder: The segmenter's own folder.
        seed: Seed of weights, batches and augmentation.
        budget: Steps, validation and plateau.
        synthetic: Synthetic cases to mix in.
        synthetic_share: Share of synthetic slices in every batch; 1 leaves the real cases out.
        accelerator: Device, precision and threads.
        progress: Where progress is shown.

    Raises:
        CohortError: There is no case to train on or to validate with, or no common contrast.
        LeakageError: A validation subject is trained on, itself or as the parent of a synthetic case.
        SpecError: The synthetic share does not fit the synthetic cohort.
        OutputError: The folder was made with other settings or is in use.
    """
    from glioforge.training.loop import train as run

    mix = Mix(train, synthetic, synthetic_share)
    modalities = mix.modalities(spec.modalities, validation)
    mix.require_apart(validation)
    accelerator = accelerator or AcceleratorSpec()
    fabric = start(accelerator)
    method = SEGMENTERS.part_for(spec)(spec)
    seed_torch(seed, "network")
    network = method.build(len(modalities), CLASSES)
    settings = _settings(spec, mix, validation, modalities, accelerator)
    outcome = run(
        method.recipe(network, train, budget.steps),
        _batches(spec, mix, modalities, seed),
        budget,
        folder,
        seed=seed,
        fabric=fabric,
        validate=Validation(validation, modalities, fabric.autocast),
        progress=progress,
        settings=settings,
    )
    if fabric.is_global_zero:
        _write_card(folder, settings, outcome)
    fabric.barrier()
    return _load(folder, fabric.device)


def load_segmenter(folder: Path, accelerator: AcceleratorSpec | None = None) -> TrainedSegmenter:
    """Load a trained segmenter, on the accelerator's device; the CPU unless given.

    Raises:
        InputFileError: The folder holds no finished segmenter, or its weights were changed.
    """
    return _load(folder, "cpu" if accelerator is None else start(accelerator).device)


def _load(folder: Path, device: "torch.device | str") -> TrainedSegmenter:
    """Read card and weights onto a device."""
    from glioforge.training.weights import read_weights

    card = read_json(folder / CARD)
    if card.get("type") != "segmenter":
        raise InputFileError(
            f"a card of type {card.get('type')!r}",
            "a segmenter's card",
            "name the folder of a segmenter",
            folder / CARD,
        )
    spec = cast("SegmenterSpec", SEGMENTERS.parse(card["spec"]))
    modalities = tuple(Modality(name) for name in card["modalities"])
    network = SEGMENTERS.part_for(spec)(spec).build(len(modalities), CLASSES)
    weights_hash = read_weights(folder / WEIGHTS, network, card["weights"])
    return TrainedSegmenter(
        spec,
        network.to(device).eval(),
        modalities,
        tuple(card["lineage_subjects"]),
        weights_hash,
        Outcome.from_json(card["outcome"]),
        card["precision"],
    )


def _batches(spec: SegmenterSpec, mix: Mix, modalities: tuple[Modality, ...], seed: int) -> SegmenterBatches:
    """Batches as the spec asks for."""
    return SegmenterBatches(
        mix,
        modalities,
        augment=spec.augment,
        size=spec.size,
        batch_size=spec.batch_size,
        lesion_share=spec.lesion_share,
        seed=seed,
    )


def _settings(
    spec: SegmenterSpec, mix: Mix, validation: Cohort, modalities: tuple[Modality, ...], accelerator: AcceleratorSpec
) -> dict[str, Any]:
    """What the weights depend on beside budget and seed; becomes part of the card."""
    return {
        "spec": spec.model_dump(mode="json"),
        "modalities": [str(modality) for modality in modalities],
        "precision": accelerator.precision,
        "train": [{"name": cohort.name, "fingerprint": cohort.fingerprint} for cohort in mix.used],
        "synthetic_share": mix.share,
        "validation": {"name": validation.name, "fingerprint": validation.fingerprint},
        "lineage_subjects": mix.subjects_behind(validation),
    }


def _write_card(folder: Path, settings: dict[str, Any], outcome: Outcome) -> None:
    """Write what `load_segmenter` needs."""
    facts = read_json(folder / "done.json")["facts"]
    write_json(
        folder / CARD,
        {"type": "segmenter", "version": 1, **settings, "weights": facts["weights"], "outcome": outcome.to_json()},
    )
