"""The page of a comparison of segmenters: scores, differences, pictures, trainings and costs."""

from collections.abc import Mapping, Sequence
from typing import Final

from glioforge.io import read_labels
from glioforge.report import (
    MEAN,
    Block,
    Endpoint,
    Folded,
    Overlay,
    Paragraph,
    Report,
    ResultTable,
    Section,
    cost_table,
    empty_table,
    extreme_cases,
    leading,
    outline_legend,
    overlay_figure,
    score_table,
    subject_table,
)
from glioforge.segmentation import written_scheme
from glioforge.studies.comparing import SegmentersSpec, titles_of
from glioforge.studies.pages import difference_blocks, subject_figure, summary, table_of, trained_of, trainings_section
from glioforge.studies.results import Results
from glioforge.studies.scoring import tumour_of
from glioforge.studies.setup import made_with, settings_section, subjects_section

SHOWN: Final = ("dice", "hd95", "sensitivity", "precision", "nsd_1mm", "lesionwise_dice")
"""Metrics of the table."""


def page(spec: SegmentersSpec, results: Results) -> Report:
    """Return the report, with what its tables show for programs.

    Args:
        spec: Settings of the study.
        results: Its rows, records and folders.
    """
    methods = titles_of(spec.methods)
    scored = table_of(spec, results).with_mean(spec.regions)
    places = (*spec.regions, MEAN)
    dice, hd95 = (
        [Endpoint(metric, place, scored, f"{title}, {place}") for place in places]
        for metric, title in (("dice", "Dice"), ("hd95", "HD95"))
    )
    trained = trained_of(results, methods, "segmenter")
    differences = difference_blocks(dice, methods, spec.references)
    sections = (
        _scores(methods, scored, spec.regions),
        Section(
            "Which is better?", tuple(differences) or (Paragraph("The study names no reference to compare with."),)
        ),
        cases_section(spec, results, methods, scored),
        trainings_section(trained, tuple(methods.values())),
        Section("Time and size", (cost_table(trained),)),
        subjects_section(spec, results),
        settings_section(spec, results),
    )
    verdict = leading(dice[-1], methods, spec.references, f"Dice, mean over {', '.join(spec.regions)}")
    numbers = summary(spec, methods, spec.references, [*dice, *hd95], trained)
    return Report(spec.title, verdict, sections, footer=made_with(results), numbers=numbers)


def _scores(methods: Mapping[str, str], scored: ResultTable, regions: Sequence[str]) -> Section:
    """All metrics by region and method, and every subject."""
    places = (*regions, MEAN)
    groups = {place: [Endpoint(metric, place, scored) for metric in SHOWN] for place in places}
    caption = "Mean over subjects with the 95 % interval over subjects and seeds in brackets; each subject counts once."
    tables = tuple(subject_table(scored, methods, place) for place in reversed(places))
    return Section(
        "How good are the masks?",
        (
            score_table(groups, methods, caption, named="Method"),
            subject_figure(scored, methods, places, "dice"),
            subject_figure(scored, methods, places, "hd95"),
            Folded(f"Every unseen {scored.noun}", (*tables, empty_table(scored, methods, regions))),
        ),
    )


def cases_section(spec: SegmentersSpec, results: Results, methods: Mapping[str, str], scored: ResultTable) -> Section:
    """Show the best, median and worst case of each method; those of the first one open.

    Args:
        spec: Settings.
        results: Results and folders of the study.
        methods: Title of each method by its name.
        scored: Its results table.
    """
    source = results.study.source
    blocks: list[Block] = [
        Paragraph("Cases with the highest, median and lowest mean Dice over regions under the first seed."),
        outline_legend(),
    ]
    for place, (name, title) in enumerate(methods.items()):
        figures = []
        for which, case_id, texts in extreme_cases(scored, name, spec.regions):
            fold = next(row.fold for row in scored.of(name, spec.regions[0], "dice") if row.case_id == case_id)
            case = source[case_id].load()
            masks = results.place("masks", fold=fold, arm=name) / "masks"
            mask = read_labels(masks / f"{case_id}.nii.gz", written_scheme(masks))
            named = f"{title}, {which} case, {case.subject_id}"
            overlay = Overlay(named, case.images, tumour_of(case.require_labels()), mask, texts)
            figures.append(overlay_figure(overlay, spec.regions))
        blocks += figures if not place else [Folded(f"Cases of {title}", tuple(figures))] if figures else []
    return Section("Best, median and worst cases", tuple(blocks))
