"""Small tables as CSV: those that come with a data set, and lists for people."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from glioforge.core import InputFileError
from glioforge.io.atomic_write import write_atomically
from glioforge.io.regular_file import read_regular_file

_LARGEST_BYTES = 2**24


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file with a heading; a byte-order mark and any line ends are accepted.

    Args:
        path: The file; cells that a row lacks are empty, cells without a heading are dropped.

    Raises:
        InputFileError: The file is no text or no table.
    """
    try:
        text = read_regular_file(path, _LARGEST_BYTES).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(f"not a table ({error})", "CSV in UTF-8", "save it again as CSV", path) from error
    return [{str(k).strip(): str(v or "").strip() for k, v in row.items() if k is not None} for row in rows]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a table with a heading, whole or not at all; no rows give the heading alone.

    Raises:
        OutputError: The place cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_atomically(path, text.getvalue().encode("utf-8", "backslashreplace"))
