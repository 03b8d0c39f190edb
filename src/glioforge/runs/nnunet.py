"""nnU-Net on a cohort of which some subjects are kept away: trained, or written for those who train it elsewhere."""

from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.counted import counted
from glioforge.core.firewall import require_no_leak
from glioforge.core.protocols import Progress
from glioforge.core.schemes import BRATS2023
from glioforge.core.split import split_by_subject
from glioforge.core.written_scheme import described
from glioforge.data.prepare.record import SPLIT, copy_preparation
from glioforge.io.nnunet_raw import write_nnunet_raw
from glioforge.io.run_folder import Step, write_json
from glioforge.segmentation.nnunet import DATASET, NnunetRunSpec
from glioforge.segmentation.nnunet_folds import FILE as FOLDS_FILE
from glioforge.segmentation.nnunet_folds import nnunet_folds
from glioforge.segmentation.nnunet_training import train_nnunet


def run_nnunet(
    cohort: Cohort,
    spec: NnunetRunSpec,
    out: Path,
    *,
    test: float = 0.2,
    seed: int = 1,
    progress: Progress | None = None,
) -> str:
    """Train nnU-Net; the same call goes on where it stood.

    Args:
        cohort: Labelled cases, prepared or not.
        spec: What nnU-Net is asked to do.
        out: Folder of the model; also gets `split.json` with the subjects of each side.
        test: Share of subjects kept away from the model.
        seed: Seed of split and folds.
        progress: Where to show progress; nowhere unless given.

    Returns:
        One line for the user.

    Raises:
        LeakageError: A kept subject stands behind a training case.
        CohortError: There are too few subjects.
        DependencyError: nnU-Net is not installed.
        TrainingError: One of its commands failed.
    """
    kept, sides = _divided(cohort, test, seed)
    trained = train_nnunet(spec, kept, out, seed=seed, progress=progress)
    write_json(out / SPLIT, sides)
    copy_preparation(kept, out)
    return (
        f"nnU-Net trained on {counted(len(sides['train']), 'subject')} in {counted(len(trained.folds), 'fold')}, "
        f"kept {len(sides['test'])} away for testing; model in {out}"
    )


def export_nnunet(
    cohort: Cohort,
    spec: NnunetRunSpec,
    out: Path,
    *,
    test: float = 0.2,
    seed: int = 1,
    progress: Progress | None = None,
) -> str:
    """Write the raw data set, the folds and the split, and leave the training to others; arguments as `run_nnunet`.

    Raises:
        LeakageError: A kept subject stands behind a training case.
        CohortError: There are too few subjects.
        OutputError: The folder holds the export of other cases or settings, or cannot be written.
    """
    kept, sides = _divided(cohort, test, seed)
    key = {"verb": "nnunet --export", "spec": spec.model_dump(mode="json"), "cohort": kept.fingerprint, "seed": seed}
    folds = nnunet_folds(kept, spec.folds, seed)
    with Step(out, key) as step:
        place = write_nnunet_raw(kept, out / "nnUNet_raw" / DATASET, regions=spec.regions, progress=progress).parent
        write_json(out / FOLDS_FILE, folds)
        write_json(out / SPLIT, sides)
        if not step.done:
            step.finish({"cases": len(kept)})
    return (
        f"{counted(len(kept), 'case')} of {cohort.name} in {place}, labels numbered as nnU-Net wants them and named in "
        f"dataset.json: {described(BRATS2023)}; copy {FOLDS_FILE} into nnU-Net's preprocessed folder of the "
        "data set once it is planned, so that no subject is divided"
    )


def require_divisible(cohort: Cohort, spec: NnunetRunSpec, *, test: float = 0.2, seed: int = 1) -> None:
    """Refuse what `run_nnunet` and `export_nnunet` would refuse of a cohort; nothing is written.

    Raises:
        LeakageError, CohortError: As these.
    """
    kept, _ = _divided(cohort, test, seed)
    nnunet_folds(kept, spec.folds, seed)


def _divided(cohort: Cohort, test: float, seed: int) -> tuple[Cohort, dict[str, list[str]]]:
    """All but the subjects for testing, and the subjects of each side."""
    split = split_by_subject(cohort, test=test, validation=(1 - test) / 2, seed=seed)
    kept = cohort.of_subjects([*split.train.subject_ids, *split.validation.subject_ids], split.train.name)
    require_no_leak({kept.name: kept}, split.test)
    return kept, {"train": list(kept.subject_ids), "validation": [], "test": list(split.test.subject_ids)}
