"""From a study's settings to prepared cases and their split by subject."""

from collections.abc import Sequence
from pathlib import Path

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.protocols import Progress
from glioforge.core.split import Split, folds_by_subject, split_by_names, split_by_subject
from glioforge.data.phantom.cohort import write_phantom_cohort
from glioforge.data.prepare.pipeline import prepare
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.io.ingest import ingest
from glioforge.io.run_folder import read_json, write_json
from glioforge.studies.folder import StudyFolder
from glioforge.studies.spec import AugmentationSpec, Folds, PhantomData


def gather(spec: AugmentationSpec, folder: StudyFolder, data: Path | None, progress: Progress) -> Cohort:
    """Make or read the study's scans, check every file, and write down the cohort.

    Raises:
        SpecError: The study reads a folder and none is given.
    """
    if isinstance(spec.data, PhantomData):
        write_phantom_cohort(
            folder.phantoms,
            cases=spec.data.cases,
            seed=spec.data.seed,
            spec=spec.data.phantom,
            fanout=spec.fanout,
            progress=progress,
        )
        cohort = ingest(folder.phantoms, fanout=spec.fanout, progress=progress)
    elif data is None:
        raise SpecError("no folder of scans", "--data FOLDER, because this study reads one", where=spec.name)
    elif (data / "cohort.json").is_file():
        cohort = read_cohort(data)
    else:
        cohort = ingest(data, spec.data.layout, fanout=spec.fanout, progress=progress)
    write_cohort(folder.source, cohort)
    return cohort


def prepared_cohort(spec: AugmentationSpec, folder: StudyFolder, cohort: Cohort, progress: Progress) -> Cohort:
    """Prepare every case of the study and check that the contrasts asked for are there.

    Raises:
        CohortError: A contrast is missing from some case, or no contrast is common to all.
    """
    prepared = prepare(cohort, spec.prepare, folder.prepared, fanout=spec.fanout, progress=progress)
    missing = [str(m) for m in spec.modalities or () if m not in prepared.modalities]
    if missing or not prepared.modalities:
        raise CohortError(
            f"contrasts common to all cases: {[str(m) for m in prepared.modalities]}",
            f"also {missing}" if missing else "at least one",
            "name only contrasts that every case has",
            cohort.name,
        )
    return prepared


def divide(spec: AugmentationSpec, folder: StudyFolder, cohort: Cohort) -> Sequence[Split]:
    """Split by subject as the study asks, and write the names down."""
    if isinstance(spec.split, Folds):
        count = min(spec.split.folds, len(cohort.subject_ids))
        splits = folds_by_subject(cohort, count, spec.split.validation, spec.seed)
    else:
        splits = (split_by_subject(cohort, test=spec.split.test, validation=spec.split.validation, seed=spec.seed),)
    for index, split in enumerate(splits):
        sides = {side: list(getattr(split, side).subject_ids) for side in ("train", "validation", "test")}
        write_json(folder.fold(index).split, sides)
    return splits


def load_fold(folder: StudyFolder, index: int) -> Split:
    """Split of a fold, from the names written down and the prepared cohort."""
    return split_by_names(read_cohort(folder.prepared), read_json(folder.fold(index).split))
