"""The report of a reading study: one page with the answer, tables, figures, methods, and what it does not show.

Nothing is reported before the lock, and then everything that the export holds.  The
same answers, settings and flags give the same page.  Its numbers are stored
as JSON as well, so that they can be checked against the exported answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from glioforge.io import write_atomically, write_json
from glioforge.reader import report_figures as figures, report_tables as tables
from glioforge.reader.agreement import Mask, outline_agreement
from glioforge.reader.analysis import SEED, Analysis, analyse
from glioforge.reader.analysis_rows import ALL, Row
from glioforge.reader.answers import Answer
from glioforge.reader.export import locked_answers, locked_outlines, write_mrmc_files
from glioforge.reader.folder import open_study
from glioforge.reader.lock import status_of
from glioforge.reader.report_methods import methods_text, numbers_of, read_diversity
from glioforge.reader.report_words import TITLES, WORDS, bias, diversity_note, found, readers_note, verdict
from glioforge.reader.spec import ReaderSpec
from glioforge.report import Block, Facts, Figure, Folded, Note, Paragraph, Report, Section, Table, render

PAGE: Final = "report.html"
NUMBERS: Final = "report.json"
_MOST_COMMENTS: Final = 100
_FLAG_WORDS: Final = {
    "SEEN": "Real cases were seen by a generator: readers may have been shown what it had learned from.",
    "SHORTCUT": "A pixel shortcut tells real from synthetic items without looking at the brain.",
}


def write_reading_report(  # noqa: PLR0913 - answers, settings and what a page adds, by keyword
    answers: Sequence[Answer],
    spec: ReaderSpec,
    out: Path,
    *,
    flags: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
    fidelity: Path | None = None,
    outlines: Mapping[str, Mapping[str, Mask]] | None = None,
) -> Path:
    """Analyse answers, and write the page, its numbers, and tables for iMRMC, MRMCaov and MRMCbinary.

    Args:
        answers: All answers of a locked study.
        spec: Its settings.
        out: Folder of the report; made if missing.
        flags: Warnings that every table carries, by their short name, such as `SEEN`.
        facts: Further facts for the last section, such as the hash of the audit chain.
        fidelity: `fidelity.json` of a comparison of the cohorts, for a measure of diversity.
        outlines: Tumours that readers outlined, by item and reader.

    Returns:
        The page.

    Raises:
        CohortError: There is nothing to analyse.
        InputFileError: The fidelity file cannot be read.
        OutputError: The folder cannot be written.
    """
    analysis = replace(analyse(answers, spec.analysis), outlines=outline_agreement(outlines or {}, seed=SEED))
    diversity = {} if fidelity is None else read_diversity(fidelity)
    page = reading_report(analysis, answers, spec, flags=flags or {}, facts=facts or {}, diversity=diversity)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / NUMBERS, dict(page.numbers))
    write_mrmc_files(answers, out)
    write_atomically(out / PAGE, render(page).encode("utf-8"))
    return out / PAGE


def reading_report(
    analysis: Analysis,
    answers: Sequence[Answer],
    spec: ReaderSpec,
    *,
    flags: Mapping[str, str],
    facts: Mapping[str, str],
    diversity: Mapping[str, float],
) -> Report:
    """Lay out an analysis as a report; arguments as in `write_reading_report`."""
    sections = [
        Section("Result", tuple(_result(analysis, flags))),
        Section("Methods and contrasts", tuple(_methods(analysis, flags))),
        Section("Readers", tuple(_readers(analysis, flags))),
        Section("Why", tuple(_why(analysis, answers, flags))),
        Section("How it was done", tuple(_how(analysis, spec, flags, facts, diversity))),
    ]
    notes = [text for name, text in _FLAG_WORDS.items() if name in flags]
    lead = " ".join([f"{TITLES[analysis.kind]}", readers_note(analysis), diversity_note(diversity), *notes])
    return Report(
        spec.title,
        verdict(analysis),
        tuple(section for section in sections if section.blocks),
        lead,
        "Glioforge reading study",
        {"flags": dict(flags), "diversity": dict(diversity), **numbers_of(analysis)},
    )


def _result(analysis: Analysis, flags: Mapping[str, str]) -> list[Block]:
    """The primary line, each reader, and the planned tests."""
    blocks: list[Block] = [
        Note(f"{name}: {text}.", "warning" if name in {"SEEN", "SHORTCUT"} else "info") for name, text in flags.items()
    ]
    if analysis.rows and analysis.kind != "diagnosis":
        lines = _primary_lines(analysis)
        if len(lines) > 1:
            alone = (f"{found(line, analysis)} {bias(line, analysis.kind)}".strip() for line in lines[1:])
            blocks.append(Paragraph(f"Each reader alone, uncorrected: {' '.join(alone)}"))
        blocks += [
            tables.result_table(analysis, flags),
            Figure(
                figures.accuracy_plot(lines, analysis.plan.margin),
                "Right answers with 95 % interval; dashed: chance; shaded: equivalence margin.",
                f"Accuracy of {len(lines)} lines, {100 * lines[0].detection.accuracy.estimate:.0f} % overall.",
            ),
        ]
    if analysis.preference is not None:
        blocks += [
            *tables.preference_tables(analysis.preference, flags),
            Figure(
                figures.strength_plot(analysis.preference),
                "Bradley-Terry strengths with 95 % intervals.",
                f"{analysis.preference.strengths[0].method} is the strongest method.",
            ),
        ]
    if not blocks or analysis.kind in {"accept", "likert", "delineation", "diagnosis"}:
        blocks += _means(analysis, flags, first=True)
    if analysis.planned:
        blocks.append(tables.planned_table(analysis, flags))
    return blocks


def _primary_lines(analysis: Analysis) -> list[Row]:
    """Lines of the primary method over all contrasts."""
    first = analysis.rows[0]
    return [line for line in analysis.rows if (line.method, line.contrast) == (first.method, first.contrast)]


def _methods(analysis: Analysis, flags: Mapping[str, str]) -> list[Block]:
    """Counts by method and contrast, and methods against each other."""
    blocks: list[Block] = []
    if analysis.rows:
        lines = _primary_lines(analysis)
        shown = [line for line in lines if line.who != ALL or len(lines) == 1][:6]
        blocks += [
            *_confusions(analysis, flags),
            Figure(
                figures.confusion_plot(shown, analysis.kind),
                "Answers of each reader; percent of the images of a kind.",
                f"Confusion tables of {len(shown)} readers.",
            ),
        ]
    if analysis.pairs:
        blocks.append(tables.auc_table(analysis, flags))
    alone = analysis.kind in {"accept", "likert", "delineation", "diagnosis"}
    return [*blocks, *_means(analysis, flags, first=False, skip=int(alone))]


def _confusions(analysis: Analysis, flags: Mapping[str, str]) -> list[Block]:
    """Counts of all readers, and folded those of each of several."""
    every = [line for line in analysis.rows if line.who == ALL]
    table = tables.confusion_table(analysis, every, flags)
    each = [line for line in analysis.rows if line.who != ALL]
    return (
        [table, Folded("Counts of each reader", (tables.confusion_table(analysis, each, flags),))] if each else [table]
    )


def _means(analysis: Analysis, flags: Mapping[str, str], *, first: bool, skip: int = 0) -> list[Block]:
    """Means and differences of methods; only the first measure, or all after some."""
    chosen = analysis.means[:1] if first else analysis.means[skip:]
    blocks: list[Block] = []
    for means in chosen:
        blocks.append(tables.means_table(means, flags))
        if means.differences:
            blocks.append(tables.differences_table(means, flags))
    return blocks


def _readers(analysis: Analysis, flags: Mapping[str, str]) -> list[Block]:
    """ROC curves, agreement, and the session."""
    blocks: list[Block] = []
    if analysis.rocs:
        positive = WORDS[analysis.kind][1]
        areas = ", ".join(f"{reader} {curve.area:.2f}" for reader, curve in analysis.rocs.items())
        blocks.append(
            Figure(
                figures.roc_plot(analysis.rocs, positive),
                "ROC curves over confidence; on the diagonal a reader guesses.",
                f"Areas under the curves: {areas}.",
            )
        )
    if analysis.agreements:
        blocks.append(tables.agreement_table(analysis, flags))
    if analysis.outlines:
        blocks.append(tables.outline_table(analysis.outlines, flags))
    if analysis.trends:
        blocks += [
            tables.order_table(analysis, flags),
            Figure(
                figures.order_plot(analysis),
                "Right answers along the session; band: 95 % interval over all readers; dashed: chance.",
                f"Over all answers: {analysis.trends[ALL].reading}.",
            ),
        ]
    return blocks


def _why(analysis: Analysis, answers: Sequence[Answer], flags: Mapping[str, str]) -> list[Block]:
    """Reasons and comments."""
    blocks: list[Block] = []
    if analysis.cues:
        blocks += [
            tables.cue_rows(analysis, flags),
            Figure(
                figures.cue_plot(analysis),
                "Answers in which each reason was ticked, on real images and on those of each method.",
                f"The most frequent reason on synthetic images is {analysis.cues[0].name}.",
            ),
        ]
    said = [answer for answer in answers if answer.comment and not answer.practice]
    if said:
        rows = tuple((a.reader, a.method, a.contrast, a.call or "–", a.comment) for a in said[:_MOST_COMMENTS])
        table = Table(("Reader", "Method", "Contrast", "Call", "Comment"), rows, tables.flagged("Comments.", flags))
        blocks.append(Folded(f"{len(said)} comments", (table,)))
    return blocks


def _how(
    analysis: Analysis,
    spec: ReaderSpec,
    flags: Mapping[str, str],
    facts: Mapping[str, str],
    diversity: Mapping[str, float],
) -> list[Block]:
    """Methods, limits and settings."""
    values = {
        "Kind": analysis.kind,
        "Readers": ", ".join(analysis.readers),
        "Answers that count": str(analysis.answers),
        "Repeated items": str(analysis.repeats),
        "Practice answers": str(analysis.practice),
        "Equivalence margin": f"{100 * analysis.plan.margin:g} points of accuracy",
        "Level": f"{100 * analysis.plan.alpha:g} %",
        "Primary": analysis.plan.primary,
        "Planned tests": ", ".join(analysis.plan.family) or "none",
        "Seed": str(spec.seed),
        **{f"Flag {name}": text for name, text in flags.items()},
        **facts,
    }
    return [
        Paragraph(methods_text(analysis, spec)),
        Note(diversity_note(diversity), "info" if diversity else "warning"),
        Facts(values),
    ]


def report_study(folder: Path, out: Path, *, fidelity: Path | None = None) -> Path:
    """Write the report of a locked study, and return its page.

    Args:
        folder: The study.
        out: Folder of the report; made if missing.
        fidelity: `fidelity.json` of a comparison of the cohorts, for a measure of diversity.

    Raises:
        OutputError: The study is not locked, or the folder cannot be written.
        InputFileError: There is no study, its audit chain is broken, or the fidelity file cannot be read.
        CohortError: No answer counts.
    """
    study = open_study(folder)
    answers = locked_answers(folder)
    status = status_of(folder)
    facts = {"Locked": status.locked or "", "Audit chain": status.head}
    return write_reading_report(
        answers,
        study.spec,
        out,
        flags={**study.flags, **status.flags},
        facts=facts,
        fidelity=fidelity,
        outlines=locked_outlines(folder),
    )
