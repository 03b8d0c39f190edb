"""Cases that a study is given: read, and refused before anything is written where the study could not finish."""

from collections.abc import Sequence
from pathlib import Path

from glioforge.core import (
    Cohort,
    CohortError,
    Progress,
    SpecError,
    Split,
    folds_by_subject,
    require_no_leak,
    select_cases,
    split_by_site,
    split_by_subject,
    split_in_order,
    tumour_scheme,
)
from glioforge.data import promised_phantoms
from glioforge.io import read_cohort
from glioforge.io.ingest import ingest
from glioforge.studies.base import First80, Folds, PhantomData, Sites, StudySpec


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
        more = f" and {len(unlabelled) - 5} more" if len(unlabelled) > 5 else ""
        raise CohortError(
            f"cases without a label map: {', '.join(unlabelled[:5])}{more}",
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
