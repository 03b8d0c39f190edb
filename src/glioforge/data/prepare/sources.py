"""Notices scans that have changed since a cohort was ingested, without reading them where nothing points to a change.

A note in `survey/` keeps size and time of modification of each file of a case
that was prepared.  Where they are as noted, the contents are taken to be, too;
where they are not, the contents are hashed and compared with those ingested.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

from glioforge.core import CaseRef, GlioforgeError, InputFileError
from glioforge.io import files_behind, read_json, write_json

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
        write_json(_note(folder, ref), {"digest": ref.digest, "files": stamps})


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
    noted = _noted(folder, ref)
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


def _noted(folder: Path, ref: CaseRef) -> Stamps:
    """Read how a case's files looked; nothing where there is no note of these contents, or it is damaged."""
    try:
        values = read_json(_note(folder, ref))
        return dict(values["files"]) if values["digest"] == ref.digest else {}
    except (GlioforgeError, KeyError, TypeError, ValueError):
        return {}


def _note(folder: Path, ref: CaseRef) -> Path:
    """File of the note."""
    return folder / f"{ref.case_id}.files.json"
