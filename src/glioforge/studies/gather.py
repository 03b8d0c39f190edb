"""From a study's settings to prepared cases and their split by subject."""

from collections.abc import Sequence
from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.firewall import require_no_leak
from glioforge.core.protocols import Progress
from glioforge.core.split import Split, folds_by_subject, split_by_names, split_by_subject
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.prepare.fitting import require_one_grid
from glioforge.data.prepare.pipeline import PrepareSpec, prepare
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.io.ingest import ingest
from glioforge.io.run_folder import read_json, write_json
from glioforge.studies.base import Folds, PhantomData, StudySpec
from glioforge.studies.folder import StudyFolder


def read_given(spec: StudySpec, data: Path | None, progress: Progress) -> Cohort | None:
    """Read and check the scans that a study is given; nothing is written, so that bad scans leave nothing behind.

    Returns:
        The cohort, or none where the study makes phantoms.

    Raises:
        SpecError: The study reads a folder and none is given, or one is given to a study of phantoms.
        CohortError: Cases without labels, too few subjects, or a contrast asked for that is missing.
        LeakageError: A case to train on, or what the preparation was fitted on, comes from a subject to be tested.
    """
    if isinstance(spec.data, PhantomData):
        if data is not None:
            raise SpecError(
                f"--data {data}", "no --data, because this study makes phantoms", "or set data.kind=folder", spec.name
            )
        return None
    if data is None:
        raise SpecError("no folder of scans", "--data FOLDER, because this study reads one", where=spec.name)
    made = (data / "cohort.json").is_file()
    cohort = read_cohort(data) if made else ingest(data, spec.data.layout, parallel=spec.parallel, progress=progress)
    require_usable(spec, cohort)
    return cohort


def gather(spec: StudySpec, folder: StudyFolder, given: Cohort | None, progress: Progress) -> Cohort:
    """Take the scans given, or make the study's phantoms and check every file; write down the cohort."""
    cohort = given
    if cohort is None:
        data = PhantomData.model_validate(spec.data)
        write_phantom_cohort(
            folder.phantoms,
            cases=data.cases,
            seed=data.seed,
            spec=data.phantom,
            parallel=spec.parallel,
            progress=progress,
        )
        cohort = ingest(folder.phantoms, parallel=spec.parallel, progress=progress)
        require_usable(spec, cohort)
    write_cohort(cohort, folder.source)
    return cohort


def prepared_cohort(spec: StudySpec, folder: StudyFolder, cohort: Cohort, progress: Progress) -> Cohort:
    """Prepare every case of the study, with the contrasts that it asks for.

    Raises:
        CohortError: Voxel sizes differ.
    """
    settings = spec.prepare if spec.modalities is None else _with_contrasts(spec)
    prepared = prepare(cohort, settings, folder.prepared, parallel=spec.parallel, progress=progress)
    require_one_grid(prepared)
    return prepared


def divide(spec: StudySpec, folder: StudyFolder, cohort: Cohort) -> Sequence[Split]:
    """Split by subject as the study asks, and write the names down."""
    splits = _splits(spec, cohort)
    for index, split in enumerate(splits):
        sides = {side: list(getattr(split, side).subject_ids) for side in ("train", "validation", "test")}
        write_json(folder.fold(index).split, sides)
    return splits


def _splits(spec: StudySpec, cohort: Cohort) -> Sequence[Split]:
    """Division by subject as the study asks."""
    if isinstance(spec.split, Folds):
        count = min(spec.split.folds, len(cohort.subject_ids))
        return folds_by_subject(cohort, folds=count, validation=spec.split.validation, seed=spec.seed)
    return (split_by_subject(cohort, test=spec.split.test, validation=spec.split.validation, seed=spec.seed),)


def _with_contrasts(spec: StudySpec) -> PrepareSpec:
    """Preparation that keeps the contrasts of the study."""
    return PrepareSpec.model_validate({**spec.prepare.model_dump(), "modalities": spec.modalities})


def require_usable(spec: StudySpec, cohort: Cohort) -> None:
    """Refuse a cohort that the study could not finish with, before anything is written; errors as `read_given`."""
    unlabelled = [ref.case_id for ref in cohort if ref.labels is None]
    if unlabelled:
        more = f" and {len(unlabelled) - 5} more" if len(unlabelled) > 5 else ""
        raise CohortError(
            f"cases without a label map: {', '.join(unlabelled[:5])}{more}",
            "a label map for every case",
            "label these cases or leave them out",
            cohort.name,
        )
    fitted = spec.prepare.fitted()
    for split in _splits(spec, cohort):
        require_no_leak({"training cases": split.train, "validation cases": split.validation, **fitted}, split.test)
        require_no_leak(fitted, split.validation)
    wanted = spec.modalities or spec.prepare.modalities or ()
    missing = [str(m) for m in wanted if m not in cohort.modalities]
    if missing or not cohort.modalities:
        raise CohortError(
            f"contrasts common to all cases: {[str(m) for m in cohort.modalities]}",
            f"also {missing}" if missing else "at least one",
            "name only contrasts that every case has",
            cohort.name,
        )


def load_fold(folder: StudyFolder, index: int) -> Split:
    """Split of a fold, from the names written down and the prepared cohort."""
    return split_by_names(read_cohort(folder.prepared), read_json(folder.fold(index).split))
