"""Complete label maps from a segmenter that knows tissue, the tumour's own labels on top, and how plausible they are.

Shin et al. 2018 (arXiv:1807.10225, section 3): a network learns white matter,
grey matter and fluid from the T1 of healthy brains, labels the T1 of brains
with a tumour, and the known tumour labels are laid over the result.  It has
never seen a tumour, so what it says beneath and close around one is a guess.

The paper leaves open how a network of healthy brains does near a tumour.  Dark
tumour looks like fluid to it; so plausibility is measured by how much of the tumour
the network takes for fluid, and how much fluid there is close around it, compared
with the rest of the brain; by volumes and ratios of tissue; and by Dice where the
tissue is known.

Conventions
-----------
volume          millilitres of each tissue in the completed map
grey_to_white   ratio of their volumes; likewise csf_to_brain, fluid over all that is not background
csf_share       fluid among the voxels of a region: `WT` as the network has it, beneath the tumour's labels;
                `rim`, within 5 mm around the tumour; `rest`, the brain beyond
dice            of each tissue against the labels that the case came with
absent          a ratio to nothing has no row, and a case without tumour none about it
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from glioforge.core import (
    COMPLETE,
    Case,
    CaseRef,
    Cohort,
    LabelMap,
    LabelScheme,
    Progress,
    Silent,
    SpecError,
    complete_scheme,
    require_prepared_alike,
    within,
)
from glioforge.data import CASES, find_case, write_case
from glioforge.io import PREPARED, ResultRow, Step, write_cohort, write_json, write_results
from glioforge.metrics import MetricRow, evaluate_case
from glioforge.segmentation.trained import NetworkSegmenter

SUMMARY: Final = "tissue.json"
"""File of a completed cohort with its numbers over all cases."""
COMPLETED: Final = "completed"
"""Fact of a case: weights that labelled its tissue, and the rows of `tissue_check`."""


def complete_map(segmenter: NetworkSegmenter, case: Case, *, mask_tumour: bool = False) -> LabelMap:
    """Complete labels of a prepared case: the likeliest tissue in every voxel of the brain, tumour labels over it.

    Args:
        segmenter: Its target tells white matter, grey matter and fluid apart, be it with tumour classes or without.
        case: Its tumour labels, if it has any, are kept; other labels are not looked at.
        mask_tumour: Show the segmenter images whose tumour voxels have the brain's mean intensity, so that a tumour
            does not change what it finds around it (Shin et al. 2018 train on healthy brains and infer on patients).

    Raises:
        SpecError: The segmenter doesn't know all three tissues.
        CaseError: A contrast is missing, or the images were not prepared.
    """
    scheme = COMPLETE if case.labels is None else complete_scheme(case.labels.scheme)
    return _laid_over(_tissue_of(segmenter, _shown(case, mask_tumour=mask_tumour)), case.labels, scheme)


def complete_cohort(
    segmenter: NetworkSegmenter,
    cohort: Cohort,
    out: Path,
    *,
    mask_tumour: bool = False,
    progress: Progress | None = None,
) -> Cohort:
    """Write a cohort with complete labels, going on where an earlier run stopped.

    The subjects that the segmenter was trained on stand behind every case from now on.

    Args:
        segmenter: As in `complete_map`.
        cohort: Prepared cases; their files are not changed.
        out: Folder of the new cohort: `cases/`, `cohort.json`, and how plausible the maps are as `results.csv`,
            `results.parquet` and `tissue.json`.
        mask_tumour: As in `complete_map`.
        progress: Where to show progress, and what to look at.

    Raises:
        SpecError: The segmenter doesn't know all three tissues.
        CaseError: A case lacks a contrast, or was not prepared.
        CohortError: The cohort was prepared otherwise than the segmenter's training cases.
        OutputError: The folder was made by another segmenter or from another cohort, or cannot be written.
    """
    progress = progress or Silent()
    _tissue_channels(segmenter)
    require_prepared_alike(cohort, segmenter.preparations, segmenter.folder)
    key: dict[str, Any] = {
        "weights": segmenter.weights_hash,
        "cohort": cohort.fingerprint,
        "precision": segmenter.precision,
    }
    if mask_tumour:
        key["mask_tumour"] = True
    scheme = complete_scheme(cohort.scheme)
    with Step(out, key, kept=segmenter.kept) as step:
        if segmenter.note:
            progress.say(segmenter.note)
        refs = []
        for ref in progress.track(cohort, "labelling tissue", len(cohort)):
            known = find_case(out / CASES, ref.case_id)
            if known is None:
                case = _completed(segmenter, ref.load(), scheme, mask_tumour=mask_tumour)
                known = write_case(out / CASES, case)
            refs.append(known)
        made = Cohort(cohort.name, tuple(refs), scheme, cohort.source, out)
        write_cohort(made, out)
        _write_checks(made, segmenter, out, progress)
        if not step.done:
            step.finish({"cases": len(refs), "fingerprint": made.fingerprint})
    return made


def _completed(segmenter: NetworkSegmenter, case: Case, scheme: LabelScheme, *, mask_tumour: bool) -> Case:
    """The case with complete labels, the segmenter's subjects behind it and the check among its facts."""
    lineage = case.lineage.through("segmenter of tissue", segmenter.lineage)
    found = _tissue_of(segmenter, _shown(case, mask_tumour=mask_tumour))
    labels = _laid_over(found, case.labels, scheme)
    rows = [asdict(row) for row in check_rows(labels, found, case.labels)]
    facts = {**case.facts, COMPLETED: {"weights": segmenter.weights_hash, "rows": rows}}
    return replace(case, labels=labels, lineage=lineage, facts=facts)


def _shown(case: Case, *, mask_tumour: bool) -> Case:
    """The case that the segmenter sees: with the brain's mean in place of the tumour, if asked for."""
    if not mask_tumour or case.labels is None or not case.labels.lesion.any():
        return case
    tumour = case.labels.lesion
    normal = case.brain_mask & ~tumour
    images = {}
    for modality, volume in case.images.items():
        voxels = volume.voxels.copy()
        voxels[tumour] = voxels[normal].mean() if normal.any() else 0
        images[modality] = replace(volume, voxels=voxels)
    return replace(case, images=images)


def _tissue_of(segmenter: NetworkSegmenter, case: Case) -> LabelMap:
    """The likeliest tissue in every voxel of the brain, also beneath a tumour."""
    channels = _tissue_channels(segmenter)
    likeliest = segmenter.probabilities(case)[channels].argmax(axis=0)
    values = np.array([COMPLETE.value(name) for name in COMPLETE.tissue], dtype=np.uint8)
    voxels = np.where(case.brain_mask, values[likeliest], 0).astype(np.uint8)
    return LabelMap(voxels, case.geometry, COMPLETE)


def _laid_over(found: LabelMap, labels: LabelMap | None, scheme: LabelScheme) -> LabelMap:
    """Tissue with a case's tumour labels over it, in a complete scheme that names a cavity if the labels do."""
    if labels is None:
        return found.to(scheme)
    voxels, tumour = found.voxels.copy(), labels.lesion
    voxels[tumour] = labels.to(scheme).voxels[tumour]
    return LabelMap(voxels, found.geometry, scheme)


def _write_checks(made: Cohort, segmenter: NetworkSegmenter, out: Path, progress: Progress) -> None:
    """Write the numbers of all cases as a table and a summary, and say what to look at."""
    checked = {ref.case_id: _rows_of(ref) for ref in made}
    arm = str(segmenter.spec.model_dump()["kind"])
    table = [
        ResultRow("complete", arm, 0, 0, ref.case_id, ref.subject_id, **asdict(r), grid=PREPARED)
        for ref in made
        for r in checked[ref.case_id]
    ]
    write_results(out, table)
    write_json(
        out / SUMMARY,
        {"segmenter": arm, "weights": segmenter.weights_hash, "note": segmenter.note, **summary_of(checked)},
    )
    for case_id, rows in checked.items():
        for line in warnings_of(rows):
            progress.say(f"{case_id}: {line}")


def _rows_of(ref: CaseRef) -> list[MetricRow]:
    """Rows that were kept with a completed case."""
    rows = ref.facts[COMPLETED]["rows"]
    return [MetricRow(r["region"], r["metric"], r["value"], r["unit"], r.get("empty", r.get("note", ""))) for r in rows]


def _tissue_channels(segmenter: NetworkSegmenter) -> list[int]:
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


RIM_MM: Final = 5.0
"""Width of the rim around a tumour."""


def tissue_rows(made: LabelMap, truth: LabelMap, tissue: Sequence[str] = COMPLETE.tissue) -> list[MetricRow]:
    """Dice of each tissue, where the truth is known."""
    return evaluate_case(made, truth, tissue, ("dice",))


def check_rows(made: LabelMap, found: LabelMap, before: LabelMap | None = None) -> list[MetricRow]:
    """All numbers about one case.

    Args:
        made: The completed map.
        found: What the network says, also beneath the tumour; in scheme `COMPLETE`.
        before: Labels that the case came with; compared if they hold normal tissue.

    Raises:
        GeometryError: The maps lie on different grids.
    """
    volumes = {name: made.volume_ml(name) for name in COMPLETE.tissue}
    rows = [MetricRow(name, "volume", value, "ml") for name, value in volumes.items()]
    rows += _ratio("grey_to_white", volumes["grey_matter"], volumes["white_matter"])
    rows += _ratio("csf_to_brain", volumes["csf"], np.count_nonzero(made.voxels) * made.geometry.voxel_volume / 1000)
    rows += _fluid_rows(made, found)
    known = None if before is None else before.to(made.scheme)
    if known is not None and any(known.region(name).any() for name in COMPLETE.tissue):
        rows += tissue_rows(made, known)
    return rows


def warnings_of(rows: Iterable[MetricRow]) -> list[str]:
    """What a person should look at, as sentence fragments; none for a map that is plausible."""
    values = {(row.region, row.metric): row.value for row in rows}
    missing = [name for name in COMPLETE.tissue if not values[name, "volume"]]
    lines = [f"no {', '.join(missing)} found"] if missing else []
    share = values.get(("WT", "csf_share"), 0.0)
    if share > 0.5:
        lines.append(
            f"{share:.0%} of the tumour looks like fluid to the segmenter; is fluid near it tumour without a label?"
        )
    return lines


def summary_of(checked: Mapping[str, Sequence[MetricRow]]) -> dict[str, Any]:
    """Mean, least and greatest value of each number over cases, and what is to be looked at, as JSON values.

    Args:
        checked: Rows of each case by its id; none give empty entries.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for rows in checked.values():
        for row in rows:
            values.setdefault((row.metric, row.region), []).append(row.value)
    scores = [
        {
            "metric": metric,
            "region": region,
            "cases": len(some),
            "mean": round(float(np.mean(some)), 6),
            "min": round(min(some), 6),
            "max": round(max(some), 6),
        }
        for (metric, region), some in sorted(values.items())
    ]
    warnings = {case_id: warnings_of(rows) for case_id, rows in checked.items()}
    return {"cases": len(checked), "scores": scores, "warnings": {k: v for k, v in warnings.items() if v}}


def _ratio(name: str, above: float, below: float) -> list[MetricRow]:
    """A ratio of the whole brain; no row where it has none."""
    return [MetricRow("brain", name, above / below, "1")] if below else []


def _fluid_rows(made: LabelMap, found: LabelMap) -> list[MetricRow]:
    """Share of fluid beneath the tumour, close around it and elsewhere."""
    tumour, brain = made.region("WT"), made.foreground
    if not tumour.any():
        return []
    near = within(ndimage.distance_transform_edt(~tumour, made.geometry.spacing), RIM_MM)
    places = {"WT": (found, tumour), "rim": (made, brain & near & ~tumour), "rest": (made, brain & ~near)}
    return [
        MetricRow(region, "csf_share", _share(labels, mask), "1")
        for region, (labels, mask) in places.items()
        if mask.any()
    ]


def _share(labels: LabelMap, mask: Bool[np.ndarray, "i j k"]) -> float:
    """Share of fluid in a mask that is not empty."""
    return float(np.count_nonzero(labels.region("csf") & mask) / np.count_nonzero(mask))
