"""Models see only what was prepared as their training cases were.

A prepared case carries the hash of the settings that changed its voxels (the
fact `preparation`).  A model keeps those of its training cases.  Cases without
the fact (phantoms in memory, other people's preparations) are not compared.
"""

import shlex
from collections.abc import Collection, Iterable
from pathlib import Path

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.names import listed

PREPARATION = "preparation"
"""Name of the fact of a case, and of the entry on a model's card."""
SETTINGS = "preparation.yaml"
"""File of a model's folder that `glioforge prepare --spec` takes."""


def preparations_of(cases: Iterable[CaseRef | Case]) -> tuple[str, ...]:
    """Hashes of the preparations that cases went through, each once; empty where none is known."""
    return tuple(sorted({str(case.facts[PREPARATION]) for case in cases if PREPARATION in case.facts}))


def require_prepared_alike(cases: Iterable[CaseRef | Case], known: Collection[str], folder: Path) -> None:
    """Refuse cases that were prepared otherwise than a model's training cases.

    Args:
        cases: What the model shall be used on.
        known: Preparations of the model's training cases; none lets everything pass.
        folder: The model's folder.

    Raises:
        CohortError: Names the cases, and the command that prepares scans for this model.
    """
    other = [case.case_id for case in cases if known and case.facts.get(PREPARATION, "") not in {"", *known}]
    if not other:
        return
    settings = folder / SETTINGS
    raise CohortError(
        f"cases prepared with other settings than the model's training cases: {listed(other)}",
        f"preparation {' or '.join(known)}",
        f"prepare the scans again: glioforge prepare SCANS --spec {shlex.quote(str(settings))} --out FOLDER"
        if settings.is_file()
        else "prepare the scans with the settings of the cohort that the model was trained on",
        folder,
    )


def not_prepared(labels: str, folder: Path | None, where: str) -> CohortError:
    """Return the error for a cohort whose label maps are those of its scans, with the command that prepares it.

    Args:
        labels: Name of the scheme of its label maps.
        folder: The cohort's folder, if it has one.
        where: What messages call the cohort.
    """
    scans = shlex.quote("COHORT" if folder is None else str(folder))
    remedy = f"run: glioforge prepare {scans} --out prepared"
    return CohortError(f"not prepared (labels {labels})", "a prepared cohort", remedy, where)


def require_unprepared(cohort: Cohort) -> None:
    """Refuse a cohort of which any case was prepared already: its voxels would be resampled twice.

    Raises:
        CohortError: Names the cases, or the whole cohort.
    """
    done = [ref.case_id for ref in cohort if PREPARATION in ref.facts]
    if done:
        what = "already prepared" if len(done) == len(cohort) else f"cases that are already prepared: {listed(done)}"
        raise CohortError(what, "scans, or an ingested cohort", "prepare the scans again", cohort.where)


def require_labelled(cases: Iterable[CaseRef | Case], remedy: str, where: str) -> None:
    """Refuse cases that were prepared without a label map of their own.

    Their maps show normal tissue everywhere, which isn't to say that their brains are healthy.

    Args:
        cases: Prepared cases; others, and none, pass.
        remedy: What to do.
        where: Name of the cohort.

    Raises:
        CohortError: Names the cases.
    """
    missing = [case.case_id for case in cases if not case.facts.get("prepared", {}).get("labelled", True)]
    if missing:
        raise CohortError(f"cases without a label map: {listed(missing)}", "a label map for every case", remedy, where)
