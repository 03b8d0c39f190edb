"""Tables: the one long table of results, from which pages and figures are made, and small ones as CSV.

Written twice, as Parquet for programs and as CSV for people; rows are sorted,
so the same results give the same bytes.
"""

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from glioforge.core import InputFileError
from glioforge.io.atomic_write import read_regular_file, write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "results.parquet"
CSV = "results.csv"


@final
@dataclass(frozen=True)
class ResultRow:
    """One measured number.

    All columns but `value`, `unit`, `empty` and `note` together identify a number: the same images may be compared
    with two references, a mean of draws and one draw with the same reference, and a mask be scored on two grids.

    Args:
        study: Name of the study.
        arm: What was compared, for example `real` or `real+synthetic`.
        fold: Fold of a cross-validation; 0 for a single split.
        seed: Seed of the training.
        case_id: Case that was judged; empty for a number about a whole cohort.
        subject_id: Its subject; empty for a number about a whole cohort.
        region: Tumour region, tissue, or the mask in which images are compared; or empty.
        metric: Name of the metric.
        value: The number; NaN where the metric has none, and then the note says why.
        unit: Unit of the value; empty for a plain number.
        contrast: Contrast of the images; empty for masks.
        reference: What images were compared with, `scan` or `noise-free image`; empty for masks, which are compared
            with labels, and for numbers without a reference.
        sample: What of several was measured: `one draw`, `mean of draws` or `between draws` of a synthesizer, or
            `bootstrap-017` for a resample of the cohort; empty where there is one alone.
        grid: Voxels on which it was measured: `scan` for those of the file, with the labels that came with it, or
            `prepared`; empty for a number that depends on none.
        empty: For masks, which of the two was empty, so that the value follows the metric's policy; or empty.
        note: A remark for readers, which no code reads.
        draw: Number of the draw of training subjects, where several were drawn; 0 for the first or only one.
        generator_seed: Number of the generator's training, where several were trained; 0 for the first or only one.
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
    contrast: str = ""
    reference: str = ""
    sample: str = ""
    grid: str = ""
    empty: str = ""
    note: str = ""
    draw: int = 0
    generator_seed: int = 0

    @property
    def place(self) -> str:
        """Region and contrast as one text, such as `brain/t1ce`; the region alone without a contrast."""
        return f"{self.region}/{self.contrast}" if self.contrast else self.region


ONE_DRAW: Final = "one draw"
MEAN_OF_DRAWS: Final = "mean of draws"
BETWEEN_DRAWS: Final = "between draws"
SCAN: Final = "scan"
NOISE_FREE: Final = "noise-free image"
PREPARED: Final = "prepared"

_FIELDS = tuple(field.name for field in dataclasses.fields(ResultRow))
_INTEGERS = ("fold", "seed", "draw", "generator_seed")
_LAST = ("value", "unit", "empty", "note")
_ORDER = (*(name for name in _FIELDS if name not in _LAST), *_LAST)


def write_results(folder: Path, rows: Iterable[ResultRow]) -> None:
    """Write `results.parquet` and `results.csv`, each whole or not at all; no rows give empty tables.

    Args:
        folder: Target; made if it is missing.
        rows: In any order; they are sorted by what identifies a number, then by the rest.

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
        table = _with_new_columns(pq.read_table(pa.BufferReader(data))).cast(_schema())
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
    values = [getattr(row, name) for name in _ORDER]
    return tuple((math.isnan(v), 0.0 if math.isnan(v) else v) if isinstance(v, float) else v for v in values)


def _schema() -> "pa.Schema":
    """Column types of the table."""
    import pyarrow as pa

    types = {**dict.fromkeys(_FIELDS, pa.string()), **dict.fromkeys(_INTEGERS, pa.int64()), "value": pa.float64()}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


def _with_new_columns(table: "pa.Table") -> "pa.Table":
    """A table of an earlier release with the columns that it lacks: one draw of subjects, one generator."""
    import pyarrow as pa

    for name in ("draw", "generator_seed"):
        if name not in table.column_names and table.column_names:
            place = _FIELDS.index(name)
            table = table.add_column(place, pa.field(name, pa.int64(), nullable=False), pa.array([0] * len(table)))
    return table


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
