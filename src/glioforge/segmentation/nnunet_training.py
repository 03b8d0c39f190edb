"""Trains nnU-Net on a cohort: its raw data set, its planning, our folds, its training.

The same call goes on where it stood: cases that are written, plans that are
made and folds that are validated stay; a fold goes on from its last checkpoint.
"""

from pathlib import Path
from typing import Any

from glioforge.core.cohort import Cohort
from glioforge.core.counted import counted
from glioforge.core.errors import SpecError
from glioforge.core.protocols import Progress, Silent
from glioforge.core.schemes import tumour_scheme
from glioforge.io.nnunet_raw import write_nnunet_raw
from glioforge.io.run_folder import Step, write_json
from glioforge.segmentation.nnunet import (
    CARD,
    DATASET,
    NUMBER,
    WAYS,
    NnunetRunSpec,
    NnunetSegmenter,
    fold_folder,
    load_nnunet,
    weights_hash,
)
from glioforge.segmentation.nnunet_command import call_nnunet
from glioforge.segmentation.nnunet_folds import FILE as FOLDS_FILE
from glioforge.segmentation.nnunet_folds import Fold, nnunet_folds, single_fold

_PLANNED = "planned.json"


def train_nnunet(
    spec: NnunetRunSpec,
    train: Cohort,
    folder: Path,
    *,
    seed: int,
    validation: Cohort | None = None,
    progress: Progress | None = None,
) -> NnunetSegmenter:
    """Train nnU-Net, go on, or load it when it is done; the same call does all three.

    Args:
        spec: What to ask for.
        train: Labelled cases, real, synthetic or both.
        folder: The run's own folder.
        seed: Seed of the folds; nnU-Net itself takes none.
        validation: Cases of other subjects for the one fold there is then; else folds are made.
        progress: Where progress is shown.

    Raises:
        DependencyError: nnU-Net is not installed.
        TrainingError: One of its commands failed.
        LeakageError: A validation subject stands behind a training case.
        CohortError: There are too few cases, subjects or contrasts.
        SpecError: A fold is asked for that there is not.
        OutputError: The folder was made with other settings or is in use.
    """
    progress = progress or Silent()
    cohort = train if validation is None else train + validation
    folds = nnunet_folds(train, spec.folds, seed) if validation is None else single_fold(train, validation)
    chosen = _chosen(spec, len(folds))
    settings = {"spec": spec.model_dump(mode="json"), "cohort": cohort.fingerprint, "splits": folds}
    with Step(folder, settings) as step:
        if not step.done:
            _plan(spec, cohort, folds, folder, progress)
            for fold in progress.track(chosen, "training nnU-Net, fold by fold", len(chosen)):
                _train_fold(spec, fold, folder)
            weights = weights_hash(spec, chosen, folder)
            write_json(folder / CARD, {"type": "nnunet", **_facts(spec, cohort, chosen), "weights": weights})
            step.finish({"weights": weights})
    return load_nnunet(folder)


def _plan(spec: NnunetRunSpec, cohort: Cohort, folds: list[Fold], folder: Path, progress: Progress) -> None:
    """Write the raw data set, let nnU-Net plan and preprocess, and put our folds in the place of its own."""
    write_nnunet_raw(cohort, folder / "nnUNet_raw" / DATASET, regions=spec.regions, progress=progress)
    if not (folder / _PLANNED).exists():
        progress.say(f"nnU-Net plans and preprocesses {counted(len(cohort), 'case')}")
        processes = str(spec.processes)
        words = ["nnUNetv2_plan_and_preprocess", "-d", NUMBER, "-c", spec.configuration, "-pl", spec.planner_class]
        words += ["-np", processes, "-npfp", processes, "--verify_dataset_integrity", "--clean", "--no_pbar"]
        call_nnunet(words, folder)
        write_json(folder / _PLANNED, {"planner": spec.planner_class, "configuration": spec.configuration})
    write_json(folder / "nnUNet_preprocessed" / DATASET / FOLDS_FILE, folds)


def _train_fold(spec: NnunetRunSpec, fold: int, folder: Path) -> None:
    """Train one fold, from its last checkpoint if there is one; nothing once it was validated."""
    place = fold_folder(spec, fold, folder)
    if (place / "validation" / "summary.json").exists():
        return
    words = ["nnUNetv2_train", NUMBER, spec.configuration, str(fold), "-tr", spec.trainer, "-p", spec.plans]
    words += ["-device", spec.resolved_device]
    call_nnunet([*words, "--c"] if any(place.glob("checkpoint_*.pth")) else words, folder)


def _facts(spec: NnunetRunSpec, cohort: Cohort, folds: tuple[int, ...]) -> dict[str, Any]:
    """What the card says beside the weights."""
    return {
        "version": 1,
        "spec": spec.model_dump(mode="json"),
        "scheme": tumour_scheme(cohort.scheme).name,
        "modalities": [str(modality) for modality in cohort.modalities],
        "folds": list(folds),
        "lineage_subjects": sorted(cohort.subjects_behind),
        WAYS: cohort.lineage.to_json().get("ways", {}),
        "cohort": {"name": cohort.name, "fingerprint": cohort.fingerprint},
    }


def _chosen(spec: NnunetRunSpec, count: int) -> tuple[int, ...]:
    """Folds to train.

    Raises:
        SpecError: There is no such fold.
    """
    chosen = tuple(range(count)) if spec.trained is None else spec.trained
    if not chosen or not set(chosen) <= set(range(count)):
        raise SpecError(f"folds {list(chosen)}", f"some of 0 to {count - 1}", where="trained")
    return chosen
