"""Does synthetic data help a segmenter on unseen real subjects?

The protocol (docs, explanation, statistics) as far as the budget lets it: subjects are
split before anything is fitted; all arms share segmenter, classical
augmentation, optimiser steps and schedule; the steps are those at which a pilot
run of the baseline reached its plateau on validation subjects; a control
without a network has its own arm; test subjects are scored whole, on their own
grid.

A schedule falls over the steps of its training.  A baseline that stopped at its
plateau would therefore end at another learning rate than arms that were given
its number of steps.  So the plateau is found by the pilot, and every arm and
seed, the baseline's included, is trained for exactly the steps found.  A pilot
that went to the last step of the budget is the baseline's first seed itself,
byte for byte, and is not trained a second time.
"""

from collections.abc import Iterator, Sequence
from typing import Any, final

from glioforge.report.page import Report
from glioforge.studies.augmentation_report import page
from glioforge.studies.fold import Fold
from glioforge.studies.question import QUESTIONS
from glioforge.studies.results import Results
from glioforge.studies.spec import ArmSpec, AugmentationSpec
from glioforge.studies.steps.arm import fit_arm, fit_pilot
from glioforge.studies.steps.score import compare_reconstructions
from glioforge.studies.steps.screen import screen_cases
from glioforge.studies.steps.segment import score_segmenter
from glioforge.studies.steps.synthesize import intact, make_cases
from glioforge.studies.steps.train import fit_synthesizer
from glioforge.studies.task import Task


@QUESTIONS.register(AugmentationSpec)
@final
class Augmentation:
    """Compares segmenters trained on real cases with those that synthetic cases were mixed into."""

    def plan(self, spec: AugmentationSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """Pilot and generator of each fold, their cases, and the arms."""
        for fold in folds:
            pilot = list(_pilot(spec, fold))
            yield from pilot
            yield from _arm(spec, fold, spec.baseline, tuple(task.name for task in pilot))
            yield from _source(spec, fold, "generator")
            yield from _fidelity(spec, fold)
            if any(arm.source == "control" for arm in spec.arms):
                yield from _source(spec, fold, "control")
            for arm in spec.arms[1:]:
                yield from _arm(spec, fold, arm, tuple(task.name for task in pilot))

    def page(self, spec: AugmentationSpec, results: Results) -> Report:
        """Pictures, likeness, differences between arms, trainings, quality check and costs."""
        return page(spec, results)


def _pilot(spec: AugmentationSpec, fold: Fold) -> Iterator[Task]:
    """The baseline's first seed, trained until its plateau; nothing where the budget has no patience."""
    budget = spec.spending.segmenter
    if budget.patience is not None:
        key = {"segmenter": spec.segmenter, "budget": budget, "seed": fold.seed("segmenter", 0)}
        yield Task(f"{fold.name}/pilot", "pilot", fold, fit_pilot, key, amount=budget.steps)


def _source(spec: AugmentationSpec, fold: Fold, source: str) -> Iterator[Task]:
    """Training of the generator or the control, its cases, and what the filters make of them.

    Filters are part of the generator's chain; the control is taken as it is, so that they cannot weaken it.
    """
    synthesizer: Any = spec.control
    if source == "generator":
        synthesizer = spec.synthesizer.model_copy(update={"budget": spec.spending.generator})
    key = {"synthesizer": synthesizer, "seed": fold.seed("generator")}
    steps = synthesizer.budget.steps
    train = Task(f"{fold.name}/{source}", source, fold, fit_synthesizer, key, arm=source, amount=steps)
    yield train
    count = spec.spending.synthetic_per_case
    made = {"source": source, "recipe": spec.recipe, "count": count, "seed": fold.seed("synthetic")}
    cases = Task(
        f"{fold.name}/cases/{source}",
        "cases",
        fold,
        make_cases,
        made,
        inputs=("train",),
        needs=(train.name,),
        arm=source,
        intact=intact,
    )
    yield cases
    filters = {"filters": spec.filters if source == "generator" else (), "seed": fold.seed("quality")}
    name, needs = f"{fold.name}/synthetic/{source}", (cases.name,)
    yield Task(name, "synthetic", fold, screen_cases, filters, inputs=("train",), needs=needs, arm=source)


def _fidelity(spec: AugmentationSpec, fold: Fold) -> Iterator[Task]:
    """Likeness of the generator's images of unseen subjects to their scans."""
    key = {"seed": fold.seed("reconstruction"), "draw_seed": spec.seed, "phantom": spec.phantom}
    name, needs = f"{fold.name}/fidelity", (f"{fold.name}/generator",)
    yield Task(name, "fidelity", fold, compare_reconstructions, key, inputs=("train", "test"), needs=needs)


def _arm(spec: AugmentationSpec, fold: Fold, arm: ArmSpec, pilot: tuple[str, ...]) -> Iterator[Task]:
    """Trainings and scores of an arm's seeds."""
    source = () if arm.source is None else tuple(f"{fold.name}/{kind}/{arm.source}" for kind in ("cases", "synthetic"))
    budget = spec.spending.segmenter
    for seed in range(spec.spending.seeds):
        first = arm == spec.baseline and seed == 0 and len(spec.segmenter.views) == 1
        key = {
            "segmenter": spec.segmenter,
            "budget": budget,
            "seed": fold.seed("segmenter", seed),
            "share": arm.synthetic_share,
            "as_pilot": first and bool(pilot),
        }
        train = Task(
            f"{fold.name}/segmenters/{arm.name}/seed-{seed}",
            "segmenter",
            fold,
            fit_arm,
            key,
            needs=(*pilot, *source),
            arm=arm.name,
            seed=seed,
            amount=budget.steps,
        )
        yield train
        yield Task(
            f"{fold.name}/scores/{arm.name}/seed-{seed}",
            "scores",
            fold,
            score_segmenter,
            {"regions": spec.regions},
            inputs=("test",),
            needs=(train.name,),
            arm=arm.name,
            seed=seed,
        )
