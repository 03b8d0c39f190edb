"""Outlines of segmenters' best, median and worst cases."""

from collections.abc import Mapping

from glioforge.io import read_labels
from glioforge.report import (
    Block,
    Folded,
    Overlay,
    Paragraph,
    ResultTable,
    Section,
    extreme_cases,
    outline_legend,
    overlay_figure,
)
from glioforge.segmentation import written_scheme
from glioforge.studies.comparing import SegmentersSpec
from glioforge.studies.results import Results
from glioforge.studies.scoring import tumour_of


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
