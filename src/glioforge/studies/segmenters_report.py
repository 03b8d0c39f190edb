"""The report of a comparison of segmenters: marks, differences, best to worst cases, trainings and costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioforge.io.atomic_write import write_atomically
from glioforge.io.cohort_file import read_cohort
from glioforge.io.nifti import read_labels
from glioforge.io.run_folder import write_json
from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import too_few
from glioforge.report.compare import scores_of, with_mean_region
from glioforge.report.html import render
from glioforge.report.method_figures import method_plot
from glioforge.report.overlays import Overlay, extreme_cases, outline_legend, overlay_grid, texts_of
from glioforge.report.page import Block, Figure, Folded, Paragraph, Report, Section, Table
from glioforge.report.plots import SLICE_CONVENTION
from glioforge.report.tables import arm_table, empty_table, subject_table
from glioforge.segmentation.masks import written_scheme
from glioforge.studies.comparing import SegmentersSpec, titles_of
from glioforge.studies.folder import StudyFolder
from glioforge.studies.method_tables import (
    Endpoint,
    cost_table,
    counted,
    curves_figure,
    reference_blocks,
    summary,
    verdict_text,
)
from glioforge.studies.record import Record, of_kind
from glioforge.studies.report_setup import made_with, settings_section, subjects_section
from glioforge.studies.scoring import tumour_of

MEAN = "mean"
SHOWN = ("dice", "hd95", "sensitivity", "precision", "nsd_1mm", "lesionwise_dice")
"""Metrics of the table."""


def write_page(spec: SegmentersSpec, folder: StudyFolder, rows: Sequence[ResultRow], records: Sequence[Record]) -> Path:
    """Write the report, and `comparison.json` with what its tables show; arguments as `augmentation_report`."""
    methods = titles_of(spec.methods)
    scored = with_mean_region(rows, spec.regions, MEAN)
    places = (*spec.regions, MEAN)
    endpoints = [Endpoint(m, p, scored, f"{t}, {p}") for m, t in (("dice", "Dice"), ("hd95", "HD95")) for p in places]
    trained = of_kind(records, "segmenter")
    costs = cost_table(methods, trained, of_kind(records, "segmenter", "scores"))
    write_json(folder.root / "comparison.json", summary(spec, methods, endpoints, costs))
    curves = curves_figure(methods, trained)
    sections = (
        _marks(spec, methods, scored),
        _differences(spec, methods, endpoints),
        _cases(spec, folder, methods, rows),
        Section("How the trainings went", tuple(b for b in (curves, _steps(methods, trained)) if b is not None)),
        Section("Time and size", (costs,)),
        subjects_section(folder, records),
        settings_section(spec, folder),
    )
    mean_dice = next(e for e in endpoints if (e.metric, e.region) == ("dice", MEAN))
    report = Report(spec.title, _lead(spec, methods, mean_dice), sections, made_with(folder))
    write_atomically(folder.report, render(report).encode())
    return folder.report


def _lead(spec: SegmentersSpec, methods: Mapping[str, str], endpoint: Endpoint) -> str:
    """The order of the methods by the one endpoint, and what the references show."""
    found = {name: scores_of(endpoint.rows, name, MEAN, "dice").by_subject() for name in methods}
    average = {name: sum(values.values()) / len(values) for name, values in found.items() if values}
    ranking = ", ".join(f"{methods[n]} {average[n]:.3f}" for n in sorted(average, key=lambda name: -average[name]))
    count = max((len(values) for values in found.values()), default=0)
    few = too_few(count)
    subjects = f"{counted(count, 'unseen subject')}{f' ({few})' if few else ''}"
    start = f"{counted(len(methods), 'method')} labelled the scans of {subjects}."
    told = f"Dice, mean over {', '.join(spec.regions)}: {ranking}."
    return f"{start} {told} {verdict_text(spec, methods, endpoint)}".strip()


def _marks(spec: SegmentersSpec, methods: Mapping[str, str], rows: Sequence[ResultRow]) -> Section:
    """All marks by region and method, and every subject."""
    places = (*spec.regions, MEAN)
    return Section(
        "How good are the masks?",
        (
            arm_table(rows, methods, places, SHOWN, seed=spec.seed, named="Method"),
            Figure(
                method_plot(rows, methods, places, "dice", seed=spec.seed),
                "Dice of every unseen subject (grey) with the mean and its 95 % interval.",
                "Dice of each method in each region",
            ),
            Figure(
                method_plot(rows, methods, places, "hd95", seed=spec.seed),
                "HD95 of every unseen subject (grey) with the mean and its 95 % interval; lower is better.",
                "HD95 of each method in each region",
            ),
            Folded(
                "Every unseen subject",
                (
                    *(subject_table(rows, methods, place) for place in reversed(places)),
                    empty_table(rows, methods, spec.regions),
                ),
            ),
        ),
    )


def _differences(spec: SegmentersSpec, methods: Mapping[str, str], endpoints: Sequence[Endpoint]) -> Section:
    """Every method against the references."""
    blocks = reference_blocks(spec, methods, [e for e in endpoints if e.metric == "dice"])
    return Section("Which is better?", tuple(blocks) or (Paragraph("The study names no reference to compare with."),))


def _cases(spec: SegmentersSpec, folder: StudyFolder, methods: Mapping[str, str], rows: Sequence[ResultRow]) -> Section:
    """Best, median and worst case of each method."""
    blocks: list[Block] = [Figure(outline_legend(), "Colours of the outlines.", "Legend of the outlines' colours")]
    source = read_cohort(folder.source)
    for name, title in methods.items():
        overlays = []
        for place, case_id in extreme_cases(rows, name, spec.regions):
            fold = next(row.fold for row in rows if (row.arm, row.case_id) == (name, case_id))
            case = source[case_id].load()
            masks = folder.fold(fold).method(name, 0) / "masks"
            mask = read_labels(masks / f"{case_id}.nii.gz", written_scheme(masks))
            texts = texts_of(rows, name, case_id, spec.regions)
            row = f"{place}\n{case.subject_id}"
            overlays.append(Overlay(row, case.images, tumour_of(case.require_labels()), mask, texts))
        if overlays:
            blocks.append(_overlay_figure(title, overlays, spec.regions))
    return Section("Best, median and worst cases", tuple(blocks))


def _overlay_figure(title: str, overlays: Sequence[Overlay], regions: Sequence[str]) -> Figure:
    """One method's cases."""
    caption = (
        f"{title}: cases with the highest, median and lowest mean Dice over regions; slice with the largest true "
        f"lesion. {SLICE_CONVENTION}"
    )
    return Figure(overlay_grid(overlays, regions), caption, f"Outlines of truth and of {title} over scans")


def _steps(methods: Mapping[str, str], records: Sequence[Record]) -> Table:
    """Steps, kept weights and plateau of each training."""
    cells = tuple(
        (
            methods[record.arm],
            str(record.fold),
            str(record.seed),
            str(training.steps),
            str(training.best_step),
            "–" if training.best_score is None else f"{training.best_score:.3f}",
            "yes" if training.plateaued else "no",
        )
        for record in records
        if (training := record.training) is not None
    )
    columns = ("Method", "Fold", "Seed", "Steps", "Kept", "Validation Dice", "Plateau")
    return Table(columns, cells, "Optimiser steps of each training, and the step whose weights were kept.")
