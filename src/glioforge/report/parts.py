"""Tables and figures of a report as files of their own: CSV, LaTeX, PNG and SVG, linked from the page.

Each file is named after its section and its number there.  LaTeX tables need the
package `booktabs`; numbers, minus signs and brackets are those of the page.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from glioforge.io import write_atomically
from glioforge.report.html import anchors
from glioforge.report.page import Block, Figure, Folded, Links, Report, Section, Table

FOLDER: Final = "report-files"
"""Folder next to the page."""
_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "−": "$-$",
    "–": "--",
    "²": "$^2$",
    "³": "$^3$",
    "σ": r"$\sigma$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def with_parts(report: Report, folder: Path) -> Report:
    """Write every table and figure of a report into a folder next to its page, and return it with links to them.

    Files of an earlier page that this one no longer has are removed.

    Args:
        report: One without tables and figures stays as it is.
        folder: Folder of the page.

    Raises:
        OutputError: The folder cannot be written.
    """
    links: dict[str, tuple[str, ...]] = {}
    files: dict[str, bytes] = {}
    for anchor, section in zip(anchors(report.sections), report.sections, strict=True):
        for number, block in enumerate(_parts(section.blocks), 1):
            made = {f"{FOLDER}/{anchor}-{number}.{end}": data for end, data in _contents(block).items()}
            files |= made
            caption = re.sub(r"\s+", " ", block.caption).strip()
            links[f"{section.heading} {number}: {caption.split('. ')[0].rstrip('.')}"] = tuple(made)
    if not files:
        return report
    for name, data in files.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != data:
            write_atomically(folder / name, data)
    for path in (folder / FOLDER).iterdir():
        if f"{FOLDER}/{path.name}" not in files:
            path.unlink()
    return replace(report, sections=(*report.sections, Section("Tables and figures as files", (Links(links),))))


def csv_of(table: Table) -> str:
    r"""Return a table as CSV, its cells as on the page.

    Example:
        >>> csv_of(Table(("Arm", "Dice"), (("real", "0.71"),), "Scores."))
        'Arm,Dice\nreal,0.71\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((table.columns, *table.rows))
    return text.getvalue()


def latex_of(table: Table) -> str:
    r"""Return a table as LaTeX with its caption, for the package `booktabs`.

    Example:
        >>> print(latex_of(Table(("Arm", "Dice"), (("real", "−0.71"),), "100 % of cases.")))
        \begin{table}
        \caption{100 \% of cases.}
        \begin{tabular}{ll}
        \toprule
        Arm & Dice \\
        \midrule
        real & $-$0.71 \\
        \bottomrule
        \end{tabular}
        \end{table}
        <BLANKLINE>
    """
    head, *rows = (" & ".join(map(_escaped, row)) + r" \\" for row in (table.columns, *table.rows))
    lines = (
        r"\begin{table}",
        rf"\caption{{{_escaped(table.caption)}}}",
        rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    )
    return "\n".join(lines)


def _parts(blocks: tuple[Block, ...]) -> Iterator[Table | Figure]:
    """Tables and figures in reading order, folded ones too."""
    for block in blocks:
        if isinstance(block, Folded):
            yield from _parts(block.blocks)
        elif isinstance(block, Table | Figure):
            yield block


def _contents(block: Table | Figure) -> dict[str, bytes]:
    """Contents of the files of a table or figure, by their endings."""
    if isinstance(block, Table):
        return {"csv": csv_of(block).encode(), "tex": latex_of(block).encode()}
    return {"png": bytes(block.png), **({"svg": block.svg} if block.svg else {})}


def _escaped(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
