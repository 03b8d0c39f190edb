"""Complete label maps from a segmenter that knows tissue: the tumour's own labels lie over what it says of the rest.

Shin et al. 2018 (arXiv:1807.10225, section 3): a network learns white matter,
grey matter and fluid from the T1 of healthy brains, labels the T1 of brains
with a tumour, and the known tumour labels are laid over the result.  It has
never seen a tumour, so what it says beneath and close around one is a guess;
`tissue_rows` tells how good it is where the truth is known.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import SpecError
from glioforge.core.labels import LabelMap
from glioforge.core.preparation import require_prepared_alike
from glioforge.core.protocols import Progress, Silent
from glioforge.core.schemes import COMPLETE
from glioforge.data.store import find_case, write_case
from glioforge.io.cohort_file import write_cohort
from glioforge.io.run_folder import Step
from glioforge.metrics.base import MetricRow
from glioforge.metrics.evaluate import evaluate_case
from glioforge.segmentation.trained import TrainedSegmenter
from glioforge.segmentation.validate import brain_of

CASES = "cases"
"""Folder of the cases within a cohort."""


def complete_map(segmenter: TrainedSegmenter, case: Case) -> LabelMap:
    """Complete labels of a prepared case: the likeliest tissue in every voxel of the brain, tumour labels over it.

    Args:
        segmenter: Its target tells white matter, grey matter and fluid apart, be it with tumour classes or without.
        case: Its tumour labels, if it has any, are kept; other labels are not looked at.

    Raises:
        SpecError: The segmenter doesn't know all three tissues.
        CaseError: A contrast is missing, or the images were not prepared.
    """
    channels = _tissue_channels(segmenter)
    likeliest = segmenter.probabilities(case)[channels].argmax(axis=0)
    values = np.array([COMPLETE.value(name) for name in COMPLETE.tissue], dtype=np.uint8)
    voxels = np.where(brain_of(case), values[likeliest], 0).astype(np.uint8)
    if case.labels is not None:
        tumour = case.labels.lesion
        voxels[tumour] = case.labels.to(COMPLETE).voxels[tumour]
    return LabelMap(voxels, case.geometry, COMPLETE)


def complete_cohort(
    segmenter: TrainedSegmenter, cohort: Cohort, out: Path, *, progress: Progress | None = None
) -> Cohort:
    """Write a cohort with complete labels, going on where an earlier run stopped.

    The subjects that the segmenter was trained on stand behind every case from now on.

    Args:
        segmenter: As in `complete_map`.
        cohort: Prepared cases; their files are not changed.
        out: Folder of the new cohort: `cases/`, `cohort.json`.
        progress: Where to show progress.

    Raises:
        SpecError: The segmenter doesn't know all three tissues.
        CaseError: A case lacks a contrast, or was not prepared.
        CohortError: The cohort was prepared otherwise than the segmenter's training cases.
        OutputError: The folder was made by another segmenter or from another cohort, or cannot be written.
    """
    progress = progress or Silent()
    _tissue_channels(segmenter)
    require_prepared_alike(cohort, segmenter.preparations, segmenter.folder)
    with Step(out, {"weights": segmenter.weights_hash, "cohort": cohort.fingerprint}) as step:
        refs = []
        for ref in progress.track(cohort, "labelling tissue", len(cohort)):
            known = find_case(out / CASES, ref.case_id)
            refs.append(known or write_case(out / CASES, _completed(segmenter, ref.load())))
        made = Cohort(cohort.name, tuple(refs), COMPLETE)
        write_cohort(out, made)
        step.finish({"cases": len(refs), "fingerprint": made.fingerprint})
    return made


def tissue_rows(made: LabelMap, truth: LabelMap, tissue: Sequence[str] = COMPLETE.tissue) -> list[MetricRow]:
    """Dice of each tissue, where the truth is known."""
    return evaluate_case(made, truth, tissue, ("dice",))


def _completed(segmenter: TrainedSegmenter, case: Case) -> Case:
    """The case with complete labels and the segmenter's subjects behind it."""
    subjects = sorted({*case.lineage.subjects, *segmenter.lineage_subjects})
    lineage = replace(case.lineage, subjects=tuple(subjects))
    return replace(case, labels=complete_map(segmenter, case), lineage=lineage)


def _tissue_channels(segmenter: TrainedSegmenter) -> list[int]:
    """Channel of each tissue of the complete scheme."""
    channels = segmenter.target.channels
    missing = [name for name in COMPLETE.tissue if name not in channels]
    if missing:
        raise SpecError(
            f"a segmenter of target {segmenter.target.name!r}, which doesn't know {', '.join(missing)}",
            "target `tissue` or `complete`",
            "train a segmenter with one of these",
        )
    return [channels.index(name) for name in COMPLETE.tissue]
