"""Published tables as data: one file a paper in `papers/published`, numbers as printed, with what was compared.

A cell may name the arm, region and metric of the study of Glioforge that asks the same question; the page of the
papers reads them from its folder.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files
from typing import Final, Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec, load_spec, named_file

PAPERS: Final = ("shin2018", "carver", "han2018", "foroozandeh_eklund", "guo2020")
"""Names of the papers, in the order in which pages show them."""
IMAGES: Final = "images"
"""Metric of a table whose columns are metrics of images themselves."""


@final
class PublishedRow(Spec):
    """One row of a table."""

    name: str
    """As printed, or what it stands for."""
    mean: tuple[float, ...]
    """Number of each column."""
    sd: tuple[float, ...] = ()
    """Standard deviation of each column; empty where none was printed."""
    region: str = ""
    """Region of a study's results that the row is about; empty where no study asks the same."""
    arms: tuple[str, ...] = ()
    """Arm of a study for each column; empty where no study asks the same."""


@final
class AlsoRow(Spec):
    """A further row of ours below each printed one."""

    title: str
    """What differs from the first row of ours."""
    grid: str = ""
    """Further grid of the study on which its scores are taken; the scan's unless given."""
    arms: Mapping[str, str] = Field(default_factory=dict)
    """Arms of the study, each by the arm in whose place it stands."""


@final
class PublishedTable(Spec):
    """One table, or one metric of it."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    """Name within the paper."""
    title: str
    """Number and contents."""
    metric: str
    """Metric of a study's results that its numbers are compared with."""
    unit: str
    """Unit as printed."""
    columns: tuple[str, ...]
    """Headings."""
    against: tuple[int, ...] = ()
    """Place of the column that each column is compared with; empty where nothing is compared."""
    rows: tuple[PublishedRow, ...]
    """Rows, in the order shown."""
    also: tuple[AlsoRow, ...] = ()
    """Further rows of ours below each row."""

    @model_validator(mode="after")
    def _even(self) -> Self:
        """Refuse rows with more or fewer numbers than there are columns."""
        width = len(self.columns)
        parts = [self.against, *(part for row in self.rows for part in (row.mean, row.sd, row.arms))]
        uneven = sorted({len(part) for part in parts if part} - {width})
        if uneven or any(not row.mean for row in self.rows):
            msg = f"table {self.name}: rows of {uneven} numbers, expected {width}"
            raise ValueError(msg)
        if any(not 0 <= place < width for place in self.against):
            msg = f"table {self.name}: against {self.against}, expected places below {width}"
            raise ValueError(msg)
        return self


@final
class Published(Spec):
    """What a paper printed."""

    citation: str
    """Authors, year, place."""
    question: str
    """What its study asked."""
    tested: int = Field(ge=1)
    """Units of evidence at most: people, cases or images that the numbers rest on."""
    tested_note: str
    """Where that number comes from, and what is unsure about it."""
    tables: tuple[PublishedTable, ...]
    """Tables with means."""
    remarks: tuple[str, ...] = ()
    """What a reader of the tables should know."""


@cache
def published(paper: str) -> Published:
    """Read the numbers of a paper.

    Args:
        paper: One of `PAPERS`.

    Raises:
        SpecError: There is no such paper.

    Example:
        >>> published("shin2018").tables[0].rows[0].mean
        (0.64, 0.8, 0.25, 0.8)
    """
    folder = files("glioforge.papers") / "published"
    with as_file(named_file(paper, {name: folder / f"{name}.yaml" for name in PAPERS}, "paper")) as path:
        return load_spec(path, Published)
