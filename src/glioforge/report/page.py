"""What a report holds, apart from how it looks: sections of plain blocks.

All text is plain; whatever is in it is shown as it stands, never as markup.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

from glioforge.core import OutputError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@final
class Drawing(bytes):
    """Contents of a PNG file, with the same drawing as SVG.

    Args:
        png: Contents of the PNG file.
        svg: Contents of the SVG file.
    """

    svg: bytes

    def __new__(cls, png: bytes, svg: bytes) -> "Drawing":
        """Return the bytes of the PNG file with the other ones attached."""
        drawing = super().__new__(cls, png)
        drawing.svg = svg
        return drawing


@final
@dataclass(frozen=True)
class Paragraph:
    """Running text.

    Args:
        text: One or more sentences.
    """

    text: str


@final
@dataclass(frozen=True)
class Note:
    """Text set apart: what a reader must know before believing a number.

    Args:
        text: One or more sentences.
        kind: `warning` where a conclusion would be wrong without it.
    """

    text: str
    kind: Literal["info", "warning"] = "info"


@final
@dataclass(frozen=True)
class Figure:
    """A picture with its caption.

    Args:
        png: Contents of a PNG file.
        caption: What is shown, with axes, units and conventions.
        alt: What a reader who cannot see it should know.

    Raises:
        OutputError: The bytes are not a PNG file, or the text for those who cannot see it is missing.
    """

    png: bytes
    caption: str
    alt: str

    def __post_init__(self) -> None:
        if not self.png.startswith(PNG_SIGNATURE):
            raise OutputError(f"figure {self.caption[:40]!r} of {len(self.png)} bytes", "contents of a PNG file")
        if not self.alt.strip():
            raise OutputError(f"figure {self.caption[:40]!r} without alternative text", "a sentence on what it shows")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the file's header says."""
        return int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")

    @property
    def svg(self) -> bytes:
        """Contents of an SVG file; empty for pictures of voxels."""
        return self.png.svg if isinstance(self.png, Drawing) else b""


@final
@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Args:
        columns: Headings.
        rows: Cells as text, one a heading; may be empty.
        caption: What is shown, with units.
        highlight: Numbers of rows set off from the others.

    Raises:
        OutputError: A row has more or fewer cells than there are headings.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    highlight: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise OutputError(
                    f"table row of {len(row)} cells: {row}", f"{len(self.columns)} cells, one each of {self.columns}"
                )


@final
@dataclass(frozen=True)
class Facts:
    """Names and values, such as settings and versions.

    Args:
        values: Value of each name, in the order shown.
    """

    values: Mapping[str, str]


@final
@dataclass(frozen=True)
class Listing:
    """Text whose lines and spaces matter, such as a configuration file.

    Args:
        text: Shown line by line in a font of fixed width.
    """

    text: str


@final
@dataclass(frozen=True)
class Folded:
    """Details that a reader opens if wanted; printed in full.

    Args:
        summary: What lies inside.
        blocks: The details.
    """

    summary: str
    blocks: tuple["Block", ...]


@final
@dataclass(frozen=True)
class Links:
    """Files next to the page.

    Args:
        files: Relative addresses of the files of each thing, by its name.
    """

    files: Mapping[str, tuple[str, ...]]


Block = Paragraph | Note | Figure | Table | Facts | Listing | Links | Folded
"""Anything that a section may hold."""


@final
@dataclass(frozen=True)
class Section:
    """A heading with what stands under it.

    Args:
        heading: Shown in the table of contents too.
        blocks: May be empty.
    """

    heading: str
    blocks: tuple[Block, ...]


@final
@dataclass(frozen=True)
class Report:
    """A whole report.

    Args:
        title: The question.
        verdict: The answer in one sentence, never more than the numbers carry.
        sections: In reading order.
        lead: What else a reader should know at once; empty for nothing.
        footer: How it was made; empty for none.
        numbers: What its tables show, for programs: plain JSON values; empty for nothing.
        notices: Notes right under the verdict, without which it would be read wrongly.
    """

    title: str
    verdict: str
    sections: tuple[Section, ...]
    lead: str = ""
    footer: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[Note, ...] = ()
