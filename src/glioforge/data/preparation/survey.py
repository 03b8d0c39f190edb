"""Notes on scans: brains measured before a grid is fitted to them, and files that changed since they were ingested.

One note per case in `survey/` holds the box of its brain, the transforms that
registration found, and the brain that stripping found.  Preparation of the
case goes on from them.

Another keeps size and time of modification of each file of a case that was
prepared, so that scans are not read where nothing points to a change.  Where both
are as noted, the contents are taken to be, too; where they are not, the contents
are hashed and compared with those ingested.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import numpy as np

from glioforge.core import CaseRef, GlioforgeError, InputFileError, Mask
from glioforge.data import decode, encode, hash_of
from glioforge.data.preparation.grid import Extent, extent_of
from glioforge.data.preparation.one_case import Known, with_brain
from glioforge.data.preparation.spec import PrepareSpec
from glioforge.io import files_behind, hash_of_file, read_json, write_atomically, write_json


@final
@dataclass(frozen=True)
class Survey:
    """One brain to measure.

    Args:
        ref: The case.
        spec: How it will be prepared.
        folder: Where notes are kept.
    """

    ref: CaseRef
    spec: PrepareSpec
    folder: Path

    @property
    def note(self) -> Path:
        """File of the note."""
        return self.folder / f"{self.ref.case_id}.json"

    @property
    def mask(self) -> Path:
        """File of the brain that stripping found."""
        return self.folder / f"{self.ref.case_id}.b2nd"

    def key(self) -> dict[str, Any]:
        """What a note depends on."""
        described = self.spec.model_dump(mode="json", include={"brain", "registration", "strip"})
        return {"digest": self.ref.digest, **described, **file_hashes(self.spec)}


def measured(survey: Survey) -> Extent:
    """Box of one brain, from the notes of an earlier call if they are of the same files and spec.

    Raises:
        CaseError, InputFileError: The case cannot be read or holds no brain.
    """
    noted = _noted(survey)
    if noted is not None:
        return Extent.from_json(noted["extent"])
    case, brain, account = with_brain(survey.ref.load(), survey.spec)
    extent = extent_of(case.geometry, brain)
    mask = None
    if case.brain is not None and account.get("strip", {}).get("method", "given") != "given":
        data = _packed(case.brain)
        write_atomically(survey.mask, data)
        mask = hash_of(data)
    write_json(survey.note, {"key": survey.key(), "extent": extent.to_json(), "account": account, "mask": mask})
    return extent


def known_of(survey: Survey) -> Known | None:
    """What measuring has found out; none where the case was not measured, or its notes are damaged."""
    if survey.spec.registration is None and survey.spec.strip is None:
        return None
    noted = _noted(survey)
    try:
        if noted is None or noted["mask"] is None:
            return None if noted is None else Known(noted["account"])
        return Known(noted["account"], decode(survey.mask, noted["mask"])[:, 0].transpose(1, 2, 0).astype(bool))
    except (GlioforgeError, KeyError):
        return None


def file_hashes(spec: PrepareSpec) -> dict[str, dict[str, str]]:
    """Hashes of the files that a spec names, as a part of keys; nothing if it names none."""
    hashes = {str(path): hash_of_file(path) for path in spec.files}
    return {"files": hashes} if hashes else {}


def _noted(survey: Survey) -> dict[str, Any] | None:
    """The note of a case; none if it is missing, damaged, or of other files or another spec."""
    try:
        noted = read_json(survey.note)
        Extent.from_json(noted["extent"])
        return dict(noted) if noted["key"] == survey.key() else None
    except (GlioforgeError, KeyError, TypeError, ValueError):
        return None


def _packed(mask: Mask) -> bytes:
    """A mask as a frame of one channel."""
    return encode(np.ascontiguousarray(mask.transpose(2, 0, 1)[:, None]).view(np.uint8))


Stamps = dict[str, list[int]]
"""Size in bytes and time of modification in nanoseconds, by path."""


@runtime_checkable
class ComparesContents(Protocol):
    """A reader whose files can be compared with what was ingested."""

    def require_unchanged(self, ref: CaseRef) -> None:
        """Raise `InputFileError` where contents differ from the reference's digest."""
        ...


def stamps_of(ref: CaseRef) -> Stamps | None:
    """Sizes and times of a case's files; none where one is missing, which cannot be compared any more."""
    named = {*ref.images.values(), *(path for path in (ref.labels, ref.brain) if path is not None)}
    try:
        status = {str(file): file.stat() for path in named for file in files_behind(path)}
    except OSError:
        return None
    return {path: [found.st_size, found.st_mtime_ns] for path, found in sorted(status.items())}


def note_sources(folder: Path, ref: CaseRef, stamps: Stamps | None) -> None:
    """Write down how a case's files looked before they were read and found to be those ingested."""
    if stamps is not None and isinstance(ref.reader, ComparesContents):
        write_json(_files_note(folder, ref), {"digest": ref.digest, "files": stamps})


def require_unchanged(folder: Path, ref: CaseRef) -> None:
    """Refuse a case whose files have changed since they were ingested.

    Args:
        folder: Where notes are kept.
        ref: The case; one whose files are gone, or whose reader cannot compare, passes.

    Raises:
        InputFileError: Contents differ from those ingested, or cannot be read.
    """
    stamps = stamps_of(ref)
    if stamps is None or not isinstance(ref.reader, ComparesContents):
        return
    noted = _files_noted(folder, ref)
    touched = [path for path, stamp in stamps.items() if noted.get(path) != stamp]
    if not touched:
        return
    try:
        ref.reader.require_unchanged(ref)
    except InputFileError as error:
        names = ", ".join(Path(path).name for path in touched)
        found = f"{error.found.split(' (')[0]} ({names})"
        raise InputFileError(found, error.expected, error.remedy, error.where) from error
    note_sources(folder, ref, stamps)


def _files_noted(folder: Path, ref: CaseRef) -> Stamps:
    """Read how a case's files looked; nothing where there is no note of these contents, or it is damaged."""
    try:
        values = read_json(_files_note(folder, ref))
        return dict(values["files"]) if values["digest"] == ref.digest else {}
    except (GlioforgeError, KeyError, TypeError, ValueError):
        return {}


def _files_note(folder: Path, ref: CaseRef) -> Path:
    """File of the note."""
    return folder / f"{ref.case_id}.files.json"
