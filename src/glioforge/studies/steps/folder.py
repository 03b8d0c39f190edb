"""Take synthetic cases that another tool made, and refuse those that show a subject who is held out."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from glioforge.core import CaseRef, CohortError, InputFileError, LeakageError, Lineage, listed, preparations_of
from glioforge.data import PrepareSpec, prepare
from glioforge.io import COHORT_FILE, hash_of_file, ingest, read_cohort, write_cohort
from glioforge.metrics import LABEL_MAP, Limits, NearDuplicate, near_duplicates
from glioforge.studies import Context, Record, cohort_in
from glioforge.studies.steps.synthesize import MADE

PREPARED: Final = "prepared"
"""Folder of the prepared cases below that of a task."""
_MOST: Final = 0.95
"""Largest limit of a near-duplicate."""


def content_of(path: Path) -> str:
    """Return a hash of a folder of cases: of its cohort, or of the names and contents of all files.

    Raises:
        InputFileError: There is no such folder, or a file cannot be read.
    """
    if not path.is_dir():
        raise InputFileError("no such folder", "a folder of cases that a source names", "check the path", path)
    if (path / COHORT_FILE).is_file():
        return read_cohort(path).fingerprint
    files = sorted(file for file in path.rglob("*") if file.is_file())
    stamps = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _hash_of(path, stamps)


@lru_cache(maxsize=16)
def _hash_of(path: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    """Hash of files, read once in each process as long as they stay the same."""
    lines = [f"{Path(file).relative_to(path)} {hash_of_file(Path(file))}" for file, _, _ in stamps]
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def take_folder(  # noqa: PLR0913 - what decides the cases, by keyword
    context: Context,
    *,
    source: str,
    content: str,  # noqa: ARG001 - part of the key
    layout: Any,  # noqa: ANN401 - any registered layout
    prepare_as: PrepareSpec,
    subjects: Sequence[str] | None,
    path: str = "",
) -> Record:
    """Read the cases of a folder, prepare them as the study's own, and note whom they were made from.

    Args:
        context: The task; reads the side train.
        source: Name of the source.
        content: Hash of the folder's contents.
        layout: Layout of the folder; detected where it is none.
        prepare_as: Preparation of the study.
        subjects: Subjects behind the cases; everyone on the training side where it is none.
        path: The folder, unless the study's settings name it under the source.

    Raises:
        CohortError: A case has no label map.
        LeakageError: A case bears the name of a subject who is not on the training side.
    """
    train = context.cohort("train")
    folder = Path(path or str(context.spec.all_sources[source].path))
    found = (
        read_cohort(folder) if (folder / COHORT_FILE).is_file() else ingest(folder, layout, progress=context.progress)
    )
    bare = [ref.case_id for ref in found if ref.labels is None]
    if bare:
        raise CohortError(
            f"cases without a label map: {listed(bare)}", "a label map for every case", "leave them out", folder
        )
    if not (preparations_of(found) and preparations_of(found) == preparations_of(train)):
        grid = prepare_as.grid.model_copy(update={"size": train.cases[0].load().geometry.shape})
        settings = prepare_as.model_copy(update={"grid": grid, "modalities": train.modalities})
        found = prepare(found, settings, context.folder / PREPARED, progress=context.progress)
    behind = train.subject_ids if subjects is None else tuple(subjects)
    cases = tuple(_declared(ref, source, behind) for ref in found)
    made = replace(found, name=source, cases=cases, folder=None)
    write_cohort(made, context.folder / MADE)
    return context.record(
        made={"cohort": made.fingerprint},
        lineage=made.lineage,
        details={"made": len(made), "folder": str(folder), "subjects": None if subjects is None else list(subjects)},
    )


def search_near_duplicates(context: Context, *, source: str) -> Record:
    """Refuse cases that show a held-out subject, by image or by label map; nothing else is kept of the search.

    How near is too near is read from the training subjects, who are other people than those held out: half-way from
    the nearest of them to identity, and never below the limits of `metrics.near_duplicates`.

    Args:
        context: The task; reads all sides, and needs the cases of a source.
        source: Name of the source.

    Raises:
        LeakageError: Names the cases, what agrees, and how far.
    """
    made = cohort_in(context.place("cases") / MADE)
    held_out = (*context.cohort("validation"), *context.cohort("test"))
    limits = _limits(near_duplicates(context.cohort("train"), held_out, limits=Limits(0.0, 0.0)))
    hits = near_duplicates(made, held_out, limits=limits, progress=context.progress)
    if hits:
        raise LeakageError(
            f"source {source!r}: {len({hit.case_id for hit in hits})} of {len(made)} cases show held-out subjects: "
            f"{listed([str(hit) for hit in hits], 5, '; ')}",
            "no near-duplicate of a test or validation subject in a source whose `subjects` are not declared",
            "make the cases from training subjects only, or leave these cases out",
        )
    return context.record(details={"searched": len(made), "held_out": len(held_out)})


def _limits(others: Sequence[NearDuplicate]) -> Limits:
    """Limits that no pair of different people comes near; a cap keeps one person under two names from lifting them."""
    usual = Limits()

    def limit(least: float, scores: Sequence[float]) -> float:
        return max(least, min(_MOST, (1 + max(scores, default=0.0)) / 2))

    return Limits(
        limit(usual.correlation, [hit.score for hit in others if hit.what != LABEL_MAP]),
        limit(usual.dice, [hit.score for hit in others if hit.what == LABEL_MAP]),
    )


def _declared(ref: CaseRef, source: str, behind: Sequence[str]) -> CaseRef:
    """The case as a synthetic one, with those behind it in its lineage beside everyone whom it names itself."""
    known = ref.lineage
    if not known.is_synthetic:
        known = Lineage("synthetic", source, (ref.subject_id,)).through("", ref.lineage)
    return replace(ref, lineage=known.through("", behind))
