"""The doctor's page: what to fix first, every finding, every case, and small pictures."""

import io
import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from glioforge.core import LabelSource
from glioforge.data import SEVERITIES, CaseLook, Diagnosis, Finding, montage
from glioforge.io import Step, require_other_folder, write_atomically, write_json
from glioforge.report import Block, Figure, Folded, Note, Paragraph, Report, Section, Table, render

PAGE = "doctor.html"
JSON = "doctor.json"
_MOST_ROWS = 500
_MOST_PICTURES = 60


def write_diagnosis(diagnosis: Diagnosis, out: Path) -> Path:
    """Write `doctor.html`, the page, and `doctor.json`, the same for programs.

    Args:
        diagnosis: From `examine`; an empty folder gives a page that says so.
        out: Folder to write.

    Returns:
        The page.

    Raises:
        OutputError: The folder holds the diagnosis of another folder, or cannot be written.
    """
    with diagnosis_step(diagnosis.folder, out) as step:
        # Written again where it is done: scans are corrected between two looks.
        write_json(out / JSON, diagnosis.to_json())
        write_atomically(out / PAGE, render(doctor_page(diagnosis)).encode())
        if not step.done:
            step.finish()
    return out / PAGE


def diagnosis_step(folder: Path, out: Path) -> Step:
    """Return the step of `write_diagnosis`; nothing is read or written.

    Args:
        folder: Folder of scans.
        out: Folder to write.

    Raises:
        OutputError: The folder is that of the scans, or holds something else.
    """
    require_other_folder(out, folder)
    return Step(out, {"verb": "doctor", "folder": str(folder.resolve())}, writes=(JSON, PAGE))


def doctor_page(diagnosis: Diagnosis) -> Report:
    """The page of a diagnosis.

    Args:
        diagnosis: Any; an empty folder gives a page that says so.
    """
    sections = [Section("What to fix", (_summary(diagnosis),))]
    if diagnosis.findings:
        sections.append(Section("Every finding", _listed(diagnosis)))
    if diagnosis.cases:
        sections.append(Section("Cases", (_cases(diagnosis),)))
        sections.append(Section("Pictures", _pictures(diagnosis)))
    return Report(f"Scans in {diagnosis.folder.name}", headline(diagnosis), tuple(sections))


def headline(diagnosis: Diagnosis) -> str:
    """One or two sentences: how many cases, how many errors, warnings and remarks.

    Args:
        diagnosis: Any.
    """
    held = f"{len(diagnosis.cases)} cases" if len(diagnosis.cases) != 1 else "1 case"
    kind = f" in layout {diagnosis.layout}" if diagnosis.layout else ""
    labels = f", labels {LabelSource(diagnosis.scheme, diagnosis.reason)}" if diagnosis.scheme else ""
    numbers = ", ".join(f"{diagnosis.count(s)} {s}{'' if diagnosis.count(s) == 1 else 's'}" for s in SEVERITIES)
    verdict = "Fix the errors before running ingest." if diagnosis.count("error") else "Ready to ingest."
    return f"{held}{kind}{labels}: {numbers}. {verdict}"


def topics(diagnosis: Diagnosis) -> tuple[tuple[str, ...], ...]:
    """One row a kind of finding: severity, topic, number, cases, an example with its file, what to do.

    Args:
        diagnosis: Any; nothing found gives no row.
    """
    grouped: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in diagnosis.findings:
        grouped[finding.severity, finding.topic].append(finding)
    rows = []
    for (severity, topic), found in grouped.items():
        cases = len({finding.case_id for finding in found if finding.case_id})
        first = found[0]
        where = file_of(first, diagnosis)
        example = f"{where}: {first.what}" if where else first.what
        rows.append((severity, topic, str(len(found)), str(cases), example, first.remedy))
    return tuple(rows)


def _summary(diagnosis: Diagnosis) -> Block:
    """The kinds of findings, the worst first."""
    if not diagnosis.findings:
        return Paragraph("Nothing was found.")
    columns = ("Severity", "What", "Times", "Cases", "Example", "What to do")
    caption = "Errors stop ingest; warnings are probably mistakes; remarks are good to know."
    return Table(columns, topics(diagnosis), caption)


def _listed(diagnosis: Diagnosis) -> tuple[Block, ...]:
    """All findings, a row each."""
    rows = tuple(
        (f.severity, f.case_id or "–", f.topic, f.what, file_of(f, diagnosis) or "–", f.remedy)
        for f in diagnosis.findings[:_MOST_ROWS]
    )
    columns = ("Severity", "Case", "What", "Found", "File", "What to do")
    more = len(diagnosis.findings) - len(rows)
    table = Folded(f"{len(rows)} findings", (Table(columns, rows, "The worst first, then by case."),))
    return (table, Note(f"{more} more findings stand in the JSON file.")) if more else (table,)


def file_of(finding: Finding, diagnosis: Diagnosis) -> str:
    """Return what a finding is about, as a path below the folder.

    Returns:
        Its file; else the folder of its case, or the case's one file; the case id where no file is known; empty for a
        finding about the whole folder.
    """
    root = str(diagnosis.folder.resolve())
    file = finding.file
    if not file:
        look = next((look for look in diagnosis.cases if look.case_id == finding.case_id), None)
        files = [str(path) for path in look.checked.found.files.values()] if look else []
        file = os.path.commonpath(files) if files else ""
    return os.path.relpath(file, root) if file.startswith(root) and file != root else file or finding.case_id


def _cases(diagnosis: Diagnosis) -> Table:
    """One row a case."""
    counts = Counter((finding.case_id, finding.severity) for finding in diagnosis.findings)
    rows = []
    for look in diagnosis.cases[:_MOST_ROWS]:
        found, labels = look.checked.found, look.checked.label_counts
        grid = " × ".join(map(str, look.shape)) if look.shape else "–"
        spacing = " × ".join(f"{length:.3g}" for length in look.spacing) if look.spacing else "–"
        values = " ".join(str(value) for value in sorted(labels)) if labels else "–"
        numbers = " / ".join(str(counts[look.case_id, severity]) for severity in SEVERITIES)
        held = ", ".join(modality.title for modality in found.images)
        rows.append(
            (look.case_id, numbers, held, grid, spacing, look.orientation or "–", values, f"{look.brain_ml:.0f}")
        )
    columns = ("Case", "Found", "Contrasts", "Grid", "Voxel in mm", "Axes", "Labels", "Brain in ml")
    more = len(diagnosis.cases) - len(rows)
    return Table(
        columns,
        tuple(rows),
        f"Every case; found are errors / warnings / remarks{f'; {more} more stand in the JSON file' if more else ''}.",
    )


def _pictures(diagnosis: Diagnosis) -> tuple[Block, ...]:
    """Cases with errors and warnings first, up to a limit."""
    worst = {f.case_id for f in diagnosis.findings if f.severity != "remark"}
    shown = sorted((c for c in diagnosis.cases if c.tiles), key=lambda c: (c.case_id not in worst, c.case_id))
    notes = defaultdict(list)
    for finding in diagnosis.findings:
        notes[finding.case_id].append(finding.topic)
    titles = ", ".join(modality.title for modality in diagnosis.modalities)
    blocks: list[Block] = [
        Paragraph(f"From left to right {titles}: the axial slice with most tumour. The patient's right is on the left.")
    ]
    blocks += [_picture(look, diagnosis, notes[look.case_id]) for look in shown[:_MOST_PICTURES]]
    if len(shown) > _MOST_PICTURES:
        blocks.append(Note(f"{len(shown) - _MOST_PICTURES} more cases are not shown."))
    return tuple(blocks)


def _picture(look: CaseLook, diagnosis: Diagnosis, notes: list[str]) -> Figure:
    """One case's tiles with what was found in it."""
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    tiles = np.repeat(np.repeat(montage(look.tiles, diagnosis.modalities), 2, axis=0), 2, axis=1)
    imsave(buffer, tiles, format="png", metadata={"Software": "glioforge"})
    caption = f"{look.case_id}: {', '.join(dict.fromkeys(notes))}." if notes else f"{look.case_id}."
    return Figure(buffer.getvalue(), caption, f"Axial slices of {look.case_id}")
