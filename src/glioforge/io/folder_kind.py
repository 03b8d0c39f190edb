"""What a folder holds, by the files that Glioforge writes into it."""

import shlex
from pathlib import Path
from typing import Any

from glioforge.core.errors import InputFileError, OutputError
from glioforge.io.atomic_write import read_json
from glioforge.io.regular_file import regular_size

SYNTHESIZER, SEGMENTER, NNUNET = "a synthesizer", "a segmenter", "an nnU-Net"
COHORT, STUDY, MASKS = "a cohort", "a study", "a folder of masks"

PRIVATE = "private-"
"""How the name of the folder next to an export begins, which keeps its settings and is not handed on."""

_MAX_CARD = 2**25

_MARKS = {
    "study.json": STUDY,
    "cohort.json": COHORT,
    "masks.json": MASKS,
    "doctor.json": "a diagnosis of scans",
    "summary.json": "an evaluation of masks",
}
_REMEDIES = {
    SYNTHESIZER: "name the folder that `glioforge train` wrote from a YAML with `synthesizer:`",
    SEGMENTER: "name the folder that `glioforge train` wrote from a YAML with `segmenter:`",
    COHORT: "name a folder that ingest, prepare, edit or synthesize wrote",
    MASKS: "name a folder of NIfTI masks, such as one that `glioforge segment` wrote",
    STUDY: "name a folder that `glioforge study` or `glioforge demo` wrote",
}


def kind_of_folder(folder: Path) -> str | None:
    """Return what a folder holds, such as "a segmenter", or None where no file of Glioforge's says so.

    Args:
        folder: Any path; damaged files say nothing.
    """
    card = _mapping(folder / "card.json")
    if card.get("type") == "segmenter":
        return SEGMENTER
    if card.get("type") == "nnunet":
        return NNUNET
    if "weights" in card and "kind" in card:
        return SYNTHESIZER
    return next((kind for name, kind in _MARKS.items() if (folder / name).is_file()), None)


def require_kind(folder: Path, *expected: str) -> None:
    """Refuse a folder that is known to hold something else, or that is not there.

    Args:
        folder: Given by the user.
        expected: Kinds of this module that are fit; a folder of no known kind passes, for its reader to judge.

    Raises:
        InputFileError: Says what the folder holds and what was expected.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise InputFileError(found, f"the folder of {expected[0]}", _REMEDIES[expected[0]], folder)
    kind = kind_of_folder(folder)
    if kind is not None and kind not in expected:
        raise InputFileError(f"this is {kind}", expected[0], _REMEDIES[expected[0]], folder)


def is_export(folder: Path) -> bool:
    """Return whether `glioforge export` wrote a folder, as the folder of its settings next to it says."""
    place = folder.resolve()
    return (place.with_name(f"{PRIVATE}{place.name}") / "step.json").is_file()


def require_other_folder(out: Path, folder: Path) -> None:
    """Refuse to write into the folder that is read; a folder within it is fine, as walks pass over it.

    Raises:
        OutputError: Both are one folder.
    """
    if out.resolve() == folder.resolve():
        raise OutputError(
            "the folder that is read", "a folder of its own for what is written", "choose another --out", out
        )


def require_scans(folder: Path) -> None:
    """Refuse a folder of a model or of a study where scans are expected.

    Args:
        folder: Given by the user; a cohort's own file may lie among its scans.

    Raises:
        InputFileError: Says what the folder holds.
    """
    kind = kind_of_folder(folder)
    if kind in {SYNTHESIZER, SEGMENTER, NNUNET, STUDY}:
        raise InputFileError(f"this is {kind}", "a folder of scans or a cohort", "name the folder of the scans", folder)


def require_no_cohort(folder: Path) -> None:
    """Refuse a cohort's folder in which scans were looked for in vain.

    Raises:
        InputFileError: Says what comes after the cohort.
    """
    if not (folder / "cohort.json").is_file():
        return
    if (folder / "passed_over.csv").is_file():
        remedy = f"next: glioforge prepare {shlex.quote(str(folder))} --out prepared"
        raise InputFileError("already ingested", "a folder of scans", remedy, folder)
    raise InputFileError("this is a cohort", "a folder of scans", "name the folder of the scans", folder)


def _mapping(path: Path) -> dict[str, Any]:
    """A JSON mapping; empty for whatever is none."""
    try:
        if not path.is_file() or regular_size(path, _MAX_CARD) == 0:
            return {}
        values = read_json(path)
    except InputFileError:
        return {}
    return values if isinstance(values, dict) else {}
