"""Does synthetic data help? From scans to a report, in one command that can be stopped and goes on.

The protocol (docs, explanation, statistics) as far as the budget lets it: subjects are
split before anything is fitted; all arms share segmenter, classical
augmentation and optimiser steps; the steps are those at which the baseline
reached its plateau on validation subjects; a control without a network has
its own arm; test subjects are scored whole, on their own grid.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from glioforge.compute.fanout import fan_out
from glioforge.core.protocols import Progress, Silent
from glioforge.io.run_folder import Step, run_facts, write_json
from glioforge.io.tables import ResultRow, read_results, write_results
from glioforge.studies.augmentation_report import write_page
from glioforge.studies.folder import StudyFolder
from glioforge.studies.gather import divide, gather, prepared_cohort, read_given
from glioforge.studies.spec import AugmentationSpec
from glioforge.studies.stages import (
    Fold,
    Job,
    make_source,
    matched_budget,
    measure_fidelity,
    train_arm,
    train_baseline,
    train_generator,
)


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
    progress = progress or Silent()
    folder = StudyFolder(out)
    given = read_given(spec, data, progress)
    scans = "phantoms" if given is None else given.fingerprint
    with Step(out, {"study": spec.identity(), "scans": scans}) as step:
        write_json(out / "study.json", {"spec": spec.model_dump(mode="json"), "made_with": run_facts()})
        cohort = gather(spec, folder, given, progress)
        prepared = prepared_cohort(spec, folder, cohort, progress)
        folds = [Fold(spec, out, index) for index, _ in enumerate(divide(spec, folder, prepared))]
        facts = run_stages(spec, folds, progress)
        write_results(out, [ResultRow(**row) for fact in facts for row in fact.pop("rows", ())])
        write_json(out / "stages.json", facts)
        page = write_page(spec, folder, read_results(out), facts)
    step.finish({"fingerprint": cohort.fingerprint})
    return page


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished study again."""
    from glioforge.config.load import parse_spec
    from glioforge.io.run_folder import read_json

    (progress or Silent()).say("reading results")
    spec = parse_spec(read_json(out / "study.json")["spec"], AugmentationSpec)
    return write_page(spec, StudyFolder(out), read_results(out), read_json(out / "stages.json"))


def run_stages(spec: AugmentationSpec, folds: list[Fold], progress: Progress) -> list[dict[str, Any]]:
    """Do all stages of all folds; those that do not wait for each other run side by side.

    First come the generators and, beside them, the baselines and controls; then the generators' cases and their
    likeness to scans; then every other arm, at the steps of its fold's baseline.
    """
    first = [job for fold in folds for job in (Job(train_generator, fold), Job(train_baseline, fold))]
    facts = _perform(spec, first, "generators, baselines, controls", progress)
    second = [job for fold in folds for job in (Job(make_source, fold, ("generator",)), Job(measure_fidelity, fold))]
    facts += _perform(spec, second, "synthetic cases", progress)
    third = [job for fold in folds for job in _other_arms(fold, facts)]
    return facts + _perform(spec, third, "segmenters", progress)


def _other_arms(fold: Fold, facts: Iterable[dict[str, Any]]) -> list[Job]:
    """All arms of a fold but the baseline; those without a case that passed the quality check are left out."""
    mine = [fact for fact in facts if fact["fold"] == fold.index]
    outcome = next(fact["outcome"] for fact in mine if fact.get("sets_steps"))
    kept = {fact["stage"]: len(fact["kept"]) for fact in mine if "kept" in fact}
    budget = matched_budget(fold.spec, outcome["steps"])
    arms = [arm for arm in fold.spec.arms[1:] if arm.source is None or kept[arm.source]]
    return [Job(train_arm, fold, (arm, seed, budget)) for arm in arms for seed in range(fold.spec.spending.seeds)]


def _perform(spec: AugmentationSpec, jobs: list[Job], title: str, progress: Progress) -> list[dict[str, Any]]:
    """Facts of jobs in their order; in this process with inner progress, or side by side."""
    if spec.fanout.workers == 1 and spec.fanout.backend == "local":
        return [fact for job in jobs for fact in job(progress)]
    return [fact for facts in fan_out(_do, jobs, spec.fanout, title=title, progress=progress) for fact in facts]


def _do(job: Job) -> list[dict[str, Any]]:
    """Do a job in a worker."""
    return job()
