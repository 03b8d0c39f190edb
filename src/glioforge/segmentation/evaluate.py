"""Label a cohort with a segmenter, and judge masks - anybody's - against a cohort's labels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from glioforge.core import (
    CaseRef,
    Cohort,
    GeometryError,
    InputFileError,
    LabelMap,
    LabelScheme,
    Progress,
    Silent,
    SpecError,
    require_prepared_alike,
    scheme_named,
)
from glioforge.data import restore, restore_values
from glioforge.io import PREPARED, SCAN, ResultRow, Step, read_labels, write_labels, write_map
from glioforge.metrics import DEFAULT_METRICS, MetricRow, evaluate_case, regions_of
from glioforge.segmentation.engine import TrainedSegmenter
from glioforge.segmentation.masks import find_masks, mask_scheme, scheme_key, source_of_masks, write_facts
from glioforge.segmentation.trained import NetworkSegmenter

STUDY = "evaluate"
PROBABILITIES = "probabilities"
"""Folder of probabilities within a folder of masks."""


def segment_cohort(
    segmenter: TrainedSegmenter,
    cohort: Cohort,
    out: Path,
    *,
    probabilities: bool = False,
    scheme: LabelScheme | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write one mask a case, going on where an earlier run stopped.

    Args:
        segmenter: Labels the cases.
        cohort: Prepared cases; a mask lies on the grid that its scan came on, where that is known.
        out: Folder of the masks; gets `<case id>.nii.gz` and `masks.json`.
        probabilities: Also write `probabilities/<case id>_<class or region>.nii.gz`, float32, on the same grid.
        scheme: Scheme of the masks; that of the cohort's label files unless given, or the segmenter's own where
            that one cannot hold all of its labels.
        progress: Where to show progress.

    Returns:
        The masks, in the order of the cohort.

    Raises:
        LabelError: The scheme asked for does not name a label of the segmenter.
        SpecError: Probabilities of a segmenter that gives masks alone.
        CaseError: A case lacks a contrast, or was not prepared.
        CohortError: The cohort was prepared otherwise than the segmenter's training cases.
        OutputError: The folder holds masks of another segmenter or cohort, or cannot be written.
    """
    progress = progress or Silent()
    asked = with_probabilities(segmenter) if probabilities else None
    require_prepared_alike(cohort, segmenter.preparations, segmenter.folder)
    maker = f"segmentation by glioforge, weights {segmenter.weights_hash[:12]}"
    scheme = scheme or mask_scheme(segmenter.scheme, cohort)
    segmenter.scheme.table_to(scheme)
    key = {"weights": segmenter.weights_hash, "cohort": cohort.fingerprint, "precision": segmenter.precision}
    with Step(out, {**key, **scheme_key(scheme, segmenter.scheme)}, kept=segmenter.kept) as step:
        if segmenter.note:
            progress.say(segmenter.note)
        write_facts(out, scheme, "; ".join(filter(None, (maker, segmenter.note))))
        paths = {ref.case_id: out / f"{ref.case_id}.nii.gz" for ref in cohort}
        if asked is not None:
            for ref in progress.track(cohort, "segmenting", len(cohort)):
                _write_both(asked, ref, paths[ref.case_id], maker, scheme)
        else:
            missing = [ref for ref in cohort if not paths[ref.case_id].exists()]
            # The masks of many cases are asked for at once: a program of others loads its network for each call.
            masks = segmenter.segment_many(ref.load() for ref in missing)
            for ref, labels in zip(progress.track(missing, "segmenting", len(missing)), masks, strict=True):
                write_labels(paths[ref.case_id], own_grid(labels.to(scheme), ref), maker)
        if not step.done:
            step.finish({"cases": len(paths)})
    return list(paths.values())


def with_probabilities(segmenter: TrainedSegmenter) -> NetworkSegmenter:
    """Return a segmenter that gives the probability of each class.

    Raises:
        SpecError: It gives masks alone.
    """
    if isinstance(segmenter, NetworkSegmenter):
        return segmenter
    kind = segmenter.spec.model_dump()["kind"]
    raise SpecError(f"probabilities of segmenter {kind}", "masks alone", "leave --probabilities out", segmenter.folder)


def own_grid(labels: LabelMap, ref: CaseRef) -> LabelMap:
    """The map on the grid that the case's scan came on; as it is for a case that was never prepared.

    Raises:
        GeometryError: The map does not lie on the case's prepared grid.
    """
    return restore(labels, ref) if "prepared" in ref.facts else labels


def _write_both(segmenter: NetworkSegmenter, ref: CaseRef, path: Path, maker: str, scheme: LabelScheme) -> None:
    """Write a mask and the probabilities that it comes from, unless they are all there."""
    names = segmenter.target.channels
    places = [path.parent / PROBABILITIES / f"{ref.case_id}_{name}.nii.gz" for name in names]
    if path.exists() and all(place.exists() for place in places):
        return
    case = ref.load()
    found = segmenter.probabilities(case)
    own = [restore_values(share, ref) if "prepared" in ref.facts else (share, case.geometry) for share in found]
    if not segmenter.target.nested:
        beyond = 1 - sum(values for values, _ in own)
        own[0] = (np.clip(own[0][0] + beyond, 0, 1), own[0][1])
    for name, place, (values, geometry) in zip(names, places, own, strict=True):
        write_map(place, values, geometry, f"probability of {name}, {maker.removeprefix('segmentation by ')}")
    write_labels(path, own_grid(segmenter.decode(found, case).to(scheme), ref), maker)


def evaluate_predictions(  # noqa: PLR0913 - what is compared, and how
    predictions: Cohort | Path,
    truth: Cohort,
    *,
    regions: Sequence[str] | None = None,
    metrics: Iterable[str] = DEFAULT_METRICS,
    scheme: str | None = None,
    arm: str | None = None,
    progress: Progress | None = None,
) -> list[ResultRow]:
    """Judge masks against the labels of a cohort, case by case.

    Args:
        predictions: A folder of NIfTI masks named by case, or a cohort with the same case ids.
        truth: Labelled cases; each must have a mask on its own grid.
        regions: Regions or single labels; WT, TC and ET unless given, and RC where both sides name a cavity.
        metrics: Names of metrics.
        scheme: Label scheme of a folder's masks; as `segmentation.masks` decides unless given.
        arm: Name in the rows; the folder's or the cohort's unless given.
        progress: Where to show progress.

    Returns:
        A row a case, region and metric, in the order of the truth; none for no cases.

    Raises:
        InputFileError: A mask is missing, doubled, damaged or lies on another grid.
        LabelError: The scheme is unknown, cannot be told, or does not name a value or a region.
        CaseError: A case has no true labels.
        CohortError: A predicted cohort lacks a case.
    """
    read = _reader(predictions, truth, scheme)
    name = arm or predictions.name
    chosen = tuple(metrics)
    rows = []
    for ref in (progress or Silent()).track(truth, "judging masks", len(truth)):
        case = ref.load()
        true = case.require_labels()
        found = read(ref.case_id, true)
        judged = regions_of(found.scheme, true.scheme) if regions is None else regions
        scores = evaluate_case(found, true, judged, chosen, brain=case.brain, where=ref.case_id)
        rows += [result_row(score, ref, arm=name) for score in scores]
    return rows


def result_row(score: MetricRow, ref: CaseRef, *, arm: str) -> ResultRow:
    """A number of one case as a row of the results table."""
    grid = PREPARED if "prepared" in ref.facts else SCAN
    return ResultRow(STUDY, arm, 0, 0, ref.case_id, ref.subject_id, **asdict(score), grid=grid)


def _reader(predictions: Cohort | Path, truth: Cohort, scheme: str | None) -> Callable[[str, LabelMap], LabelMap]:
    """How to get the prediction of a case, given its id and its true labels."""
    if isinstance(predictions, Cohort):
        return lambda case_id, _: predictions[case_id].load().require_labels()
    masks = find_masks(predictions, truth)
    meaning = scheme_named(source_of_masks(predictions, masks, truth, scheme).scheme)

    def read(case_id: str, true: LabelMap) -> LabelMap:
        labels = read_labels(masks[case_id], meaning)
        try:
            true.geometry.require_same(labels.geometry, "mask")
        except GeometryError as error:
            raise InputFileError(
                error.found, error.expected, "resample the mask onto the grid of the case's labels", masks[case_id]
            ) from error
        return labels

    return read
