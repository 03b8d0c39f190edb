"""The kinds of studies: a YAML's `kind` is the name of the module that answers its question.

Such a module has `SPEC`, its settings; `run_study`, which goes from settings to
a report; and `write_report`, which writes the report of a finished study again.
"""

import importlib
from collections.abc import Iterable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, cast

from glioforge.config.load import parse_spec, read_values, with_overrides
from glioforge.core.errors import SpecError
from glioforge.core.protocols import Progress
from glioforge.io.run_folder import read_json
from glioforge.studies.base import StudySpec

KINDS: Final = ("augmentation", "segmenters", "synthesizers")
"""Every kind of study; the first where a YAML names none."""


def load_study(path: Path, overrides: Iterable[str] = ()) -> StudySpec:
    """Read a study's YAML, whatever its kind.

    Args:
        path: A complete YAML file.
        overrides: `a.b=c` pairs that replace single keys.

    Raises:
        SpecError: There is no such kind, or a key or value is wrong; each is named by its path.
    """
    values = with_overrides(read_values(path), overrides)
    kind = _module(values.get("kind", KINDS[0]), path)
    return cast("StudySpec", parse_spec(values, kind.SPEC, where=str(path)))


def load_demo(overrides: Iterable[str] = ()) -> StudySpec:
    """Read the study of the demonstration, which comes with the package and runs on phantoms.

    Args:
        overrides: `a.b=c` pairs that replace single keys.

    Raises:
        SpecError: A key or value is wrong.
    """
    with as_file(files("glioforge.studies") / "demo.yaml") as path:
        return load_study(path, overrides)


def run_study(spec: StudySpec, out: Path, *, data: Path | None = None, progress: Progress | None = None) -> Path:
    """Run a study of any kind, or go on with it where it stood.

    Args:
        spec: Complete settings, from `load_study`.
        out: Folder of the study; the same settings must be given to go on in it.
        data: Folder of scans or of an ingested cohort, where the study reads one.
        progress: Where to show progress.

    Returns:
        The report, one HTML file.

    Raises:
        OutputError: The folder belongs to a study with other settings.
        LeakageError: A test subject stands behind a training input.
        GlioforgeError: Whatever is wrong with the scans or the settings.
    """
    kind = _module(cast("Any", spec).kind, out)
    return cast("Path", kind.run_study(spec, out, data=data, progress=progress))


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished study again; nothing is trained.

    Raises:
        InputFileError: The folder holds no finished study.
    """
    kind = _module(read_json(out / "study.json")["spec"]["kind"], out)
    return cast("Path", kind.write_report(out, progress=progress))


def _module(kind: object, where: Path) -> Any:  # noqa: ANN401 - modules have no protocol
    """Module of a kind."""
    if kind not in KINDS:
        raise SpecError(f"kind {kind!r}", f"one of {', '.join(KINDS)}", where=where)
    return importlib.import_module(f"glioforge.studies.{kind}")
