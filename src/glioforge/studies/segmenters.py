"""Which segmenter finds the tumours of unseen subjects best? From scans to a report, in one command.

Every method is trained on the same training subjects of the same split, with a
budget of its own, keeps the weights of its best validation, and labels the same
unseen subjects.  Its masks lie on the scans' own grids and are judged there, in
three dimensions, whole subjects at a time.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glioforge.core.cohort import Cohort
from glioforge.core.firewall import require_no_leak
from glioforge.core.protocols import Progress
from glioforge.core.schemes import BRATS2023
from glioforge.io.cohort_file import read_cohort
from glioforge.io.nifti import read_labels
from glioforge.io.run_folder import ORPHAN_S, Step
from glioforge.metrics.evaluate import evaluate_case
from glioforge.segmentation.base import TrainedSegmenter, load_segmenter, train_segmenter
from glioforge.segmentation.evaluate import segment_cohort
from glioforge.segmentation.masks import written_scheme
from glioforge.studies.comparing import SegmentersSpec
from glioforge.studies.conduct import conduct, report_again
from glioforge.studies.cost import Cost
from glioforge.studies.folder import StudyFolder
from glioforge.studies.jobs import Facts, Job, StudyFold, perform
from glioforge.studies.scoring import Row, row_of, tumour_of
from glioforge.studies.segmenters_report import write_page

SPEC = SegmentersSpec
"""Settings of this kind of study."""

Fold = StudyFold[SegmentersSpec]
"""One fold of a comparison of segmenters."""


def run_study(spec: SegmentersSpec, out: Path, *, data: Path | None = None, progress: Progress | None = None) -> Path:
    """Run a comparison of segmenters, or go on with it; arguments and errors as `studies.kinds.run_study`."""
    return conduct(spec, out, _staged, write_page, data=data, progress=progress)


def write_report(out: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished comparison again."""
    return report_again(out, SPEC, write_page, progress)


def run_method(fold: Fold, name: str, seed: int, *, progress: Progress) -> Facts:
    """Train one segmenter on the fold's training subjects, label the test subjects, and judge the masks."""
    folder = fold.folder.method(name, seed)
    entry = fold.spec.methods[name]
    settings = entry.model_dump(mode="json", exclude={"title"})
    key = {"study": fold.spec.identity(), "name": name, "settings": settings, "fold": fold.index, "seed": seed}
    step = Step(folder / "scores", key, wait_s=ORPHAN_S)
    if not step.done:
        with step:
            cost = Cost()
            split = fold.split()
            trained = train_segmenter(
                split.train,
                split.validation,
                entry.segmenter,
                folder / "model",
                seed=fold.seed("segmenter", seed),
                budget=entry.budget,
                accelerator=fold.spec.accelerator,
                progress=progress,
            )
            segmenter = load_segmenter(folder / "model", fold.spec.accelerator)
            require_no_leak({name: segmenter.lineage}, split.test)
            started = time.monotonic()
            masks = segment_cohort(segmenter, split.test, folder / "masks", progress=progress)
            each = (time.monotonic() - started) / max(1, len(masks))
            rows = _mask_rows(fold, (name, seed), masks, split.test)
            pace = {"seconds_per_volume": round(each, 3)}
            step.finish({"rows": rows, **pace, **_training_facts(trained), **cost.to_json()})
    return [{"stage": "training", "fold": fold.index, "method": name, "seed": seed, **step.facts}]


def _staged(spec: SegmentersSpec, out: Path, count: int, progress: Progress) -> Facts:
    """All methods of all folds; nothing waits for anything."""
    runs = [(index, (name, seed)) for index in range(count) for name in spec.methods for seed in range(spec.seeds)]
    jobs = [Job(run_method, Fold(spec, out, index), run) for index, run in runs]
    return perform(spec, jobs, "segmenters", progress)


def _mask_rows(fold: Fold, run: tuple[str, int], masks: list[Path], test: Cohort) -> list[Row]:
    """Marks of masks against the labels that the scans came with, on their own grids, in the regions they name."""
    source = read_cohort(StudyFolder(fold.root).source)
    scheme = written_scheme(masks[0].parent) if masks else BRATS2023
    regions = [region for region in fold.spec.regions if scheme.regions.get(region)]
    rows: list[Row] = []
    for path, ref in zip(masks, test, strict=True):
        truth = tumour_of(source[ref.case_id].load().require_labels())
        scores = evaluate_case(read_labels(path, scheme), truth, regions, where=ref.case_id)
        rows += [row_of(fold.spec, fold.index, *run, ref) | asdict(score) for score in scores]
    return rows


def _training_facts(trained: TrainedSegmenter) -> dict[str, Any]:
    """Size, length and history of a training."""
    outcome = trained.outcome.to_json()
    return {
        "parameters": trained.parameter_count,
        "steps": outcome["steps"],
        "training_seconds": outcome["seconds"],
        "history": outcome["history"],
        "best_step": outcome["best_step"],
        "best_score": outcome["best_score"],
        "plateaued": outcome["plateaued"],
    }
