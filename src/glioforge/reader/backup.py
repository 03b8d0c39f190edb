"""Backup of a study as one file, also while it is served, and its restoration into a new folder."""

import re
import secrets
import shutil
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from glioforge.core import InputFileError, OutputError
from glioforge.io import output_error, replacing
from glioforge.reader.folder import STIMULI, STUDY, open_study
from glioforge.reader.store import NAME, verify

_MEMBER: Final = re.compile(rf"{re.escape(STUDY)}|{re.escape(NAME)}|{STIMULI}/[0-9a-f]{{32}}\.bin")
_LARGEST: Final = 2**33
"""Bytes of all files of the largest study that is restored."""


def backup_study(folder: Path, out: Path) -> Path:
    """Write a study as one ZIP file and return it; the database is copied as of one instant.

    Args:
        folder: The study.
        out: The file; one that is there is kept.

    Raises:
        InputFileError: There is no study, or its audit chain is broken.
        OutputError: The file exists, or cannot be written.
    """
    if out.exists():
        raise OutputError("a file that is there already", "a new file", "choose another --out", out)
    study = open_study(folder)
    with study.store() as store, tempfile.TemporaryDirectory() as place, replacing(out) as partial:
        store.read(verify)
        copy = Path(place) / NAME
        target = sqlite3.connect(copy)
        store.read(lambda db: db.backup(target))
        target.close()
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
            packed.write(folder / STUDY, STUDY)
            packed.write(copy, NAME)
            for file in sorted((folder / STIMULI).glob("*.bin")):
                packed.write(file, f"{STIMULI}/{file.name}")
    return out


def restore_study(file: Path, out: Path) -> Path:
    """Restore a backup into a new folder and return it; the folder is there whole or not at all.

    Args:
        file: A file of `backup_study`.
        out: Folder of the study.

    Raises:
        InputFileError: The file is no backup of a study, is damaged, or holds anything but files of a study.
        OutputError: The folder holds something, or cannot be written.
    """
    if out.exists() and any(out.iterdir()):
        raise OutputError("a folder that is not empty", "a new folder", "choose another --out", out)
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    try:
        (partial / STIMULI).mkdir(parents=True)
        _unpack(file, partial)
        with open_study(partial).store() as store:
            store.read(verify)
        out.mkdir(parents=True, exist_ok=True)
        out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise output_error(error, out) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def _unpack(file: Path, folder: Path) -> None:
    """Unpack the files of a study, by their names alone; sizes are limited whatever the archive says."""
    if not file.is_file():
        raise InputFileError("no such file", "a backup of a study", "check the path", file)
    try:
        with zipfile.ZipFile(file) as packed:
            left = _LARGEST
            for member in packed.infolist():
                if not _MEMBER.fullmatch(member.filename) or member.compress_type != zipfile.ZIP_STORED:
                    raise _strange(f"a member {member.filename!r}", file)
                left -= member.file_size
                if left < 0 or (folder / member.filename).exists():
                    raise _strange(f"members that are too large, or twice the same ({member.filename!r})", file)
                with packed.open(member) as source, (folder / member.filename).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise _strange(f"a damaged archive ({error})", file) from error


def _strange(found: str, file: Path) -> InputFileError:
    """The error for what is no backup."""
    return InputFileError(found, "a backup of a study and nothing else", "take another backup", file)
