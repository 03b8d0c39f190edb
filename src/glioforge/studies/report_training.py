"""How trainings went, and what everything took."""

from collections.abc import Mapping, Sequence

from glioforge.report.page import Block, Figure, Note, Paragraph, Section, Table
from glioforge.report.plots import Curve, curves
from glioforge.studies.record import Record, Training, of_kind
from glioforge.studies.spec import AugmentationSpec

_TITLES = {
    "generator": "training the generator",
    "synthetic": "making synthetic cases, and training the control",
    "pilot": "finding the steps at which the baseline levels off",
    "fidelity": "measuring the images",
    "segmenter": "training segmenters",
    "scores": "scoring segmenters",
}


def training_section(spec: AugmentationSpec, records: Sequence[Record]) -> Section:
    """Validation curves, plateaus, and a warning where the budget was too short."""
    titles = {arm.name: arm.title for arm in spec.arms}
    trained, pilots = (of_kind(records, kind) for kind in ("segmenter", "pilot"))
    blocks: list[Block] = [
        Figure(
            curves([_curve(record, titles) for record in (*pilots, *trained)], "mean Dice of validation subjects"),
            "Validation Dice while training; a ring marks the plateau that a pilot run of the baseline reached.",
            "Validation curves of all segmenters",
        ),
        _steps_table(trained, titles),
    ]
    if pilots:
        blocks.append(_pilots_table(pilots))
    short = [record for record in pilots if record.training and not record.training.plateaued]
    if short:
        folds = ", ".join(str(record.fold) for record in short)
        blocks.append(
            Note(
                f"The budget {spec.budget!r} stopped the baseline short of its plateau in fold {folds}. "
                "Differences between arms at so few steps may vanish at the plateau; run the study with a larger "
                f"budget (it has {', '.join(sorted(spec.budgets))}) before believing one.",
                "warning",
            )
        )
    return Section("How the trainings went", tuple(blocks))


def cost_section(records: Sequence[Record]) -> Section:
    """Seconds and memory by kind of task."""
    cells = []
    for kind, title in _TITLES.items():
        costs = [record.cost for record in of_kind(records, kind) if record.cost is not None]
        if costs:
            seconds = sum(cost.seconds for cost in costs)
            peak = max(cost.peak_gib for cost in costs)
            cells.append((title, str(len(costs)), f"{seconds / 60:.1f}", f"{seconds / len(costs):.0f}", f"{peak:.1f}"))
    columns = ("Work", "Tasks", "Minutes in all", "Seconds each", "Peak memory of a process, GiB")
    caption = "Wall-clock time of the tasks, which may have run side by side; preparation and report are not counted."
    return Section(
        "Time and memory", (Paragraph("What the study took on this machine."), Table(columns, tuple(cells), caption))
    )


def _curve(record: Record, titles: Mapping[str, str]) -> Curve:
    """Validation curve of a segmenter."""
    training = record.training or Training()
    scored = [(int(row["step"] or 0), score) for row in training.history if (score := row.get("score")) is not None]
    title = "Pilot of the baseline" if record.kind == "pilot" else titles[record.arm]
    plateau = training.steps if training.plateaued else None
    return Curve(title, [step for step, _ in scored], [score for _, score in scored], plateau)


def _steps_table(trained: Sequence[Record], titles: Mapping[str, str]) -> Table:
    """Steps and kept weights of each segmenter."""
    order = list(titles)
    cells = tuple(
        (
            str(record.fold),
            titles[record.arm],
            str(record.seed),
            str(training.steps),
            str(training.best_step),
            "–" if training.best_score is None else f"{training.best_score:.3f}",
        )
        for record in sorted(trained, key=lambda record: (record.fold, order.index(record.arm), record.seed))
        if (training := record.training) is not None
    )
    columns = ("Fold", "Arm", "Seed", "Steps", "Kept", "Validation Dice")
    return Table(columns, cells, "Optimiser steps of each segmenter, and the step whose weights were kept.")


def _pilots_table(pilots: Sequence[Record]) -> Table:
    """Steps that each fold's pilot found."""
    cells = tuple(
        (str(record.fold), str(training.steps), "reached" if training.plateaued else "not reached")
        for record in pilots
        if (training := record.training) is not None
    )
    caption = (
        "Pilot run of the baseline in each fold: every segmenter of the fold is trained for as many steps, with the "
        "schedule of its learning rate spread over them."
    )
    return Table(("Fold", "Steps", "Plateau"), cells, caption)
