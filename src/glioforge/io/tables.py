"""The one long table of results: every number that a page or a figure shows is read from it.

Written twice, as Parquet for programs and as CSV for people; rows are sorted,
so the same results give the same bytes.
"""

import csv
import dataclasses
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from glioforge.core.errors import InputFileError
from glioforge.io.atomic_write import write_atomically
from glioforge.io.regular_file import read_regular_file

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "results.parquet"
CSV = "results.csv"


@final
@dataclass(frozen=True)
class ResultRow:
    """One measured number.

    `fold`, `seed`, `case_id`, `region`, `metric` and `note` together identify a number of an arm: rows on images
    differ in `note` alone where the same images are compared with two references, or where a mean of draws and
    one draw are compared with the same one.

    Args:
        study: Name of the study.
        arm: What was compared, for example `real` or `real+synthetic`.
        fold: Fold of a cross-validation; 0 for a single split.
        seed: Seed of the training.
        case_id: Case that was judged; empty for a number about a whole cohort.
        subject_id: Its subject; empty for a number about a whole cohort.
        region: Tumour region, or tissue; for images the mask and the contrast, as `brain/t1ce`; or empty.
        metric: Name of the metric.
        value: The number; NaN where the metric has none, and then the note says why.
        unit: Unit of the value; empty for a plain number.
        note: For masks, which of the two was empty, or empty text. For images, what was compared, such as
            `against real` or `mean of draws against the scan`.
    """

    study: str
    arm: str
    fold: int
    seed: int
    case_id: str
    subject_id: str
    region: str
    metric: str
    value: float
    unit: str = ""
    note: str = ""


_FIELDS = tuple(field.name for field in dataclasses.fields(ResultRow))
_INTEGERS = ("fold", "seed")


def write_results(folder: Path, rows: Iterable[ResultRow]) -> None:
    """Write `results.parquet` and `results.csv`, each whole or not at all; no rows give empty tables.

    Args:
        folder: Target; made if it is missing.
        rows: In any order; they are sorted by all fields.

    Raises:
        OutputError: The folder cannot be written.
    """
    ordered = sorted(rows, key=_order)
    write_atomically(folder / PARQUET, _parquet(ordered))
    write_atomically(folder / CSV, _csv(ordered))


def read_results(folder: Path) -> list[ResultRow]:
    """Read the table of a folder, in its order.

    Raises:
        InputFileError: `results.parquet` is missing or damaged, or has other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / PARQUET
    data = read_regular_file(path)
    try:
        table = pq.read_table(pa.BufferReader(data)).cast(_schema())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputFileError(
            f"not a table of results ({error})",
            f"Parquet with columns {', '.join(_FIELDS)}",
            "run the study again; it goes on where it stopped",
            path,
        ) from error
    return [ResultRow(**row) for row in table.to_pylist()]


def _order(row: ResultRow) -> tuple[object, ...]:
    """Sorting key; NaN comes after every number."""
    values = dataclasses.astuple(row)
    return tuple((math.isnan(v), 0.0 if math.isnan(v) else v) if isinstance(v, float) else v for v in values)


def _schema() -> "pa.Schema":
    """Column types of the table."""
    import pyarrow as pa

    types = {**dict.fromkeys(_FIELDS, pa.string()), **dict.fromkeys(_INTEGERS, pa.int64()), "value": pa.float64()}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


def _parquet(rows: list[ResultRow]) -> bytes:
    """The table as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [getattr(row, name) for row in rows] for name in _FIELDS}
    target = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=_schema()), target, compression="zstd")
    data: bytes = target.getvalue().to_pybytes()
    return data


def _csv(rows: list[ResultRow]) -> bytes:
    """The table as CSV; text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    writer.writerows([_cell(getattr(row, name)) for name in _FIELDS] for row in rows)
    return text.getvalue().encode()


def _cell(value: str | float) -> str:
    """One cell; numbers as Python writes them, so that they read back exactly."""
    if not isinstance(value, str):
        return str(value)
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
