"""What the report of every study says of its test lock: a note on top, and the table of looks."""

from dataclasses import replace
from typing import Final

from glioforge.core import counted
from glioforge.report import Block, Facts, Note, Paragraph, Report, Section, Table
from glioforge.studies.lock import Look, Standing

_SHOWN: Final = 12
"""Digits of a hash that pages show."""


def with_lock(report: Report, standing: Standing | None) -> Report:
    """Return the report with the note of the test lock in its first lines and the table of looks before its settings.

    Args:
        report: Of any question.
        standing: What the lock said; none leaves the report as it is.
    """
    if standing is None:
        return report
    *sections, last = report.sections or (Section("Settings", ()),)
    return replace(report, notices=(*report.notices, notice(standing)), sections=(*sections, _section(standing), last))


def notice(standing: Standing) -> Note:
    """Return the sentence on pre-registration that stands under the verdict."""
    if standing.kind == "exempt":
        return Note("Test lock: phantoms are exempt, for new ones can always be computed; nothing is pre-registered.")
    fixed = f"Settings {standing.study[:_SHOWN]} were fixed on {_day(standing.registered)}"
    scans = counted(standing.scans, "test scan")
    if standing.kind == "pre-registered":
        later = len(standing.others)
        also = f" {counted(later, 'other study')} registered before any look also scored them." if later else ""
        also = also.replace("studys", "studies")
        return Note(f"Pre-registered. {fixed}, before anything was scored on any of the {scans}.{also}")
    seen = max(look.shared for look in standing.earlier)
    first = standing.earlier[0]
    return Note(
        f"Exploratory, not confirmatory. {fixed}, after {counted(len(standing.earlier), 'earlier look')} at the test "
        f"scans: up to {seen} of {scans} had been scored before, first by study {first.name!r} on "
        f"{_day(first.looked)}. Choices made after a look can favour what was seen; confirm it on new subjects.",
        "warning",
    )


def _section(standing: Standing) -> Section:
    """Every look at the test scans that is known."""
    if standing.kind == "exempt":
        text = "All test cases are phantoms. The test lock counts looks at scans of people alone."
        return Section("Looks at the test subjects", (Paragraph(text),))
    own = {
        "this study": standing.kind,
        "hash of its settings": standing.study,
        "settings fixed": standing.registered,
        "first scored": standing.looked or "not yet",
        "test scans": str(standing.scans),
    }
    text = (
        "Scans are known by hashes of their voxels: another ingest, name, folder or budget does not reset the lock. "
        "What the user's state folder and the folder of the cohort know is counted together; looks from other "
        "machines or with other programs are not known."
    )
    rows = tuple(_row(look, standing.scans) for look in standing.others)
    columns = ("Study", "Settings", "Fixed", "Looked", "Shared scans", "Before this study was fixed")
    caption = "Looks of other studies at these test scans, the earliest first."
    table: tuple[Block, ...] = (Table(columns, rows, caption),) if rows else (Paragraph("No other study looked."),)
    noted = (Note(f"{standing.note[0].upper()}{standing.note[1:]}.", "warning"),) if standing.note else ()
    return Section("Looks at the test subjects", (Facts(own), Paragraph(text), *noted, *table))


def _row(look: Look, scans: int) -> tuple[str, ...]:
    """Cells of one look."""
    before = "yes" if look.before else "no"
    days = (_day(look.registered), _day(look.looked))
    return (look.name, look.study[:_SHOWN], *days, f"{look.shared} of {scans}", before)


def _day(time: str) -> str:
    """Date and time to the minute, in UTC."""
    return f"{time[:10]} {time[11:16]} UTC"
