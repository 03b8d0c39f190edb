"""What a folder holds, by the files that Glioforge writes into it; and the user's state folder.

The state folder is where Glioforge keeps what belongs to no run: which studies have looked at which scans.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from glioforge.core import InputFileError, OutputError
from glioforge.io.atomic_write import read_json, regular_size

SEGMENTER, ENCODER = "a segmenter", "an encoder"
COHORT, STUDY, MASKS = "a cohort", "a study", "a folder of masks"

PRIVATE = "private-"
"""How the name of the folder next to an export begins, which keeps its settings and is not handed on."""

CARD, SPEC = "card.json", "spec.json"
"""Files of a trained model: its card, and the settings of a synthesizer of earlier releases."""
MAX_CARD = 2**25
"""Largest card in bytes."""
OLDER_ENCODER = "encoder.json"
"""Card of an encoder of earlier releases."""

_MARKS = {
    "study.json": STUDY,
    "cohort.json": COHORT,
    "masks.json": MASKS,
    "doctor.json": "a diagnosis of scans",
    "summary.json": "an evaluation of masks",
    OLDER_ENCODER: ENCODER,
}
_REMEDIES = {
    COHORT: "name a folder that ingest, prepare, edit or synthesize wrote",
    MASKS: "name a folder of NIfTI masks, such as one that `glioforge segment` wrote",
    STUDY: "name a folder that `glioforge study` or `glioforge demo` wrote",
    ENCODER: "name the folder `encoder` in what `glioforge fidelity --features encoder --encoder COHORT` wrote",
}


def kind_of_folder(folder: Path) -> str | None:
    """Return what a folder holds, such as "a segmenter", or None where no file of Glioforge's says so.

    Args:
        folder: Any path; damaged files say nothing.
    """
    family = _family_of(_mapping(folder / CARD))
    if family:
        return model_named(family)
    return next((kind for name, kind in _MARKS.items() if (folder / name).is_file()), None)


def model_named(family: str) -> str:
    """Return the kind of a folder with a model of a family, with its article.

    Example:
        >>> model_named("sampler"), model_named("encoder")
        ('a sampler', 'an encoder')
    """
    return f"{'an' if family[0] in 'aeiou' else 'a'} {family}"


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a trained model of any family; false where a damaged card does not say so."""
    return bool(_family_of(_mapping(folder / CARD)))


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
        raise InputFileError(found, f"the folder of {expected[0]}", _remedy(expected[0]), folder)
    kind = kind_of_folder(folder)
    if kind is not None and kind not in expected:
        raise InputFileError(f"this is {kind}", expected[0], _remedy(expected[0]), folder)


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
    if kind == STUDY or is_model(folder):
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


def _remedy(expected: str) -> str:
    """What to name in place of a folder of another kind."""
    family = expected.removeprefix("a ")
    return _REMEDIES.get(expected, f"name the folder that `glioforge train` wrote from a YAML with `{family}:`")


def _family_of(card: Mapping[str, Any]) -> str:
    """Family of a model by its card, also by one of an earlier release; empty for what is no card."""
    family = card.get("family")
    if isinstance(family, str):
        return family if family.isidentifier() else ""
    if card.get("type") in {"segmenter", "nnunet"}:
        return "segmenter"
    return "synthesizer" if "weights" in card and "kind" in card else ""


def _mapping(path: Path) -> dict[str, Any]:
    """A JSON mapping; empty for whatever is none."""
    try:
        if not path.is_file() or regular_size(path, MAX_CARD) == 0:
            return {}
        values = read_json(path)
    except InputFileError:
        return {}
    return values if isinstance(values, dict) else {}


VARIABLE: Final = "GLIOFORGE_STATE"


def state_folder() -> Path:
    """Return the folder that `GLIOFORGE_STATE` names, else the platform's own for state; it may not exist yet.

    Linux keeps state below `$XDG_STATE_HOME`, by default `~/.local/state`; macOS and Windows have folders of their own.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_state_path

    return user_state_path("glioforge", appauthor=False)
