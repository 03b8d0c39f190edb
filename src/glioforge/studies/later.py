"""Score subjects that came later with the frozen models of a finished study, once.

Nothing is trained, chosen or tuned: the segmenters of every fold, arm and
repetition label the new subjects as they are, on the grids of their scans.  The
new cohort may hold nobody of the study, neither by name nor by images or label
maps that are nearly the same.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from glioforge.compute import Job, run_graph
from glioforge.core import Cohort, CohortError, LeakageError, Progress, Silent, SpecError, listed, require_no_leak
from glioforge.data import prepare
from glioforge.io import (
    COHORT_FILE,
    STARTED,
    STUDY,
    VERB,
    ResultRow,
    Step,
    ingest,
    read_cohort,
    require_kind,
    write_atomically,
    write_cohort,
    write_results,
)
from glioforge.metrics import near_duplicates
from glioforge.report import render, with_parts
from glioforge.segmentation import load_segmenter
from glioforge.studies.fold import PREPARED, SOURCE, cohort_in
from glioforge.studies.given import settings_of
from glioforge.studies.later_page import Scored, later_page
from glioforge.studies.lock import TestLock, hash_of, lock_of, settings_hash
from glioforge.studies.record import Record
from glioforge.studies.results import Results, read_study_results
from glioforge.studies.scoring import overlap_rows
from glioforge.studies.steps.train import MODEL
from glioforge.studies.study import read_study, require_finished

LATER: Final = "later"
"""Folder of scored cohorts below that of a study."""
PAGE: Final = "report.html"
ROWS: Final = "scores"
"""Folder of the rows of each model."""


@final
@dataclass(frozen=True)
class Later:
    """A finished study and the cohort that its models are to score, after every check that needs no scoring.

    Args:
        results: The study.
        cohort: The new cases as they came.
        models: Records of the segmenters that are there.
        out: Folder of the outcome.
        source: Folder in which the new cohort lies.
    """

    results: Results
    cohort: Cohort
    models: tuple[Record, ...]
    out: Path
    source: Path

    @property
    def frozen(self) -> str:
        """Hash of the study's settings and of the weights of all models."""
        return hash_of([settings_hash(self.results.study.spec), sorted(str(m.made["weights"]) for m in self.models)])

    @property
    def key(self) -> dict[str, Any]:
        """Everything that the outcome depends on."""
        return {VERB: "study", "models": self.frozen, "cohort": self.cohort.fingerprint}


def score_later(
    study: Path, data: Path, out: Path | None = None, *, dry_run: bool = False, progress: Progress | None = None
) -> Path:
    """Score the cases of a folder with all segmenters of a finished study, and write a page of their own.

    Args:
        study: Folder of the finished study.
        data: Folder of scans, or of an ingested cohort, of other subjects; every case needs a label map.
        out: Folder of the outcome; `later/<name of the cohort>` within the study's folder unless given.
        dry_run: Check everything but score, register and write nothing.
        progress: Where to show progress.

    Returns:
        The page, one HTML file; where it will be in a dry run.

    Raises:
        LeakageError: A subject of the study is in the new cohort, by name or by nearly the same images or label map.
        CohortError: Cases lack labels or contrasts, or these models have scored some of these scans already.
        SpecError: The study trained no segmenter.
        InputFileError: The study isn't finished, or a file is damaged.
        OutputError: The folder belongs to something else, or cannot be written.

    Example:
        >>> score_later(Path("run"), Path("scans-of-next-year"))  # doctest: +SKIP
        PosixPath('run/later/scans-of-next-year/report.html')
    """
    progress = progress or Silent()
    later = _checked(study, data, out, progress)
    step = Step(later.out, later.key)
    if step.done:
        return later.out / PAGE
    _require_nobody_twice(later, progress)
    lock = _once(later, progress)
    if dry_run:
        return later.out / PAGE
    with step:
        _score(later, lock.registered(progress), progress)
        step.finish({"cases": len(later.cohort), "models": len(later.models)})
    return later.out / PAGE


def _checked(study: Path, data: Path, out: Path | None, progress: Progress) -> Later:
    """Read both sides, and refuse what needs no voxel to be refused."""
    require_kind(study, STUDY)
    found = read_study(study)
    require_finished(found)
    results = read_study_results(found)
    models = tuple(record for record in results.of("segmenter") if not found.fold(record.fold).leaky)
    if not models:
        raise SpecError("a study without segmenters", "one that trained segmenters", where=study)
    given = data / COHORT_FILE
    cohort = read_cohort(data) if given.is_file() else ingest(data, parallel=found.spec.parallel, progress=progress)
    _require_usable(cohort, found.prepared)
    require_no_leak({"the study": found.source, **{m.task: m.lineage for m in models if m.lineage}}, cohort)
    return Later(results, cohort, models, out or study / LATER / data.resolve().name, data)


def _require_usable(cohort: Cohort, prepared: Cohort) -> None:
    """Refuse cases without labels, and contrasts that the models need and some case lacks."""
    unlabelled = [ref.case_id for ref in cohort if ref.labels is None]
    if unlabelled or not len(cohort):
        found = f"cases without a label map: {listed(unlabelled)}" if unlabelled else "no case"
        raise CohortError(found, "a label map for every case", "label these cases or leave them out", cohort.where)
    missing = [str(m) for m in prepared.modalities if m not in cohort.modalities]
    if missing:
        raise CohortError(
            f"contrasts common to all cases: {[str(m) for m in cohort.modalities]}",
            f"also {missing}, which the models were trained on",
            "leave out the cases that lack one",
            cohort.where,
        )


def _require_nobody_twice(later: Later, progress: Progress) -> None:
    """Refuse cases that are nearly the same as one of the study's, under whatever name."""
    hits = near_duplicates(later.cohort, later.results.study.source, progress=progress)
    if hits:
        raise LeakageError(
            f"cases that are nearly the same as cases of the study: {listed([str(hit) for hit in hits], 10, '; ')}",
            "subjects who were no part of the study",
            "look at both, and leave out who is the same person",
            later.cohort.where,
        )


def _once(later: Later, progress: Progress) -> TestLock:
    """Return the lock of these models over the new scans, unless they have scored any of them before.

    A folder in which the same scoring was begun may go on with it.
    """
    spec = later.results.study.spec
    lock = lock_of(
        later.cohort,
        study=later.frozen,
        name=f"{spec.name}, frozen",
        title=f"{spec.title} (frozen models)",
        keys_file=None,
        beside=later.source,
        progress=progress,
    )
    standing = lock.standing()
    looks = {look.looked: look.shared for look in standing.others if look.study == later.frozen}
    if standing.looked is not None and not (later.out / STARTED).is_file():
        looks[standing.looked] = standing.scans
    if looks:
        raise CohortError(
            f"{max(looks.values())} of {standing.scans} scans were scored by these models on {min(looks)[:16]} UTC",
            "scans that these models have not scored: frozen models score a subject once",
            "read the page of that time, or leave these scans out",
            later.cohort.where,
        )
    return lock


def _score(later: Later, lock: TestLock, progress: Progress) -> None:
    """Prepare the new cases as the study's were, let every model score them, and write table and page."""
    study, out = later.results.study, later.out
    write_cohort(later.cohort, out / SOURCE)
    settings = settings_of(study.spec)
    prepare(cohort_in(out / SOURCE), settings, out / PREPARED, parallel=study.spec.parallel, progress=progress)
    lock.look()
    jobs = {model.task: Job[list[dict[str, Any]]](partial(_rows_of, later, model)) for model in later.models}
    done = dict(run_graph(jobs, study.spec.parallel, title="models", progress=progress))
    rows = [ResultRow(**row) for model in later.models for row in done[model.task]]
    write_results(out, rows)
    standing = lock.standing()
    standing.write(out)
    page = later_page(study.spec, Scored(rows, later.cohort, len(later.models), len(study.source)), standing)
    write_atomically(out / PAGE, render(with_parts(page, out)).encode())


def _rows_of(later: Later, model: Record, _: Mapping[str, Any], progress: Progress) -> list[dict[str, Any]]:
    """Rows of one model, kept in a step of their own so that a stopped scoring goes on."""
    study, out = later.results.study, later.out
    with Step(out / ROWS / hash_of(model.task), {"weights": model.made["weights"], **later.key}) as step:
        if not step.done:
            segmenter = load_segmenter(study.root / model.task / MODEL, study.spec.accelerator)
            run = (model.fold, model.arm, model.seed)
            progress.note(f"scoring {len(later.cohort)} cases")
            cases, source = cohort_in(out / PREPARED), cohort_in(out / SOURCE)
            rows = overlap_rows(study.spec, run, segmenter, cases, source)
            own = {name: getattr(model, name) for name in ("draw", "generator_seed") if hasattr(model, name)}
            step.finish({"rows": [asdict(ResultRow(**row, **own)) for row in rows]})
    return [dict(row) for row in step.facts["rows"]]
