"""The page of the five papers: each published table, what its statistics could have shown, and ours below it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from glioforge.io import write_atomically, write_json
from glioforge.papers.could_show import contradictions, could_show, mean_interval
from glioforge.papers.ours import Cell, Given, Ours, cell
from glioforge.papers.published import IMAGES, PAPERS, Published, PublishedTable, published
from glioforge.papers.readings import Refused, reading_blocks, reading_numbers
from glioforge.reader import Answered
from glioforge.report import Block, Facts, Note, Paragraph, Report, Section, Table, render

JSON = ".json"
"""Ending of the file with the same numbers for programs, beside the page."""


def write_papers_page(out: Path, studies: Mapping[str, Sequence[Given]]) -> Path:
    """Write the page and its numbers.

    Args:
        out: The HTML file.
        studies: Finished studies and readings after some of the papers, by the paper's name.

    Returns:
        The page.

    Raises:
        OutputError: The file cannot be written.
    """
    page = papers_page(studies)
    write_json(out.with_suffix(JSON), page.numbers)
    write_atomically(out, render(page).encode())
    return out


def papers_page(studies: Mapping[str, Sequence[Given]]) -> Report:
    """Return the page as plain blocks, with gaps where no study was given."""
    papers = {name: published(name) for name in PAPERS}
    sections = tuple(_section(name, paper, studies.get(name, ())) for name, paper in papers.items())
    every = {name: _studies(found) for name, found in studies.items()}
    given = ", ".join(f"{_short(name)} ({one.on})" for name in PAPERS for one in every.get(name, ())) or "none"
    return Report(
        "The five papers and studies after them",
        f"Published numbers of {len(papers)} papers, and studies of Glioforge: {given}.",
        sections,
        lead=(
            "No number here replicates a paper: cases, budgets and gaps of the texts differ, and each difference is "
            "listed. Intervals and power are computed from what the papers print."
        ),
        footer="Made by Glioforge from its file of published numbers and the results of the studies named.",
        notices=_cautions(studies),
        numbers={name: _numbers(name, paper, studies.get(name, ())) for name, paper in papers.items()},
    )


def _studies(given: Sequence[Given]) -> tuple[Ours, ...]:
    """Finished studies among what is given."""
    return tuple(one for one in given if isinstance(one, Ours))


def _readings(given: Sequence[Given]) -> tuple[tuple[Answered, ...], tuple[Refused, ...]]:
    """Readings among what is given, and those that were refused."""
    answered = tuple(one for one in given if isinstance(one, Answered))
    return answered, tuple(one for one in given if isinstance(one, Refused))


def _cautions(studies: Mapping[str, Sequence[Given]]) -> tuple[Note, ...]:
    """What a reader must know before comparing anything: phantoms, small budgets, readers who are none."""
    given = [one for of_paper in studies.values() for one in _studies(of_paper)]
    read = [one for of_paper in studies.values() for one in _readings(of_paper)[0]]
    phantoms = [_short(one.paper) for one in given if one.table.noun == "phantom"]
    short = [_short(one.paper) for one in given if one.budget in {"smoke", "small"}]
    simulated = [_short(one.paper) for one in read if "SIMULATED" in one.flags]
    texts = (
        f"Computed phantoms, no patients: the studies after {', '.join(dict.fromkeys(phantoms))}." if phantoms else "",
        f"Budgets that show that a study runs, not what methods can do: {', '.join(dict.fromkeys(short))}."
        if short
        else "",
        f"Simulated readers, who looked at no image: the readings after {', '.join(dict.fromkeys(simulated))}."
        if simulated
        else "",
    )
    return tuple(Note(text, "warning") for text in texts if text)


def _short(paper: str) -> str:
    """Authors and year of a paper."""
    return published(paper).citation.partition(",")[0].partition(" (")[0]


def _section(name: str, paper: Published, given: Sequence[Given]) -> Section:
    """Everything about one paper."""
    ours, (answered, refused) = _studies(given), _readings(given)
    facts = {
        "question": paper.question,
        "tested": f"{paper.tested}: {paper.tested_note[:1].lower()}{paper.tested_note[1:]}",
    }
    facts["studies of Glioforge"] = "; ".join(f"{one.title} ({one.on})" for one in ours) or "none given"
    if answered:
        count = Counter(f"{one.title} ({one.who}, {one.shown} shown)" for one in answered)
        facts["readings"] = "; ".join(f"{text}{f', {n} of them' if n > 1 else ''}" for text, n in count.items())
    blocks: list[Block] = [Facts(facts)]
    for table in paper.tables:
        blocks += _table_blocks(paper, table, ours)
    blocks += reading_blocks(name, answered, refused)
    blocks += [Note(f"{text}{'' if text.endswith('.') else '.'}") for text in paper.remarks]
    for one in ours:
        rows = tuple((kind, text) for kind, texts in one.differences.items() for text in texts)
        caption = f"Everything known to differ from the paper: {one.title}"
        blocks.append(Table(("Of what", "Difference"), rows, caption))
    return Section(paper.citation, tuple(blocks))


def _table_blocks(paper: Published, table: PublishedTable, ours: Sequence[Ours]) -> list[Block]:
    """A printed table beside ours, and what its differences could show."""
    rows = []
    for row in table.rows:
        rows.append((f"{row.name}, published", *(_printed(paper, table, row.mean, row.sd, n) for n in _places(table))))
        if row.arms:
            mine = (cell(ours, table, row, n).text for n in _places(table))
            rows.append((f"{row.name}, ours", *(("gap",) * len(table.columns) if not ours else mine)))
        for also in table.also if row.arms and ours else ():
            further = (cell(ours, table, row, n, also).text for n in _places(table))
            rows.append((f"{row.name}, ours, {also.title}", *further))
    caption = f"{table.title} ({table.unit}). " + (
        "Brackets hold 95 % intervals from the printed mean and standard deviation. "
        if any(row.sd for row in table.rows) and table.metric != IMAGES
        else ""
    )
    if any(row.arms for row in table.rows):
        caption += (
            "Ours: gap, no study was given."
            if not ours
            else f"Ours: mean ± standard deviation over {ours[0].table.noun}s, with their number."
        )
    else:
        caption += "No study of Glioforge asks the same."
    if table.metric == IMAGES:
        caption += (
            " Ours: inside the brain, against the scan, or the phantom without noise; 255 grey values span the "
            "reference's intensities there."
        )
    blocks: list[Block] = [Table(("", *table.columns), tuple(rows), caption.strip())]
    if table.metric == IMAGES:
        return [*blocks, *_image_blocks(table)]
    found = _differences(paper, table)
    if found:
        blocks.append(_power_table(paper, found))
    return blocks


def _places(table: PublishedTable) -> range:
    """Numbers of the columns."""
    return range(len(table.columns))


def _printed(paper: Published, table: PublishedTable, mean: tuple[float, ...], sd: tuple[float, ...], n: int) -> str:
    """A printed number, with its deviation and interval where they are known."""
    text = f"{mean[n]:.{_digits(mean)}f}"
    if not sd:
        return text
    text = f"{text} ± {sd[n]:.{_digits(sd)}f}"
    if table.metric == IMAGES:
        return text
    found = mean_interval(mean[n], sd[n], paper.tested)
    return f"{text} ({found.low:.2f} to {found.high:.2f})"


def _digits(values: tuple[float, ...]) -> int:
    """Decimal places that print a row of numbers as the paper does, without their trailing zeros."""
    return max(len(f"{value:g}".partition(".")[2]) for value in values)


def _differences(paper: Published, table: PublishedTable) -> list[tuple[str, str, Any]]:
    """Row, comparison and `Shown` of each printed difference."""
    found = []
    for row in table.rows:
        for place, reference in enumerate(table.against):
            if place != reference:
                sds = (row.sd[place], row.sd[reference]) if row.sd else None
                what = f"{table.columns[place]} against {table.columns[reference]}"
                found.append((row.name, what, could_show(row.mean[place] - row.mean[reference], paper.tested, sds)))
    return found


def _power_table(paper: Published, found: list[tuple[str, str, Any]]) -> Table:
    """What each printed difference would take to be found."""
    spreads = any(not isnan(shown.least_sd) for _, _, shown in found)
    columns = ("Row", "Comparison", "Difference", "Largest spread that shows it")
    columns = (*columns, *(("Spread that is possible",) if spreads else ()), "Verdict")
    rows = tuple(
        (
            row,
            what,
            f"{shown.difference:+.3g}".replace("-", "−") if shown.difference else "0",
            "–" if isnan(shown.largest_sd) else f"{shown.largest_sd:.3g}",
            *((f"{shown.least_sd:.2g} to {shown.most_sd:.2g}",) if spreads else ()),
            shown.verdict,
        )
        for row, what, shown in found
    )
    caption = (
        f"What a test set of {paper.tested} could show of each printed difference. The largest spread "
        "is the standard deviation over subjects of the paired difference at which a true difference of this size is "
        "found with 80 % power at 5 %, before any correction for the number of comparisons, and as if other trainings "
        "gave the same."
    )
    return Table(columns, rows, caption)


def _image_blocks(table: PublishedTable) -> list[Block]:
    """Identities that printed errors of images break."""
    broken = [(row.name, text) for row in table.rows for text in contradictions(*row.mean[:3])]
    if not broken:
        return [Paragraph("The printed errors agree with each other.")]
    caption = "Identities that the printed numbers break: PSNR follows from MSE, and MAE cannot exceed its root."
    return [Table(("Contrast", "Contradiction"), tuple(broken), caption)]


def _numbers(name: str, paper: Published, given: Sequence[Given]) -> dict[str, Any]:
    """The tables of a paper for programs."""
    ours = _studies(given)
    tables: dict[str, Any] = {}
    for table in paper.tables:
        cells = {row.name: [_cell_json(cell(ours, table, row, n)) for n in _places(table)] for row in table.rows}
        printed = {row.name: {"mean": row.mean, "sd": row.sd} for row in table.rows}
        tables[table.name] = {"columns": table.columns, "published": printed, "ours": cells}
        for also in table.also:
            tables[table.name][f"ours, {also.title}"] = {
                row.name: [_cell_json(cell(ours, table, row, n, also)) for n in _places(table)] for row in table.rows
            }
    studies = [{"title": one.title, "budget": one.budget, "on": one.on} for one in ours]
    reading = reading_numbers(name, *_readings(given))
    values = {"citation": paper.citation, "tested": paper.tested, "studies": studies, "tables": tables}
    return {**values, "reading": reading} if reading else values


def _cell_json(found: Cell) -> dict[str, Any]:
    """A cell as plain values; a gap has its reason alone."""
    if found.why:
        return {"gap": found.why}
    values = {"mean": found.mean, "sd": found.sd, "leaky": found.leaky}
    return {"n": found.count, **{name: None if isnan(value) else round(value, 4) for name, value in values.items()}}
