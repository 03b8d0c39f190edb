"""The page of a later scoring: what frozen models of a study do on subjects that came after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from glioforge.core import Cohort
from glioforge.io import ResultRow
from glioforge.report import (
    MEAN,
    Endpoint,
    Facts,
    Folded,
    Note,
    Paragraph,
    Report,
    ResultTable,
    Section,
    against,
    answer,
    counted,
    empty_table,
    findings,
    leading,
    score_table,
    subject_table,
)
from glioforge.studies.arms_report import groups_of, titles
from glioforge.studies.base import StudySpec
from glioforge.studies.comparing import SegmentersSpec, titles_of
from glioforge.studies.judged import judged_contrasts
from glioforge.studies.lock import Standing
from glioforge.studies.lock_page import with_lock
from glioforge.studies.pages import difference_blocks, noun_of, subject_figure
from glioforge.studies.spec import AugmentationSpec

METRICS = ("dice", "hd95", "sensitivity", "precision")


@final
@dataclass(frozen=True)
class Scored:
    """What a later scoring found.

    Args:
        rows: Rows of the results table.
        cohort: The new cases.
        models: Number of segmenters that scored them.
        searched: Cases of the study that the new ones were compared with.
    """

    rows: Sequence[ResultRow]
    cohort: Cohort
    models: int
    searched: int


def later_page(spec: StudySpec, scored: Scored, standing: Standing) -> Report:
    """Return the page.

    Args:
        spec: Settings of the study whose models scored.
        scored: What they found.
        standing: What the test lock says of the new scans.
    """
    table = ResultTable(scored.rows, noun=noun_of(spec), seed=spec.seed).with_mean(spec.regions)
    arms, groups = _compared(spec, table)
    endpoints = [Endpoint("dice", region, table) for region in (*spec.regions, MEAN)]
    what = f"Dice over {', '.join(spec.regions)}"
    found = _found(spec, table, arms) or [
        text for ref, group in groups.items() for text in findings(endpoints[-1], group, ref, what).values()
    ]
    verdict, *others = found or [leading(endpoints[-1], arms, (), what)]
    shown = {region: [Endpoint(metric, region, table) for metric in METRICS] for region in spec.regions}
    differences = [
        block for ref, group in groups.items() for block in difference_blocks(endpoints, group, (ref,), named="Arm")
    ]
    tables = tuple(subject_table(table, arms, region) for region in (MEAN, *spec.regions))
    sections = (
        Section(
            "How the frozen models do on later subjects",
            (
                Paragraph(_method(scored, table)),
                score_table(shown, arms, "Mean over subjects with the 95 % interval over subjects and seeds."),
                subject_figure(table, arms, spec.regions, "dice"),
                *differences,
                Folded(f"Every {table.noun}", (*tables, empty_table(table, arms, spec.regions))),
            ),
        ),
        _who(scored),
        Section("Settings", (Paragraph("Settings and versions are those of the study's own report."),)),
    )
    title = f"{spec.title.rstrip('?.')}: frozen models on later subjects"
    return with_lock(Report(title, verdict, sections, " ".join(others)), standing)


def _found(spec: StudySpec, table: ResultTable, arms: Mapping[str, str]) -> list[str]:
    """What each arm of an augmentation study shows, the primary one first; nothing for other studies."""
    if not isinstance(spec, AugmentationSpec):
        return []
    what = f"Dice over {', '.join(spec.regions)}"
    return [
        f"{'' if entry.planned else 'Exploratory: '}"
        f"{answer(entry.found, arms[entry.arm], arms[entry.reference], 'dice', table.noun, what)}"
        for entry in judged_contrasts(spec, table, arms)
        if not entry.control
    ]


def _method(scored: Scored, table: ResultTable) -> str:
    """What was done, and what was not."""
    return (
        f"{counted(scored.models, 'segmenter')} of the finished study labelled {counted(len(scored.cohort), 'case')} "
        f"of {counted(len(table.subjects()), table.noun)} as they were left: nothing was trained, chosen or tuned "
        "after these cases were seen. Models of several folds and repetitions count as repetitions of their arm, "
        "and each subject counts once."
    )


def _who(scored: Scored) -> Section:
    """The new cohort, and how it was kept apart from the study's."""
    facts = {
        "cases": ", ".join(ref.case_id for ref in scored.cohort),
        "fingerprint": scored.cohort.fingerprint,
        "compared with": f"{scored.searched} cases of the study",
    }
    note = Note(
        "Leakage firewall: no subject of the study is among these cases by name or lineage. Every image and tumour "
        "label map was also compared with those of the study, mirrored too and aligned by a rigid motion: none is "
        "nearly the same, else the scoring would have stopped. Deformed or cropped copies could pass that search."
    )
    return Section("Who was scored", (Facts(facts), note))


def _compared(spec: StudySpec, table: ResultTable) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Titles of the arms or methods that have scores, and those of each group that has a reference, which is first."""
    if isinstance(spec, AugmentationSpec):
        arms = titles(spec, table)
        return arms, {
            reference: {reference: arms[reference], **group} for reference, group in groups_of(spec, arms).items()
        }
    known = titles_of(spec.methods) if isinstance(spec, SegmentersSpec) else {}
    arms = {name: known.get(name, name) for name in table.arms()}
    references = spec.references if isinstance(spec, SegmentersSpec) else ()
    return arms, {name: against(name, arms) for name in references if name in arms}
