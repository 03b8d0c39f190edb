"""The report of an augmentation study: one HTML file that answers, shows, and says what it cannot know."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glioforge.io.atomic_write import write_atomically
from glioforge.io.cohort_file import read_cohort
from glioforge.io.run_folder import read_json
from glioforge.io.tables import ResultRow
from glioforge.studies.folder import StudyFolder
from glioforge.studies.gather import load_fold
from glioforge.studies.report.comparisons import compare_arms, with_mean_region
from glioforge.studies.report.content import (
    Block,
    Facts,
    Figure,
    Folded,
    Listing,
    Note,
    Paragraph,
    Report,
    Section,
    Table,
)
from glioforge.studies.report.figures import arm_plot, difference_plot
from glioforge.studies.report.html import render
from glioforge.studies.report.tables import arm_table, difference_table, empty_table, subject_table
from glioforge.studies.report_lead import lead
from glioforge.studies.report_quality import fidelity_section, quality_section
from glioforge.studies.report_training import cost_section, training_section
from glioforge.studies.sample_pictures import edited_lesions, legend, unseen_subjects
from glioforge.studies.spec import AugmentationSpec

MEAN = "mean"
"""Region that stands for the mean over the study's regions: the one endpoint."""


def write_page(
    spec: AugmentationSpec, folder: StudyFolder, rows: Sequence[ResultRow], facts: Sequence[Mapping[str, Any]]
) -> Path:
    """Write the report of a study from its results.

    Args:
        spec: Settings of the study.
        folder: Its folder, with cohorts, splits and models.
        rows: The long results table.
        facts: What each stage noted: time, memory, outcomes, verdicts.

    Returns:
        The HTML file.
    """
    page = folder.report
    write_atomically(page, render(_report(spec, folder, rows, facts)).encode())
    return page


def _report(
    spec: AugmentationSpec, folder: StudyFolder, rows: Sequence[ResultRow], facts: Sequence[Mapping[str, Any]]
) -> Report:
    """Content of the report."""
    stages = [dict(fact) for fact in facts]
    sections = (
        _pictures(folder, stages),
        fidelity_section(spec, rows),
        _segmentation(spec, rows),
        training_section(spec, stages),
        _data(spec, folder, stages),
        quality_section(stages),
        cost_section(stages),
        _settings(spec, folder),
    )
    made_with = read_json(folder.root / "study.json")["made_with"]
    footer = f"Made by Glioforge {made_with['packages']['glioforge']} from results.csv beside this page."
    return Report(spec.title, lead(spec, rows, stages), sections, footer)


def _pictures(folder: StudyFolder, stages: Sequence[Mapping[str, Any]]) -> Section:
    """Samples of the first fold."""
    split = load_fold(folder, 0)
    fold = folder.fold(0)
    blocks: list[Block] = [legend(), unseen_subjects(fold, split.train, split.test)]
    if any(stage["stage"] == "generator" and stage.get("made") for stage in stages):
        blocks.append(edited_lesions(fold, split.train))
    return Section("What was made", tuple(blocks))


def _segmentation(spec: AugmentationSpec, rows: Sequence[ResultRow]) -> Section:
    """Does it help: tables, figures and what they cannot show."""
    arms = {arm.name: arm.title for arm in spec.arms if any(row.arm == arm.name for row in rows)}
    overlap = with_mean_region([row for row in rows if row.arm in arms], spec.regions, MEAN)
    comparisons = compare_arms(overlap, arms, (*spec.regions, MEAN), seed=spec.seed)
    blocks: list[Block] = [
        Paragraph(
            "All arms share segmenter, classical augmentation and the number of optimiser steps, which is that at "
            "which the baseline reached its plateau on validation subjects or ran out of budget. Test subjects are "
            "whole subjects that no training, generator, statistic or filter saw; they are scored in three dimensions "
            "on their scan's own grid."
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


def _against_control(spec: AugmentationSpec, rows: Sequence[ResultRow], arms: Mapping[str, str]) -> Block | None:
    """Generator against the control without a network, at the same share of synthetic slices."""
    for control in (arm for arm in spec.arms if arm.source == "control" and arm.name in arms):
        for arm in spec.arms:
            if arm.source == "generator" and arm.synthetic_share == control.synthetic_share and arm.name in arms:
                pair = {control.name: control.title, arm.name: arm.title}
                return difference_table(compare_arms(rows, pair, (*spec.regions, MEAN), seed=spec.seed), pair)
    return None


def _data(spec: AugmentationSpec, folder: StudyFolder, stages: Sequence[Mapping[str, Any]]) -> Section:
    """What was trained on what."""
    source = read_cohort(folder.source)
    folds = sorted({stage["fold"] for stage in stages})
    splits = [(index, load_fold(folder, index)) for index in folds]
    cells = tuple(
        (str(index), *(", ".join(getattr(split, side).subject_ids) for side in ("train", "validation", "test")))
        for index, split in splits
    )
    kinds = ", ".join(sorted({ref.lineage.kind for ref in source}))
    facts = Facts(
        {
            "cases": f"{len(source)} {kinds} cases of {len(source.subject_ids)} subjects",
            "contrasts": ", ".join(m.title for m in read_cohort(folder.prepared).modalities),
            "label scheme of the files": source.scheme.name,
            "fingerprint": source.fingerprint,
            "arms": "; ".join(_arm_text(arm.title, arm.synthetic_share, arm.source) for arm in spec.arms),
        }
    )
    note = Note(
        "Leakage firewall: before every training and scoring, the subjects behind each input, through parents, "
        "generators, statistics and filters, were compared with the test subjects. None overlapped, else the study "
        "would have stopped."
    )
    table = Table(
        ("Fold", "Train", "Validation", "Test"), cells, "Subjects of each side; no subject is on two sides of a fold."
    )
    return Section("What was trained on what", (facts, table, note))


def _arm_text(title: str, share: float, source: str | None) -> str:
    """One arm in words."""
    return title if source is None else f"{title} ({share:.0%} of slices from the {source})"


def _settings(spec: AugmentationSpec, folder: StudyFolder) -> Section:
    """Everything needed to run the study again."""
    from glioforge.config.load import resolved_yaml

    made_with = read_json(folder.root / "study.json")["made_with"]
    flat = {str(key): str(value) for key, value in made_with.items() if not isinstance(value, dict)}
    versions = {str(k): str(v) for value in made_with.values() if isinstance(value, dict) for k, v in value.items()}
    return Section(
        "Settings and versions",
        (
            Facts({**flat, **versions}),
            Folded("The study's complete YAML", (Listing(resolved_yaml(spec)),)),
        ),
    )
