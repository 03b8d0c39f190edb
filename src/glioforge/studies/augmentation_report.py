"""The report of an augmentation study: one HTML file that answers, shows, and says what it cannot know."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioforge.io.atomic_write import write_atomically
from glioforge.io.tables import ResultRow
from glioforge.report.compare import compare_arms, with_mean_region
from glioforge.report.html import render
from glioforge.report.page import (
    Block,
    Facts,
    Figure,
    Folded,
    Paragraph,
    Report,
    Section,
    Table,
)
from glioforge.report.plots import arm_plot, difference_plot
from glioforge.report.tables import arm_table, difference_table, empty_table, subject_table
from glioforge.studies.folder import StudyFolder
from glioforge.studies.gather import load_fold
from glioforge.studies.record import Record, of_kind
from glioforge.studies.report_lead import lead
from glioforge.studies.report_quality import fidelity_section, quality_section
from glioforge.studies.report_setup import FIREWALL, cohort_facts, made_with, settings_section, split_table
from glioforge.studies.report_training import cost_section, training_section
from glioforge.studies.sample_pictures import edited_lesions, legend, unseen_subjects
from glioforge.studies.spec import AugmentationSpec

MEAN = "mean"
"""Region that stands for the mean over the study's regions: the one endpoint."""


def write_page(
    spec: AugmentationSpec, folder: StudyFolder, rows: Sequence[ResultRow], records: Sequence[Record]
) -> Path:
    """Write the report of a study from its results.

    Args:
        spec: Settings of the study.
        folder: Its folder, with cohorts, splits and models.
        rows: The long results table.
        records: What each task left, in the order of the plan.

    Returns:
        The HTML file.
    """
    page = folder.report
    write_atomically(page, render(_report(spec, folder, rows, records)).encode())
    return page


def _report(
    spec: AugmentationSpec, folder: StudyFolder, rows: Sequence[ResultRow], records: Sequence[Record]
) -> Report:
    """Content of the report."""
    sections = (
        _pictures(folder, records),
        fidelity_section(spec, rows),
        _segmentation(spec, rows),
        training_section(spec, records),
        _data(spec, folder, records),
        quality_section(records),
        cost_section(records),
        settings_section(spec, folder),
    )
    return Report(spec.title, lead(spec, rows, records), sections, made_with(folder))


def _pictures(folder: StudyFolder, records: Sequence[Record]) -> Section:
    """Samples of the first fold."""
    split = load_fold(folder, 0)
    fold = folder.fold(0)
    blocks: list[Block] = [legend(split.train.scheme), unseen_subjects(fold, split.train, split.test)]
    if any(record.arm == "generator" and record.details["made"] for record in of_kind(records, "synthetic")):
        blocks.append(edited_lesions(fold, split.train))
    return Section("What was made", tuple(blocks))


def _segmentation(spec: AugmentationSpec, rows: Sequence[ResultRow]) -> Section:
    """Does it help: tables, figures and what they cannot show."""
    arms = {arm.name: arm.title for arm in spec.arms if any(row.arm == arm.name for row in rows)}
    overlap = with_mean_region([row for row in rows if row.arm in arms], spec.regions, MEAN)
    comparisons = compare_arms(overlap, arms, (*spec.regions, MEAN), seed=spec.seed)
    blocks: list[Block] = [
        Paragraph(
            f"All arms share segmenter, classical augmentation, learning-rate schedule and number of optimiser steps, "
            f"which is {_steps_text(spec)}. Test subjects are whole subjects that no training, generator, statistic "
            "or filter saw; they are scored in three dimensions on their scan's own grid."
        ),
        arm_table(overlap, arms, spec.regions, seed=spec.seed),
        Figure(
            arm_plot(overlap, arms, spec.regions, "dice", seed=spec.seed),
            "Dice of every test subject under every arm, with the mean and its 95 % interval.",
            "Dice of each test subject for each arm and region",
        ),
        difference_table(comparisons, arms),
        Figure(
            difference_plot(comparisons, arms, "difference in Dice from the baseline, positive is better"),
            "Paired differences from the baseline with 95 % intervals.",
            "Mean difference in Dice from the baseline for each arm and region",
        ),
    ]
    against_control = _against_control(spec, overlap, arms)
    if against_control is not None:
        blocks.append(against_control)
    tables: tuple[Table, ...] = tuple(subject_table(overlap, arms, region) for region in (MEAN, *spec.regions))
    blocks.append(Folded("Every test subject", (*tables, empty_table(overlap, arms, spec.regions))))
    return Section("Does it help a segmenter?", tuple(blocks))


def _steps_text(spec: AugmentationSpec) -> str:
    """Where the number of steps comes from."""
    if spec.spending.segmenter.patience is None:
        return "that of the budget"
    return "that at which a pilot run of the baseline reached its plateau on validation subjects or ran out of budget"


def _against_control(spec: AugmentationSpec, rows: Sequence[ResultRow], arms: Mapping[str, str]) -> Block | None:
    """Generator against the control without a network, at the same share of synthetic slices."""
    for control in (arm for arm in spec.arms if arm.source == "control" and arm.name in arms):
        for arm in spec.arms:
            if arm.source == "generator" and arm.synthetic_share == control.synthetic_share and arm.name in arms:
                pair = {control.name: control.title, arm.name: arm.title}
                return difference_table(compare_arms(rows, pair, (*spec.regions, MEAN), seed=spec.seed), pair)
    return None


def _data(spec: AugmentationSpec, folder: StudyFolder, records: Sequence[Record]) -> Section:
    """What was trained on what."""
    arms = "; ".join(_arm_text(arm.title, arm.synthetic_share, arm.source) for arm in spec.arms)
    facts = Facts({**cohort_facts(folder), "arms": arms})
    return Section("What was trained on what", (facts, split_table(folder, records), FIREWALL))


def _arm_text(title: str, share: float, source: str | None) -> str:
    """One arm in words."""
    return title if source is None else f"{title} ({share:.0%} of slices from the {source})"
