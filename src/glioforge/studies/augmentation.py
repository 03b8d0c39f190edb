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
from glioforge.io.tables import ResultRow, write_results
from glioforge.studies.augmentation_report import write_page
from glioforge.studies.folder import StudyFolder
from glioforge.studies.gather import divide, gather, prepared_cohort
from glioforge.studies.spec import ArmSpec, AugmentationSpec
from glioforge.studies.stages import Fold, Job, make_source, measure_fidelity, train_arm, train_generator
from glioforge.training.budget import Budget


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
    with Step(out, {"study": spec.identity()}) as step:
        write_json(out / "study.json", {"spec": spec.model_dump(mode="json"), "made_with": run_facts()})
        cohort = gather(spec, folder, data, progress)
        prepared = prepared_cohort(spec, folder, cohort, progress)
        folds = [Fold(spec, out, index) for index, _ in enumerate(divide(spec, folder, prepared))]
        facts = run_stages(spec, folds, progress)
        rows = [ResultRow(**row) for fact in facts for row in fact.pop("rows", ())]
        write_results(out, rows)
        write_json(out / "stages.json", facts)
        page = write_page(spec, folder, rows, facts)
    step.finish({"fingerprint": cohort.fingerprint})
    return page


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished study again."""
    from glioforge.config.load import parse_spec
    from glioforge.io.run_folder import read_json
    from glioforge.io.tables import read_results

    (progress or Silent()).say("reading results")
    spec = parse_spec(read_json(out / "study.json")["spec"], AugmentationSpec)
    return write_page(spec, StudyFolder(out), read_results(out), read_json(out / "stages.json"))


def run_stages(spec: AugmentationSpec, folds: list[Fold], progress: Progress) -> list[dict[str, Any]]:
    """Do all stages of all folds; those that do not wait for each other run side by side."""
    baseline = spec.baseline
    first = [Job(train_generator, fold) for fold in folds]
    first += [Job(train_arm, fold, (baseline, 0, spec.spending.segmenter)) for fold in folds]
    facts = _perform(spec, first, "generators and baselines", progress)
    sources = sorted({arm.source for arm in spec.arms if arm.source})
    second = [Job(make_source, fold, (source,)) for fold in folds for source in sources]
    second += [Job(measure_fidelity, fold) for fold in folds]
    facts += _perform(spec, second, "synthetic cases", progress)
    third = [job for fold in folds for job in _remaining_arms(spec, fold, facts)]
    return facts + _perform(spec, third, "segmenters", progress)


def _remaining_arms(spec: AugmentationSpec, fold: Fold, facts: Iterable[dict[str, Any]]) -> list[Job]:
    """Every arm and seed but the baseline's first, at the steps of the baseline's plateau."""
    mine = [fact for fact in facts if fact["fold"] == fold.index]
    outcome = next(f["outcome"] for f in mine if f["stage"] == "arm")
    kept = {f["stage"]: len(f["kept"]) for f in mine if "kept" in f}
    matched = Budget(**{**spec.spending.segmenter.model_dump(), "steps": outcome["steps"], "patience": None})
    wanted = [(arm, seed) for arm in spec.arms for seed in range(spec.spending.seeds)]
    return [
        Job(train_arm, fold, (arm, seed, matched))
        for arm, seed in wanted
        if (arm, seed) != (spec.baseline, 0) and _has_cases(arm, kept)
    ]


def _has_cases(arm: ArmSpec, kept: dict[str, int]) -> bool:
    """Whether the arm's source passed the quality check with at least one case."""
    return arm.source is None or kept[arm.source] > 0


def _perform(spec: AugmentationSpec, jobs: list[Job], title: str, progress: Progress) -> list[dict[str, Any]]:
    """Results of jobs in their order; in this process with inner progress, or side by side."""
    if spec.fanout.workers == 1:
        return [job(progress) for job in jobs]
    return list(fan_out(_do, jobs, spec.fanout, title=title, progress=progress))


def _do(job: Job) -> dict[str, Any]:
    """Do a job in a worker."""
    return job()
