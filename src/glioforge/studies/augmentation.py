"""Does synthetic data help? From scans to a report, in one command that can be stopped and goes on.

The protocol (docs, explanation, statistics) as far as the budget lets it: subjects are
split before anything is fitted; all arms share segmenter, classical
augmentation, optimiser steps and schedule; the steps are those at which a pilot
run of the baseline reached its plateau on validation subjects; a control
without a network has its own arm; test subjects are scored whole, on their own
grid.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from glioforge.core.protocols import Progress
from glioforge.studies.augmentation_report import write_page
from glioforge.studies.conduct import conduct, report_again
from glioforge.studies.jobs import Facts, Job, perform
from glioforge.studies.pilot import PILOT, Fold, matched_budget
from glioforge.studies.spec import AugmentationSpec
from glioforge.studies.stages import make_source, measure_fidelity, train_arm, train_baseline, train_generator

SPEC = AugmentationSpec
"""Settings of this kind of study."""


def run_study(spec: AugmentationSpec, out: Path, *, data: Path | None = None, progress: Progress | None = None) -> Path:
    """Run a study, or go on with it where it stood.

    Args:
        spec: Complete settings.
        out: Folder of the study; the same settings must be given to go on in it.
        data: Folder of scans or of an ingested cohort, where the study reads one.
        progress: Where to show progress.

    Returns:
        The report, one HTML file.

    Raises:
        OutputError: The folder belongs to a study with other settings.
        LeakageError: A test subject stands behind a training input.
        GlioforgeError: Whatever is wrong with the scans or the settings.
    """
    return conduct(spec, out, _staged, write_page, data=data, progress=progress)


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished study again."""
    return report_again(out, SPEC, write_page, progress)


def _staged(spec: AugmentationSpec, out: Path, folds: int, progress: Progress) -> Facts:
    """Do all stages of all folds."""
    return run_stages(spec, [Fold(spec, out, index) for index in range(folds)], progress)


def run_stages(spec: AugmentationSpec, folds: list[Fold], progress: Progress) -> Facts:
    """Do all stages of all folds; those that do not wait for each other run side by side.

    First come the generators and, beside them, the baselines and controls; then the generators' cases and their
    likeness to scans; then every other arm, at the steps that its fold's pilot found.
    """
    first = [job for fold in folds for job in (Job(train_generator, fold), Job(train_baseline, fold))]
    facts = perform(spec, first, "generators, baselines, controls", progress)
    second = [job for fold in folds for job in (Job(make_source, fold, ("generator",)), Job(measure_fidelity, fold))]
    facts += perform(spec, second, "synthetic cases", progress)
    third = [job for fold in folds for job in _other_arms(fold, facts)]
    return facts + perform(spec, third, "segmenters", progress)


def _other_arms(fold: Fold, facts: Iterable[dict[str, Any]]) -> list[Job]:
    """All arms of a fold but the baseline; those without a case that passed the quality check are left out."""
    mine = [fact for fact in facts if fact["fold"] == fold.index]
    kept = {fact["stage"]: len(fact["kept"]) for fact in mine if "kept" in fact}
    budget = matched_budget(fold.spec, [fact for fact in mine if fact["stage"] == PILOT])
    arms = [arm for arm in fold.spec.arms[1:] if arm.source is None or kept[arm.source]]
    return [Job(train_arm, fold, (arm, seed, budget)) for arm in arms for seed in range(fold.spec.spending.seeds)]
