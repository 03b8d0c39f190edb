"""What the report of a study after a published one says of it: that it is no replication, and what differs.

A study that asks a paper's question on other cases, with another budget and with gaps of the text filled, is no
replication.  Its report therefore lists each deviation and each difference of the data, and says so in its first lines.
"""

from dataclasses import replace

from glioforge.core import SpecError, counted
from glioforge.report import Note, Paragraph, Report, Section, Table
from glioforge.studies.base import AfterSpec, PhantomData, StudySpec


def with_after(report: Report, spec: StudySpec) -> Report:
    """Return the report with a notice under its verdict and the list of differences before its settings.

    Args:
        report: Of any question.
        spec: Settings; a study that follows no paper leaves the report as it is.
    """
    if spec.after is None:
        return report
    *sections, last = report.sections or (Section("Settings", ()),)
    return replace(report, notices=(*report.notices, notice(spec)), sections=(*sections, section(spec), last))


def notice(spec: StudySpec) -> Note:
    """Return the sentence that keeps a study after a paper from being taken for a replication."""
    after = _after(spec)
    few = counted(len(_rows(spec)), "difference")
    on = "Computed phantoms, no scans: a" if isinstance(spec.data, PhantomData) else "A"
    return Note(
        f"{on} study after {after.citation}, on other cases and not a replication; {few} are listed under "
        f"“{heading(spec)}”.",
        "warning",
    )


def heading(spec: StudySpec) -> str:
    """Heading of the section of differences."""
    return f"What differs from {_after(spec).citation}"


def section(spec: StudySpec) -> Section:
    """Return every deviation, difference of the data, and gap in one table."""
    lead = Paragraph(
        "Published numbers and those of this study come from different conditions. That they are alike confirms "
        "neither, and that they differ refutes neither."
    )
    table = Table(("Of what", "Difference"), _rows(spec), "Everything known to differ.")
    return Section(heading(spec), (lead, table))


def _rows(spec: StudySpec) -> tuple[tuple[str, str], ...]:
    """Kind and text of every difference."""
    after = _after(spec)
    kinds = (("Method", after.deviations), ("Data", (*after.data, *_phantoms(spec))), ("Left out", after.gaps))
    return tuple((kind, text) for kind, texts in kinds for text in texts)


def _after(spec: StudySpec) -> AfterSpec:
    """The paper of a study that has one."""
    if spec.after is None:
        raise SpecError(f"study {spec.name}, which follows no paper", "the key `after`")
    return spec.after


def _phantoms(spec: StudySpec) -> tuple[str, ...]:
    """What phantoms lack."""
    if not isinstance(spec.data, PhantomData):
        return ()
    return (f"{spec.data.cases} computed phantoms stand in for patients; their tumours are simpler than real ones.",)
