"""The folder of a study: settings, database and stimuli; it moves to another machine as it is.

Files
-----
study.json     settings, frame, flags and the audit of pixel shortcuts; the audit chain begins with its hash
study.sqlite   items with the truth, readers, answers and the audit chain
stimuli/       pixels, each under a random name that says nothing
"""

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from glioforge.core import InputFileError, Modality
from glioforge.io import read_json, read_regular_file
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import Frame, unpacked
from glioforge.reader.store import NAME, Store, digest, meta

STUDY: Final = "study.json"
STIMULI: Final = "stimuli"
VERSION: Final = 1
_FILE: Final = re.compile(r"[0-9a-f]{32}\.bin")
_LARGEST: Final = 2**28
SECONDS: Final[Mapping[str, int]] = {
    "turing": 12, "choice": 12, "preference": 15, "accept": 8, "likert": 12, "delineation": 60, "diagnosis": 25,
    "training": 18,
}  # fmt: skip
"""Seconds that an item of each kind takes, roughly, for the estimate that readers see first."""


@final
@dataclass(frozen=True)
class Study:
    """What is fixed of a study.

    Args:
        folder: Its folder.
        spec: Settings.
        frame: Grid of the stimuli.
        contrasts: MRI contrasts of an item where they are shown together, else those of all items.
        flags: Warnings that belong into every table, by their short name, such as `SEEN`.
        shortcuts: Result of the audit of pixel shortcuts.
        sources: Number of items of each source.
    """

    folder: Path
    spec: ReaderSpec
    frame: Frame
    contrasts: tuple[Modality, ...]
    flags: Mapping[str, str] = field(default_factory=dict, hash=False)
    shortcuts: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    sources: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def panels(self) -> int:
        """MRI contrasts that one item shows."""
        return len(self.contrasts) if self.spec.together else 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the pixels of one stimulus."""
        return self.frame.shape(self.spec, self.panels)

    def minutes(self, items: int) -> int:
        """Minutes that a number of items takes, roughly; at least 1."""
        more = 5 * bool(self.spec.diagnose) + 3 * bool(self.spec.cues) + 8 * (self.spec.show != "slice")
        return max(1, round(items * (SECONDS[self.spec.kind] + more) / 60))

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "version": VERSION,
            "spec": self.spec.model_dump(mode="json"),
            "frame": self.frame.to_json(),
            "contrasts": [str(m) for m in self.contrasts],
            "flags": dict(self.flags),
            "shortcuts": [dict(one) for one in self.shortcuts],
            "sources": dict(self.sources),
        }

    def store(self) -> Store:
        """Open the database; errors as `Store`."""
        return Store(self.folder / NAME)

    def pixels(self, file: str) -> bytes:
        """Read the pixels of a stimulus, as many bytes for each of them.

        Args:
            file: Name of the file, from the database.

        Raises:
            InputFileError: The file is missing or damaged.
        """
        path = self.folder / STIMULI / file
        if not _FILE.fullmatch(file):
            raise InputFileError("a name that no stimulus has", "32 hexadecimal digits", "restore a backup", path)
        try:
            data = unpacked(read_regular_file(path, _LARGEST))
        except (zlib.error, ValueError, OSError) as error:
            raise InputFileError(f"damaged ({error})", "pixels of a stimulus", "restore a backup", path) from error
        size = self.shape[0] * self.shape[1] * self.shape[2] * self.shape[3]
        if len(data) != size:
            raise InputFileError(f"{len(data)} bytes", f"{size} bytes", "restore a backup", path)
        return data


def open_study(folder: Path) -> Study:
    """Read the settings of a study, and check that they are those with which it was created.

    Raises:
        InputFileError: There is no study in the folder, or its settings were changed since.
    """
    path = folder / STUDY
    if not path.is_file():
        raise InputFileError("no reading study", "a folder that `glioforge reader create` wrote", where=folder)
    values = read_json(path)
    study = _parsed(values, folder, path)
    with study.store() as store:
        fixed = store.read(lambda db: meta(db, "settings"))
    if fixed != settings_digest(values):
        raise InputFileError(
            "settings that were changed after the study was created",
            "the settings that the audit chain begins with",
            "restore the file, or create a new study",
            path,
        )
    return study


def settings_digest(values: Mapping[str, Any]) -> str:
    """Hash of the settings, which the audit chain begins with."""
    return digest(json.dumps(values, sort_keys=True))


def _parsed(values: Any, folder: Path, path: Path) -> Study:  # noqa: ANN401 - whatever the file holds
    """The study of plain values."""
    version = values.get("version") if isinstance(values, dict) else None
    if version != VERSION:
        raise InputFileError(f"version {version}", f"a study.json of version {VERSION}", "install that version", path)
    try:
        return Study(
            folder,
            ReaderSpec.model_validate(values["spec"]),
            Frame.from_json(values["frame"]),
            tuple(Modality(name) for name in values["contrasts"]),
            values["flags"],
            tuple(values["shortcuts"]),
            values["sources"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"not a study ({error})", f"a study.json of version {VERSION}", "create the study again", path
        ) from error
