"""The stages of an augmentation study, each a job that a worker process can do.

A job knows the study's settings, its folder and its fold, reads what earlier
stages wrote, writes its own step, and is skipped when that step is done.
Every job raises the firewall before it trains or scores.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glioforge.config.spec import Spec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.firewall import require_no_leak
from glioforge.core.protocols import Progress
from glioforge.core.split import Split
from glioforge.io.cohort_file import read_cohort
from glioforge.io.run_folder import DONE, ORPHAN_S, Step, read_json
from glioforge.quality.base import FittedFilter, fit_filter
from glioforge.quality.check import apply_filters
from glioforge.runs.synthesize import make_synthetic
from glioforge.segmentation.base import load_segmenter, train_segmenter
from glioforge.studies.cost import Cost
from glioforge.studies.folder import StudyFolder
from glioforge.studies.jobs import Facts
from glioforge.studies.pilot import Fold, matched_budget, run_pilot, training_place
from glioforge.studies.scoring import fidelity_rows, overlap_rows
from glioforge.studies.spec import ArmSpec
from glioforge.synthesis.base import TrainedSynthesizer, load_synthesizer, train_synthesizer
from glioforge.synthesis.method import AnySynthesizer
from glioforge.training.budget import Budget


def train_generator(fold: Fold, *, progress: Progress) -> Facts:
    """Train the generator under test on the fold's training subjects."""
    spec = fold.spec.synthesizer.model_copy(update={"budget": fold.spec.spending.generator})
    cost = Cost()
    _trained(fold, spec, fold.folder.synthesizer, progress)
    return [{"stage": "generator", "fold": fold.index, **cost.to_json()}]


def make_source(fold: Fold, source: str, *, progress: Progress) -> Facts:
    """Make a fold's synthetic cases from edited training labels, and judge them."""
    cost = Cost()
    folder = fold.folder.source(source)
    split = fold.split()
    synthesizer = (
        load_synthesizer(fold.folder.synthesizer, fold.spec.accelerator)
        if source == "generator"
        else _trained(fold, fold.spec.control, folder / "model", progress)
    )
    made = make_synthetic(
        split.train,
        synthesizer,
        fold.spec.recipe,
        folder,
        count=fold.spec.spending.synthetic_per_case,
        seed=fold.seed("synthetic"),
        name=source,
        progress=progress,
    )
    require_no_leak({f"{source} cases": made}, split.test)
    funnel = _judged(fold, source, made, split.train, progress)
    return [{"stage": source, "fold": fold.index, **cost.to_json(), **funnel}]


def measure_fidelity(fold: Fold, *, progress: Progress) -> Facts:
    """Compare images made from the test subjects' own labels with their scans."""
    split = fold.split()
    step = Step(fold.folder.fidelity, {"study": fold.spec.identity(), "fold": fold.index}, wait_s=ORPHAN_S)
    if step.done:
        return [{"stage": "fidelity", "fold": fold.index, **step.facts}]
    with step:
        cost = Cost()
        synthesizer = load_synthesizer(fold.folder.synthesizer, fold.spec.accelerator)
        made = make_synthetic(
            split.test,
            synthesizer,
            None,
            fold.folder.reconstruction,
            seed=fold.seed("reconstruction"),
            progress=progress,
        )
        rows = fidelity_rows(fold.spec, fold.index, split, made, synthesizer)
        step.finish({"rows": rows, **cost.to_json()})
    return [{"stage": "fidelity", "fold": fold.index, **step.facts}]


def train_baseline(fold: Fold, *, progress: Progress) -> Facts:
    """Find the steps of all segmenters by a pilot run, train the baseline's seeds, and make the control's cases."""
    spec = fold.spec
    facts = run_pilot(fold, progress=progress)
    budget = matched_budget(spec, facts)
    for seed in range(spec.spending.seeds):
        facts += train_arm(fold, spec.baseline, seed, budget, progress=progress)
    if any(arm.source == "control" for arm in spec.arms):
        facts += make_source(fold, "control", progress=progress)
    return facts


def train_arm(fold: Fold, arm: ArmSpec, seed: int, budget: Budget, *, progress: Progress) -> Facts:
    """Train one segmenter and score it on the fold's test subjects."""
    step = Step(
        fold.folder.scores(arm.name, seed),
        {"study": fold.spec.identity(), "fold": fold.index, "arm": arm.name, "steps": budget.steps},
        wait_s=ORPHAN_S,
    )
    known = {"stage": "arm", "fold": fold.index, "arm": arm.name, "seed": seed}
    if step.done:
        return [{**known, **step.facts}]
    with step:
        cost = Cost()
        split = fold.split()
        folder, own = training_place(fold, arm, seed, budget)
        real, synthetic = _training_cohorts(fold, arm, split)
        inputs = {"real cases": real, "synthetic cases": synthetic}
        require_no_leak({name: cohort for name, cohort in inputs.items() if cohort is not None}, split.test)
        trained = train_segmenter(
            real,
            split.validation,
            fold.spec.segmenter,
            folder,
            synthetic=synthetic,
            synthetic_share=arm.synthetic_share,
            seed=fold.seed("segmenter", seed),
            budget=own,
            accelerator=fold.spec.accelerator,
            progress=progress,
        )
        segmenter = load_segmenter(folder, fold.spec.accelerator)
        require_no_leak({"segmenter": segmenter.lineage}, split.test)
        source = read_cohort(StudyFolder(fold.root).source)
        rows = overlap_rows(fold.spec, (fold.index, arm.name, seed), segmenter, split.test, source)
        step.finish({"rows": rows, "outcome": trained.outcome.to_json(), **cost.to_json()})
    return [{**known, **step.facts}]


def _trained(fold: Fold, spec: AnySynthesizer, folder: Path, progress: Progress) -> TrainedSynthesizer:
    """Train a synthesizer on the fold's training subjects, or load it when done."""
    split = fold.split()
    return train_synthesizer(
        split.train,
        split.validation,
        spec,
        folder,
        seed=fold.seed("generator"),
        accelerator=fold.spec.accelerator,
        progress=progress,
    )


def _judged(fold: Fold, source: str, made: Cohort, train: Cohort, progress: Progress) -> dict[str, Any]:
    """Verdicts on a source's cases; the ids kept are what arms train on.

    Filters are part of the generator's chain; the control is taken as it is, so that they cannot weaken it.
    """
    specs = fold.spec.filters if source == "generator" else ()
    key = {"made": made.fingerprint, "filters": [spec.model_dump(mode="json") for spec in specs]}
    step = Step(fold.folder.source(source) / "quality", key, wait_s=ORPHAN_S)
    if not step.done:
        with step:
            filters, unfitted = _fitted_filters(fold, specs, train)
            kept, verdicts = apply_filters(made, filters, progress=progress)
            step.finish(
                {
                    "made": len(made),
                    "kept": [ref.case_id for ref in kept],
                    "verdicts": [row.to_json() for row in verdicts],
                    "unfitted": unfitted,
                }
            )
    return dict(step.facts)


def _fitted_filters(
    fold: Fold, specs: Sequence[Spec], train: Cohort
) -> tuple[list[tuple[str, FittedFilter]], list[str]]:
    """The study's filters fitted on training cases, and why some could not be: the report tells."""
    fitted: list[tuple[str, FittedFilter]] = []
    unfitted: list[str] = []
    for spec in specs:
        try:
            fitted.append((spec.model_dump()["kind"], fit_filter(spec, train, seed=fold.seed("quality"))))
        except CohortError as error:
            unfitted.append(str(error))
    return fitted, unfitted


def _training_cohorts(fold: Fold, arm: ArmSpec, split: Split) -> tuple[Cohort, Cohort | None]:
    """Real and synthetic cases that an arm trains on."""
    if arm.source is None:
        return split.train, None
    folder = fold.folder.source(arm.source)
    kept = read_json(folder / "quality" / DONE)["facts"]["kept"]
    return split.train, read_cohort(folder).select(kept, arm.source)
