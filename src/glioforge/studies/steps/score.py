"""Score images that synthesizers make of unseen label maps, and the segmenter that judges images."""

from typing import Any, Final

from glioforge.core import Cohort
from glioforge.runs import make_synthetic
from glioforge.studies import Clock, Context, Record, cohort_in, fidelity_rows, judged_rows, method_rows
from glioforge.studies.steps.series import label_case, shown_maps
from glioforge.studies.steps.train import open_segmenter, open_synthesizer
from glioforge.synthesis import LabelCase, synthesize_cohort

RECONSTRUCTION, IMAGES, SERIES = "reconstruction", "images", "series"
"""Folders below those of the tasks."""
REAL: Final = "real scans"
"""Arm of the judge's rows on real scans."""


def compare_reconstructions(context: Context, *, seed: int, draw_seed: int, phantom: Any) -> Record:  # noqa: ANN401, ARG001 - part of the key
    """Compare images made from the unseen subjects' own label maps with their scans; needs a generator.

    Args:
        context: The task; reads the sides train, for class means, and test.
        seed: Seed of the images that are kept.
        draw_seed: Seed of the draws whose mean is compared.
        phantom: Settings of the phantoms, if any.
    """
    synthesizer = open_synthesizer(context.place("generator"), context.accelerator)
    folder = context.folder / RECONSTRUCTION
    made = make_synthetic(context.cohort("test"), synthesizer, None, folder, seed=seed, progress=context.progress)
    fold = context.task.fold
    return context.record(fidelity_rows(context.spec, fold.index, fold.split, made, synthesizer))


def judge_scans(context: Context, *, regions: tuple[str, ...]) -> Record:  # noqa: ARG001 - part of the key
    """Score the judge on the scans of unseen subjects; needs a judge, and reads the test side."""
    judge = open_segmenter(context.place("judge"), context.accelerator)
    run = (context.task.fold.index, REAL, 0)
    return context.record(judged_rows(context.spec, run, judge, context.cohort("test")))


def score_images(  # noqa: PLR0913 - what decides the rows, by keyword
    context: Context,
    *,
    seed: int,
    draw_seed: int,  # noqa: ARG001 - part of the key
    draws: int,  # noqa: ARG001 - part of the key
    shown: int | None,
    regions: tuple[str, ...],  # noqa: ARG001 - part of the key
    phantom: Any,  # noqa: ANN401, ARG001 - part of the key
) -> Record:
    """Make images of the unseen subjects' label maps, and compare them with what they should be.

    Args:
        context: The task; reads the test side, and needs a synthesizer, a series where `shown` is given, and a judge
            where the study has one.
        seed: Seed of the images that are kept.
        draw_seed: Seed of the draws whose mean is compared.
        draws: Draws of each label map.
        shown: Further draws of the series' original map; none makes no images of a series.
        regions: Regions that the judge is scored in.
        phantom: Settings of the phantoms, if any.
    """
    synthesizer = open_synthesizer(context.place("synthesizer"), context.accelerator)
    test, clock, task = context.cohort("test"), Clock(), context.task
    run = (task.fold.index, task.arm, task.seed)

    def images(maps: list[LabelCase], name: str) -> Cohort:
        out, progress = context.folder / name, context.progress
        return synthesize_cohort(synthesizer, maps, out, name=name, seed=seed, progress=progress)

    made = images([label_case(ref, ref.case_id) for ref in test], IMAGES)
    pace = round(clock.seconds / max(1, len(made)), 3)
    if shown is not None:
        images(shown_maps(cohort_in(context.place("series")), shown), SERIES)
    rows = method_rows(context.spec, run, synthesizer, test, made)
    if context.need("judge") is not None:
        judge = open_segmenter(context.place("judge"), context.accelerator)
        rows += judged_rows(context.spec, run, judge, made, test)
    return context.record(rows, seconds_per_volume=pace)
