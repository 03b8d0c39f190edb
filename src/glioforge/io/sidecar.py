"""The JSON file next to a computed case that says where it comes from.

A phantom or a synthetic case that leaves Glioforge as NIfTI takes its lineage
along as `<case id>.json`, so that the leakage firewall still sees the subjects
behind it when it comes back.  Its images say `PHANTOM ...` or `SYNTHETIC ...`
in their headers; a synthetic image without its sidecar is refused.  The file
of a built-in phantom, which begins with `phantom`, holds its drawn parameters;
its labels are written in the scheme `brats2017`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from glioforge.core import BRATS2017, InputFileError, Lineage
from glioforge.io.atomic_write import read_json, write_json

NESTED = "Glioforge"
"""Key of the sidecar within another tool's JSON file, such as the metadata of an image in BIDS."""
MARKS = {"phantom": "PHANTOM", "synthetic": "SYNTHETIC"}
"""How the description in a header begins, by the kind of lineage."""

_REMEDY = "restore the file that was written with the images"


@final
@dataclass(frozen=True)
class Sidecar:
    """What is known of a computed case.

    Args:
        lineage: Where it comes from.
        subject_id: Its own subject id; the name's when none is given.
        session: Its visit, if any.
        scheme: Label scheme of its label file; told by the values when none is given.
        facts: What else is known.
    """

    lineage: Lineage
    subject_id: str | None = None
    session: str | None = None
    scheme: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of one case, as `<case id>.json` beside its images.

    Raises:
        OutputError: The place cannot be written.
    """
    values = {
        "kind": sidecar.lineage.kind,
        "lineage": sidecar.lineage.to_json(),
        "subject_id": sidecar.subject_id,
        "session": sidecar.session,
        "scheme": sidecar.scheme,
        "facts": dict(sidecar.facts),
    }
    write_json(path, values)


def read_sidecar(path: Path, case_id: str) -> Sidecar | None:
    """Read a sidecar; none for a JSON file that is about something else.

    Args:
        path: The JSON file.
        case_id: Subject of a phantom that names none.

    Raises:
        InputFileError: The file is damaged, or is a synthetic case's and lacks its lineage.
    """
    values = read_json(path)
    if isinstance(values, dict) and isinstance(values.get(NESTED), dict):
        values = values[NESTED]
    if isinstance(values, dict) and "phantom" in values:
        values = _phantom_values(values)
    if not isinstance(values, dict) or values.get("kind") not in MARKS:
        return None
    try:
        subject = _text(values, "subject_id")
        return Sidecar(
            _lineage(values, subject or case_id),
            subject,
            _text(values, "session"),
            _text(values, "scheme"),
            dict(values.get("facts") or {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"a sidecar without a whole lineage ({error!r})", "the lineage of the case", _REMEDY, path
        ) from error


def _phantom_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The drawn parameters of a built-in phantom, read as a sidecar."""
    scanner = values.get("scanner")
    site = scanner.get("site") if isinstance(scanner, dict) else None
    return {"facts": {} if site is None else {"site": site}, "scheme": BRATS2017.name, **values, "kind": "phantom"}


def _lineage(values: Mapping[str, Any], subject_id: str) -> Lineage:
    """Lineage in the values; a phantom without one is its own subject."""
    if values.get("lineage") is None and values["kind"] == "phantom":
        return Lineage.phantom(subject_id, int(values.get("seed", 0)))
    lineage = Lineage.from_json(values["lineage"])
    names = (*lineage.subjects, *lineage.parents, lineage.source)
    if lineage.kind != values["kind"] or not lineage.subjects or not all(isinstance(name, str) for name in names):
        raise ValueError("kind and subjects of the lineage")
    return lineage


def _text(values: Mapping[str, Any], key: str) -> str | None:
    """A text or nothing."""
    value = values.get(key)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value
