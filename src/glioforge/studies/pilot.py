"""Finds how many steps the segmenters of a fold are trained, so that all of them share one schedule.

A schedule falls over the steps of its training.  A baseline that stopped at its
plateau would therefore end at another learning rate than arms that were given
its number of steps.  The plateau is found by a pilot run of the baseline
instead, and every arm and seed, the baseline's included, is trained for exactly
the steps found.  A pilot that went to the last step of the budget is the
baseline's first seed itself, byte for byte, and is not trained a second time.
"""

from pathlib import Path

from glioforge.core.firewall import require_no_leak
from glioforge.core.protocols import Progress
from glioforge.io.run_folder import ORPHAN_S, Step
from glioforge.segmentation.base import train_segmenter
from glioforge.studies.cost import Cost
from glioforge.studies.jobs import Facts, StudyFold
from glioforge.studies.spec import ArmSpec, AugmentationSpec
from glioforge.training.budget import Budget

PILOT = "pilot"
"""Name of the stage."""

Fold = StudyFold[AugmentationSpec]
"""One fold of an augmentation study."""


def run_pilot(fold: Fold, *, progress: Progress) -> Facts:
    """Train the baseline's first seed until its plateau, and note the steps; none where the budget has no patience."""
    budget = fold.spec.spending.segmenter
    if budget.patience is None:
        return []
    step = Step(fold.folder.pilot / "steps", {"study": fold.spec.identity(), "fold": fold.index}, wait_s=ORPHAN_S)
    if not step.done:
        with step:
            cost, split = Cost(), fold.split()
            require_no_leak({"real cases": split.train}, split.test)
            trained = train_segmenter(
                split.train,
                split.validation,
                fold.spec.segmenter,
                _model(fold),
                seed=fold.seed("segmenter", 0),
                budget=budget,
                accelerator=fold.spec.accelerator,
                progress=progress,
            )
            step.finish({"outcome": trained.outcome.to_json(), **cost.to_json()})
    return [{"stage": PILOT, "fold": fold.index, **step.facts}]


def matched_budget(spec: AugmentationSpec, pilot: Facts) -> Budget:
    """Budget of every arm and seed of a fold: the steps that its pilot found, to the last one.

    Args:
        spec: The study.
        pilot: What the fold's pilot noted; without one the budget has no patience and stays as it is.
    """
    budget = spec.spending.segmenter
    steps = pilot[0]["outcome"]["steps"] if pilot else budget.steps
    return budget.model_copy(update={"steps": steps, "patience": None})


def training_place(fold: Fold, arm: ArmSpec, seed: int, budget: Budget) -> tuple[Path, Budget]:
    """Folder and budget of a segmenter's training; those of the pilot where it is the same training."""
    given = fold.spec.spending.segmenter
    first = arm == fold.spec.baseline and seed == 0 and len(fold.spec.segmenter.views) == 1
    if first and given.patience is not None and budget.steps == given.steps:
        return _model(fold), given
    return fold.folder.segmenter(arm.name, seed), budget


def _model(fold: Fold) -> Path:
    """Folder of the pilot's training."""
    return fold.folder.pilot / "model"
