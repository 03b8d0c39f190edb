"""How trainings went, and what everything took."""

from collections.abc import Mapping, Sequence
from typing import Any

from glioforge.report.page import Block, Figure, Note, Paragraph, Section, Table
from glioforge.report.plots import Curve, curves
from glioforge.studies.spec import AugmentationSpec

_STAGE_TITLES = {
    "generator": "training the generator, and making its cases",
    "control": "making the control's cases",
    "pilot": "finding the steps at which the baseline levels off",
    "fidelity": "measuring the images",
    "arm": "training and scoring segmenters",
}


def training_section(spec: AugmentationSpec, stages: Sequence[Mapping[str, Any]]) -> Section:
    """Validation curves, plateaus, and a warning where the budget was too short."""
    titles = {arm.name: arm.title for arm in spec.arms}
    trained = [stage for stage in stages if stage["stage"] == "arm"]
    pilots = [stage for stage in stages if stage["stage"] == "pilot"]
    blocks: list[Block] = [
        Figure(
            curves([_curve(stage, titles) for stage in (*pilots, *trained)], "mean Dice of validation subjects"),
            "Validation Dice while training; a ring marks the plateau that a pilot run of the baseline reached.",
            "Validation curves of all segmenters",
        ),
        _steps_table(trained, titles),
    ]
    if pilots:
        blocks.append(_pilots_table(pilots))
    short = [stage for stage in pilots if not stage["outcome"]["plateaued"]]
    if short:
        folds = ", ".join(str(stage["fold"]) for stage in short)
        blocks.append(
            Note(
                f"The budget {spec.budget!r} stopped the baseline short of its plateau in fold {folds}. "
                "Differences between arms at so few steps may vanish at the plateau; run the study with a larger "
                f"budget (it has {', '.join(sorted(spec.budgets))}) before believing one.",
                "warning",
            )
        )
    return Section("How the trainings went", tuple(blocks))


def cost_section(stages: Sequence[Mapping[str, Any]]) -> Section:
    """Seconds and memory by kind of stage."""
    cells = []
    for name, title in _STAGE_TITLES.items():
        mine = [stage for stage in stages if stage["stage"] == name]
        if mine:
            seconds = sum(stage["seconds"] for stage in mine)
            peak = max(stage["peak_gib"] for stage in mine)
            cells.append((title, str(len(mine)), f"{seconds / 60:.1f}", f"{seconds / len(mine):.0f}", f"{peak:.1f}"))
    columns = ("Work", "Jobs", "Minutes in all", "Seconds each", "Peak memory of a process, GiB")
    caption = "Wall-clock time of the jobs, which may have run side by side; preparation and report are not counted."
    return Section(
        "Time and memory", (Paragraph("What the study took on this machine."), Table(columns, tuple(cells), caption))
    )


def _curve(stage: Mapping[str, Any], titles: Mapping[str, str]) -> Curve:
    """Validation curve of a segmenter."""
    scored = [row for row in stage["outcome"]["history"] if row.get("score") is not None]
    plateau = stage["outcome"]["steps"] if stage["outcome"]["plateaued"] else None
    title = "Pilot of the baseline" if stage["stage"] == "pilot" else titles[stage["arm"]]
    return Curve(title, [row["step"] for row in scored], [row["score"] for row in scored], plateau)


def _steps_table(trained: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> Table:
    """Steps and kept weights of each segmenter."""
    cells = tuple(
        (
            str(stage["fold"]),
            titles[stage["arm"]],
            str(stage["seed"]),
            str(stage["outcome"]["steps"]),
            str(stage["outcome"]["best_step"]),
            f"{stage['outcome']['best_score']:.3f}",
        )
        for stage in sorted(trained, key=lambda stage: (stage["fold"], list(titles).index(stage["arm"]), stage["seed"]))
    )
    columns = ("Fold", "Arm", "Seed", "Steps", "Kept", "Validation Dice")
    return Table(columns, cells, "Optimiser steps of each segmenter, and the step whose weights were kept.")


def _pilots_table(pilots: Sequence[Mapping[str, Any]]) -> Table:
    """Steps that each fold's pilot found."""
    cells = tuple(
        (
            str(stage["fold"]),
            str(stage["outcome"]["steps"]),
            "reached" if stage["outcome"]["plateaued"] else "not reached",
        )
        for stage in pilots
    )
    caption = (
        "Pilot run of the baseline in each fold: every segmenter of the fold is trained for as many steps, with the "
        "schedule of its learning rate spread over them."
    )
    return Table(("Fold", "Steps", "Plateau"), cells, caption)
