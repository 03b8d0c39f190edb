"""What a model's folder records of its training cases: their preparation, and the subjects of each side."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from glioforge.config import parse_spec, resolved_yaml
from glioforge.core import SETTINGS, Cohort, InputFileError
from glioforge.data.preparation.pipeline import PREPARE_REPORT, PrepareSpec
from glioforge.io import read_json, write_atomically, write_json

PREPARATION: Final = "preparation.json"
"""File of a model's folder that says how its cases were prepared."""
SPLIT: Final = "split.json"
"""File of a model's folder that names the subjects of each side."""


def write_records(model: Path, train: Cohort, sides: Mapping[str, Iterable[str]]) -> None:
    """Write how the training cases were prepared, and the subjects of each side, into a model's folder.

    Args:
        model: Folder of the model.
        train: Its training cases; where they come from a folder that `prepare` wrote, its record and settings are
            copied, else nothing is known of a preparation.
        sides: Subjects of `train`, `validation` and `test`, as far as known.

    Raises:
        InputFileError: The record of the preparation is damaged.
        OutputError: The folder cannot be written.
    """
    write_json(model / SPLIT, {side: list(subjects) for side, subjects in sides.items()})
    copy_preparation(train, model)


def copy_preparation(cohort: Cohort, model: Path) -> None:
    """Copy the record of a cohort's preparation into a model's folder, and its settings for `prepare --spec`."""
    record = None if cohort.folder is None else cohort.folder / PREPARE_REPORT
    if record is None or not record.is_file():
        return
    values = read_json(record)
    try:
        settings = parse_spec(values["key"]["spec"], PrepareSpec, where=str(record))
    except (KeyError, TypeError) as error:
        raise InputFileError(
            f"a record of a preparation without {error}", "what `prepare` wrote", "prepare the scans again", record
        ) from error
    write_atomically(model / PREPARATION, record.read_bytes())
    write_atomically(model / SETTINGS, resolved_yaml(settings).encode())
