"""`cohort.json`: a cohort as one file that names its cases' files.

Paths below the folder are kept relative, so that a folder can be moved with
its cohort; others are absolute.

Each case names the format of its files, and a format names the class that
reads it.  The class may live in a layer above this one, so it is kept as text
and imported when a cohort of that format is read.  A reader is a frozen
dataclass with a class variable `format`; its fields are kept with the case.
"""

import dataclasses
import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from glioforge.core import (
    CaseReader,
    CaseRef,
    Cohort,
    GlioforgeError,
    InputFileError,
    LabelScheme,
    LabelSource,
    Lineage,
    Modality,
    OutputError,
)
from glioforge.io.atomic_write import read_json, write_json
from glioforge.io.folder_kind import COHORT, is_export, require_kind

COHORT_FILE = "cohort.json"

READERS: Mapping[str, str] = {
    "aligned": "glioforge.data.preparation.register:AlignedReader",
    "bundle": "glioforge.data.bundle:BundleReader",
    "nifti": "glioforge.io.nifti_reader:NiftiReader",
    "store": "glioforge.data.store:StoreReader",
}
"""Class that reads each format, as `module:class`."""

_BUNDLES = "glioforge.data.bundle:read_bundle"
"""What gives the cases of a bundle, as `module:function`."""
_VERSION = 1


def write_cohort(cohort: Cohort, out: Path, bundles: Sequence[Path] = ()) -> Path:
    """Write a cohort as `cohort.json` in a folder and return the file.

    Args:
        cohort: Cases of any kind; none give an empty table.
        out: Folder; paths of files below it are kept relative.
        bundles: Bundles (`data.bundle`) that hold all cases, in order; the cases are not listed then.

    Raises:
        OutputError: A case's reader has no format, a fact is no JSON value, the folder holds a cohort with other
            cases, or the place cannot be written.
    """
    require_no_loss(out, (ref.case_id for ref in cohort))
    root = out.resolve()
    values = {
        "version": _VERSION,
        "name": cohort.name,
        "scheme": cohort.scheme.to_json(),
        "source": None if cohort.source is None else cohort.source.to_json(),
        "cases": [] if bundles else [_to_json(ref, root) for ref in cohort],
        **({"bundles": [_relative(path, root) for path in bundles]} if bundles else {}),
    }
    write_json(out / COHORT_FILE, values)
    return out / COHORT_FILE


def read_cohort(folder: Path) -> Cohort:
    """Read the cohort of a folder; no voxel is read.

    Args:
        folder: A folder with `cohort.json`.

    Raises:
        InputFileError: The file is missing or damaged, or names an unknown format.
    """
    path = folder / COHORT_FILE
    if not path.is_file():
        require_kind(folder, COHORT)
        what = "this is an exported data set, no cohort" if is_export(folder) else f"no {COHORT_FILE} in the folder"
        remedy = "name the cohort; scans and exports become one by `glioforge ingest`"
        raise InputFileError(what, "a folder that ingest or prepare wrote", remedy, folder)
    values = read_json(path)
    try:
        _require_version(values["version"])
        root = folder.resolve()
        listed = (_from_json(case, root) for case in values["cases"])
        cases = (*listed, *(ref for name in values.get("bundles", ()) for ref in _named(_BUNDLES)(root / name)))
        source = None if values.get("source") is None else LabelSource(**values["source"])
        return Cohort(values["name"], cases, LabelScheme.from_json(values["scheme"]), source, folder)
    except (KeyError, TypeError, ValueError, AttributeError, GlioforgeError) as error:
        reason = str(error) if isinstance(error, GlioforgeError) else repr(error)
        raise InputFileError(
            f"not a cohort ({reason})",
            f"a cohort.json of version {_VERSION}",
            "make it again with the command that wrote the folder",
            path,
        ) from error


def require_no_loss(folder: Path, case_ids: Iterable[str]) -> None:
    """Refuse to write a cohort over one that holds further cases.

    Args:
        folder: Folder of the cohort to be written; one without a cohort is fine.
        case_ids: Ids of the cases to be written.

    Raises:
        OutputError: The folder's cohort has cases that are not among them.
    """
    if not (folder / COHORT_FILE).is_file():
        return
    try:
        held = {ref.case_id for ref in read_cohort(folder)}
    except InputFileError:
        return  # a damaged table is written again
    lost = sorted(held - set(case_ids))
    if lost:
        raise OutputError(
            f"a cohort with other cases in the folder: {', '.join(lost[:5])}{' ...' if len(lost) > 5 else ''}",
            "a folder of the same cohort, or of a part of it",
            "choose another --out, or delete the folder",
            folder,
        )


def _to_json(ref: CaseRef, root: Path) -> dict[str, Any]:
    """Plain values of one case."""
    reader: Any = ref.reader
    kind = getattr(reader, "format", None)
    if kind not in READERS:
        raise OutputError(
            f"a case that {type(reader).__name__} reads",
            f"a reader of a known format: {sorted(READERS)}",
            "write the case first",
            ref.case_id,
        )
    return {
        "case_id": ref.case_id,
        "subject_id": ref.subject_id,
        "session": ref.session,
        "format": kind,
        "reader": dataclasses.asdict(reader),
        "images": {str(modality): _relative(path, root) for modality, path in ref.images.items()},
        "labels": None if ref.labels is None else _relative(ref.labels, root),
        "brain": None if ref.brain is None else _relative(ref.brain, root),
        "scheme": ref.scheme,
        "lineage": ref.lineage.to_json(),
        "digest": ref.digest,
        "facts": dict(ref.facts),
    }


def _from_json(values: Mapping[str, Any], root: Path) -> CaseRef:
    """Inverse of `_to_json`."""
    return CaseRef(
        values["case_id"],
        values["subject_id"],
        {modality: root / values["images"][modality] for modality in Modality if modality in values["images"]},
        values["scheme"],
        Lineage.from_json(values["lineage"]),
        values["digest"],
        reader_for(values["format"], values["reader"]),
        None if values["labels"] is None else root / values["labels"],
        None if values["brain"] is None else root / values["brain"],
        values["session"],
        values["facts"],
    )


def _require_version(version: object) -> None:
    """Refuse files of another version."""
    if version != _VERSION:
        raise ValueError(f"version {version}")


def reader_for(kind: str, settings: Mapping[str, Any]) -> CaseReader:
    """The reader of a format, wherever its class lives.

    Raises:
        ValueError: The format is unknown.
    """
    if kind not in READERS:
        raise ValueError(f"format {kind!r} is not one of {sorted(READERS)}")
    reader: CaseReader = _named(READERS[kind])(**settings)
    return reader


def _named(place: str) -> Any:  # noqa: ANN401 - a class or a function of a layer above
    """What a `module:name` means."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _relative(path: Path, root: Path) -> str:
    """Path below the folder where it lies there, else the absolute path."""
    resolved = path.parent.resolve() / path.name
    return str(resolved.relative_to(root) if resolved.is_relative_to(root) else resolved)
