"""Train the segmenters of an augmentation study: the pilot that finds their number of steps, and each arm."""

from dataclasses import replace

from glioforge.segmentation.method import SegmenterSpec
from glioforge.studies.fold import cohort_in
from glioforge.studies.record import Record
from glioforge.studies.steps.synthesize import MADE
from glioforge.studies.steps.train import MODEL, fit_segmenter
from glioforge.studies.store import placed
from glioforge.studies.task import Context
from glioforge.training.budget import Budget


def fit_pilot(context: Context, *, segmenter: SegmenterSpec, budget: Budget, seed: int) -> Record:
    """Train the baseline's first seed, and note at how many steps it stopped; arguments as `fit_segmenter`."""
    record = fit_segmenter(context, segmenter=segmenter, budget=budget, seed=seed)
    steps = None if record.training is None else record.training.steps
    return replace(record, made={**record.made, "steps": steps})


def fit_arm(
    context: Context, *, segmenter: SegmenterSpec, budget: Budget, seed: int, share: float, as_pilot: bool
) -> Record:
    """Train a segmenter of an arm for the steps that the pilot found, to the last one.

    Args:
        context: The task; may need a pilot, and the synthetic cases of a source with their screening.
        segmenter: Settings.
        budget: The study's budget; without a pilot it has no patience and stays as it is.
        seed: Seed of the training.
        share: Share of synthetic slices in every batch.
        as_pilot: Whether this is the pilot's training where the pilot used the budget up.
    """
    pilot, screened = context.need("pilot"), context.need("synthetic")
    if pilot is not None and as_pilot and pilot.made["steps"] == budget.steps:
        placed(context.folder / MODEL, context.place("pilot") / MODEL)
    elif pilot is not None:
        budget = budget.model_copy(update={"steps": pilot.made["steps"], "patience": None})
    synthetic = None
    if screened is not None:
        if not screened.made["kept"]:
            return context.record(left_out=f"no case of the {screened.arm} passed the quality check")
        synthetic = cohort_in(context.place("cases") / MADE).select(screened.made["kept"], screened.arm)
    return fit_segmenter(context, segmenter=segmenter, budget=budget, seed=seed, synthetic=synthetic, share=share)
