"""Cases that a study is given or makes, refused where it could not finish; its folds, prepared and split by subject."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from glioforge.core import (
    Cohort,
    CohortError,
    Progress,
    SpecError,
    Split,
    folds_by_subject,
    listed,
    require_no_leak,
    select_cases,
    split_by_site,
    split_by_subject,
    split_in_order,
    tumour_scheme,
)
from glioforge.data import PrepareSpec, prepare, promised_phantoms, require_one_grid, write_phantom_cohort
from glioforge.io import COHORT_FILE, DONE, ingest, read_cohort, write_cohort
from glioforge.studies.base import First80, Folds, PhantomData, Sites, Slices, StudySpec
from glioforge.studies.fold import PHANTOMS, PREPARED, SOURCE, Fold, Study, cohort_in
from glioforge.studies.leaky import FOLDER as LEAKY, promised_sides, sides_of, write_slices
from glioforge.studies.store import address, placed, plain


def read_given(spec: StudySpec, data: Path | None, progress: Progress) -> Cohort | None:
    """Read and check the scans that a study is given; nothing is written, so that bad scans leave nothing behind.

    Returns:
        The cohort, or none where the study makes phantoms.

    Raises:
        SpecError: The study reads a folder and none is given, or one is given to a study of phantoms.
        CohortError: Cases without labels, too few subjects, none that fulfils the conditions, or a contrast asked for
            that is missing.
        LeakageError: A case to train on, or what the preparation was fitted on, comes from a subject to be tested.
    """
    if isinstance(spec.data, PhantomData):
        if data is not None:
            raise SpecError(
                f"--data {data}", "no --data, because this study makes phantoms", "or set data.kind=folder", spec.name
            )
        if not spec.where:  # what conditions ask of phantoms is known when they are made
            require_usable(spec, promised(spec))
        return None
    if data is None:
        raise SpecError("no folder of scans", "--data FOLDER, because this study reads one", where=spec.name)
    if (data / "cohort.json").is_file():
        cohort = select_cases(read_cohort(data), spec.where)
        require_usable(spec, cohort)
        return cohort
    return ingested(spec, data, progress)


def ingested(spec: StudySpec, folder: Path, progress: Progress) -> Cohort:
    """Read a folder of scans or phantoms, and check every file; errors as `read_given`."""
    layout = None if isinstance(spec.data, PhantomData) else spec.data.layout
    cohort = ingest(folder, layout, where=spec.where, parallel=spec.parallel, progress=progress)
    require_usable(spec, cohort)
    return cohort


def promised(spec: StudySpec) -> Cohort:
    """Return the phantoms of a study as they will be, without files; an empty cohort for a study of scans."""
    data = spec.data
    if not isinstance(data, PhantomData):
        return promised_phantoms(0, 0)
    return promised_phantoms(data.seed, data.cases, data.phantom)


def splits(spec: StudySpec, cohort: Cohort) -> Sequence[Split]:
    """Division by subject as the study asks."""
    how, seed = spec.split, spec.seed
    if isinstance(how, Folds):
        count = min(how.folds, len(cohort.subject_ids))
        return folds_by_subject(cohort, folds=count, validation=how.validation, seed=seed)
    if isinstance(how, First80):
        return (split_in_order(cohort, first=how.first, validation=how.validation, seed=seed),)
    if isinstance(how, Sites):
        return split_by_site(cohort, validation=how.validation, seed=seed, test=how.test)
    return (split_by_subject(cohort, test=how.test, validation=how.validation, seed=seed),)


def require_usable(spec: StudySpec, cohort: Cohort) -> None:
    """Refuse a cohort that the study could not finish with, before anything is written; errors as `read_given`."""
    unlabelled = [ref.case_id for ref in cohort if ref.labels is None]
    if unlabelled:
        raise CohortError(
            f"cases without a label map: {listed(unlabelled)}",
            "a label map for every case",
            "label these cases or leave them out",
            cohort.name,
        )
    _require_regions(spec, cohort)
    fitted = spec.prepare.fitted()
    for split in splits(spec, cohort):
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


def _require_regions(spec: StudySpec, cohort: Cohort) -> None:
    """Refuse regions that no label map of the cohort could name, such as a resection cavity before surgery."""
    schemes = (cohort.scheme, tumour_scheme(cohort.scheme))
    known = {name for scheme in schemes for name in (*scheme.labels, *(n for n, v in scheme.regions.items() if v))}
    unknown = [region for region in spec.regions if region not in known]
    if unknown:
        rest = ", ".join(region for region in spec.regions if region in known)
        raise CohortError(
            f"label maps in scheme {cohort.scheme.name}, which names no {', '.join(unknown)}",
            f"regions among {', '.join(sorted(known))}",
            f"score the others alone: --set regions='[{rest}]'" if rest else "name regions of this scheme",
            cohort.name,
        )


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
