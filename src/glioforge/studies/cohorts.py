"""From a study's cases to its folds: made where they are phantoms, prepared, and split by subject."""

from dataclasses import replace
from pathlib import Path

from glioforge.core import Cohort, Progress
from glioforge.data import PrepareSpec, require_one_grid, write_phantom_cohort
from glioforge.data.prepare.pipeline import prepare
from glioforge.io import COHORT_FILE, DONE, write_cohort
from glioforge.studies.base import PhantomData, Slices, StudySpec
from glioforge.studies.fold import PHANTOMS, PREPARED, SOURCE, Fold, Study, cohort_in
from glioforge.studies.given import ingested, promised, splits
from glioforge.studies.leaky import FOLDER as LEAKY, promised_sides, sides_of, write_slices
from glioforge.studies.store import address, placed, plain


def prepared_folds(study: Study, given: Cohort | None, progress: Progress) -> list[Fold]:
    """Gather and prepare the cases of a study, split them by subject, and return its folds.

    Phantoms and prepared cases are kept in the store, where another study with the same ones finds them.

    Args:
        study: The study, whose folder is locked.
        given: What `read_given` returned.
        progress: Where to show progress.

    Raises:
        CohortError: Voxel sizes differ, or the phantoms are too few.
    """
    spec = study.spec
    cohort = given if given is not None else _phantoms(study, progress)
    write_cohort(cohort, study.root / SOURCE)
    folder = placed(study.root / PREPARED, prepared_folder(study, cohort.fingerprint))
    prepared = prepare(cohort, settings_of(spec), folder, parallel=spec.parallel, progress=progress)
    require_one_grid(prepared)
    folds = []
    for index, split in enumerate(splits(spec, prepared)):
        folds.append(study.fold(index))
        folds[-1].write_split(split)
    if isinstance(spec.split, Slices):
        how = spec.split
        cut = write_slices(prepared, study.root / LEAKY, test=how.test, validation=how.validation, seed=spec.seed)
        folds.append(study.fold(len(folds)))
        folds[-1].write_split(sides_of(cut))
    return folds


def planned_folds(study: Study, given: Cohort | None) -> tuple[list[Fold], bool]:
    """Return the folds that `prepared_folds` will return, and whether their cases are prepared; nothing is written."""
    cohort = given if given is not None else _made_phantoms(study)
    folder = None if cohort is None else prepared_folder(study, cohort.fingerprint)
    done = folder is not None and (folder / DONE).is_file()
    promise = cohort or promised(study.spec)
    cases = cohort_in(folder) if folder is not None and done else promise
    known = study
    study = replace(study, cases=promise)
    folds = [Fold(study, index, split) for index, split in enumerate(splits(study.spec, cases))]
    if isinstance(study.spec.split, Slices):
        cut = known.fold(len(folds))
        folds.append(Fold(study, cut.index, cut.split if cut.split_file.is_file() else promised_sides(cases)))
    return folds, done


def _made_phantoms(study: Study) -> Cohort | None:
    """The cohort of phantoms that the study's folder holds; none where it does not."""
    return cohort_in(study.root / SOURCE) if (study.root / SOURCE / COHORT_FILE).is_file() else None


def prepared_folder(study: Study, fingerprint: str) -> Path:
    """Return the folder in which the study's cases are prepared, given the fingerprint of the cases as they came."""
    key = {"prepare": plain(settings_of(study.spec)), "cohort": fingerprint}
    return address(study.store, PREPARED, key)


def _phantoms(study: Study, progress: Progress) -> Cohort:
    """Make the study's phantoms and check every file."""
    spec = study.spec
    data = PhantomData.model_validate(spec.data)
    folder = placed(study.root / PHANTOMS, address(study.store, PHANTOMS, plain(data)))
    parallel = spec.parallel
    write_phantom_cohort(
        folder, cases=data.cases, spec=data.phantom, seed=data.seed, parallel=parallel, progress=progress
    )
    return ingested(spec, folder, progress)


def settings_of(spec: StudySpec) -> PrepareSpec:
    """Preparation that keeps the contrasts of the study, where it names some."""
    if spec.modalities is None:
        return spec.prepare
    return PrepareSpec.model_validate({**spec.prepare.model_dump(), "modalities": spec.modalities})
