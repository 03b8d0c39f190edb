"""Does synthetic data help a segmenter on unseen real subjects?

The protocol (docs, explanation, statistics) as far as the budget lets it: subjects are
split before anything is fitted; all arms and seeds share classical augmentation,
optimiser steps and learning-rate schedule; the steps are those at which a trial run
of the baseline levelled off on validation subjects; a control without a network has
its own arm; test subjects are scored whole, on their own grid.

A schedule falls over the steps of its training.  A baseline that stopped at its
plateau would therefore end at another learning rate than arms that were given its
number of steps.  So the plateau is found by the trial run, which is thrown away, and
every arm and seed, the baseline's first one included, is trained for exactly the
steps found.
"""

from collections.abc import Iterator, Sequence
from typing import final

from glioforge.report import Report
from glioforge.studies import (
    EVERYONE,
    QUESTIONS,
    Arm,
    AugmentationSpec,
    CopiesSource,
    Draw,
    Fold,
    FolderSource,
    Made,
    Results,
    ShownSpec,
    SynthesizerSource,
    Task,
    arm_tasks,
    draw_of,
    fidelity_task,
    gap_tasks,
    maps_task,
    shown_tasks,
    source_tasks,
    trial_run,
)
from glioforge.studies.augmentation_report import page


@QUESTIONS.register(AugmentationSpec)
@final
class Augmentation:
    """Compares segmenters trained on real cases with those that synthetic cases were mixed into."""

    def plan(self, spec: AugmentationSpec, folds: Sequence[Fold]) -> Iterator[Task]:
        """Trial runs, sources and their cases, and the arms; each task once."""
        for fold in folds:
            seen: dict[str, Task] = {}
            for task in _fold(spec, fold):
                if task.name not in seen:
                    seen[task.name] = task
                    yield task
            if spec.shown is not None and not fold.index:
                yield from _shown(spec, spec.shown, fold, list(seen.values()))

    def page(self, spec: AugmentationSpec, results: Results) -> Report:
        """Pictures, likeness, differences between arms, trainings, quality check and costs."""
        return page(spec, results)


def _fold(spec: AugmentationSpec, fold: Fold) -> Iterator[Task]:
    """Tasks of one fold; those that several arms need come once for each."""
    for name, source in spec.all_sources.items():
        if not fold.leaky and isinstance(source, FolderSource) and any(arm.source == name for arm in spec.all_arms):
            yield from source_tasks(spec, fold, Made(name, EVERYONE))
    arms = [arm for arm in spec.every_arm if (arm.split == "leaky") == fold.leaky]
    for place, arm in enumerate(sorted(arms, key=lambda arm: arm.name != spec.baseline.name)):
        yield from _of_arm(spec, fold, arm)
        if not place and spec.synthesizer is not None and not fold.leaky:
            yield from _generator(spec, fold)


def _shown(spec: AugmentationSpec, shown: ShownSpec, fold: Fold, tasks: Sequence[Task]) -> Iterator[Task]:
    """The pictures besides the cases, judged by the first segmenter of the baseline."""
    judge = next(task.name for task in tasks if task.kind == "segmenter" and task.arm == spec.baseline.name)
    made: dict[str, Made] = {}
    for arm in spec.every_arm:
        if arm.source in shown.sources and arm.split == "sound":
            made.setdefault(arm.source, _sources(spec, fold, arm, draw_of(fold, arm.real, 0))[0])
    yield from shown_tasks(spec, shown, fold, made, judge)


def _of_arm(spec: AugmentationSpec, fold: Fold, arm: Arm) -> Iterator[Task]:
    """The trial run that an arm needs, its sources, its trainings and their scores."""
    trial = trial_run(spec, fold, arm)
    yield from trial
    for number in range(arm.draws):
        draw = draw_of(fold, arm.real, number)
        sources = _sources(spec, fold, arm, draw)
        for made in sources:
            yield from source_tasks(spec, fold, made)
            if not (number or made.seed or isinstance(spec.all_sources[made.source], CopiesSource)):
                yield from gap_tasks(fold, made)
            source = spec.all_sources[made.source]
            if not number and isinstance(source, SynthesizerSource) and source.sampler is not None:
                yield maps_task(fold, made)
        for made in sources or [Made("", draw)]:
            yield from arm_tasks(spec, fold, (arm, draw, made), tuple(task.name for task in trial))


def _sources(spec: AugmentationSpec, fold: Fold, arm: Arm, draw: Draw) -> list[Made]:
    """What an arm's synthetic cases are made by: one generator, or set of mixed cases, for each of its seeds."""
    if arm.source is None:
        return []
    source = spec.all_sources[arm.source]
    if isinstance(source, FolderSource):
        return [Made(arm.source, EVERYONE)]
    if isinstance(source, CopiesSource):
        return [Made(arm.source, draw)]
    apart = source.train_on if isinstance(source, SynthesizerSource) else None
    own = draw if apart is None else draw_of(fold, apart, 0, "generator draw")
    return [Made(arm.source, own, seed) for seed in range(spec.spending.generator_seeds)]


def _generator(spec: AugmentationSpec, fold: Fold) -> Iterator[Task]:
    """The generator under test and the likeness of its images: of the largest number of subjects that arms name."""
    arms = [arm for arm in spec.every_arm if arm.source == "generator" and arm.split == "sound"]
    draws = [draw_of(fold, arm.real, 0) for arm in arms] or [EVERYONE]
    made = Made("generator", max(draws, key=lambda draw: draw.size(fold)))
    yield from source_tasks(spec, fold, made)
    yield fidelity_task(spec, fold, made)
