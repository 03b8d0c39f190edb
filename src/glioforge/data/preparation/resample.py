"""Resample images and label maps onto the prepared grid, and bring label maps and numbers back from it.

The tumour is decided first - a voxel is tumour where tumour fills at least
half of it - and then which of its labels fills most, so that borders between
the tumour's own labels do not shrink the whole.  A lesion that would vanish
keeps the one voxel it fills most (Shin et al. 2018 report that small tumours
may vanish; "minimum lesion" preservation is the remedy here); what was lost
is reported.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from glioforge.core import Affine, Case, CaseError, CaseRef, Geometry, LabelMap, Mask, Voxels, bounding_box
from glioforge.data.preparation.grid import GridPlan


def resampled(
    voxels: Voxels, source: Geometry, target: Geometry, transform: Affine, background: float = 0.0
) -> Float32[np.ndarray, "x y z"]:
    """Linear interpolation of an image on another grid.

    Args:
        voxels: The image on `source`.
        source: Its grid.
        target: The wanted grid.
        transform: From the world of the target to the world of the source, RAS mm.
        background: Value beyond the source.
    """
    chain = np.linalg.inv(source.affine) @ transform @ target.affine
    return np.asarray(
        ndimage.affine_transform(
            voxels.astype(np.float32), chain[:3, :3], chain[:3, 3], target.shape, order=1, cval=background
        )
    )


def resampled_labels(labels: LabelMap, target: Geometry, transform: Affine) -> LabelMap:
    """Label map on another grid: each voxel takes the label that fills it most, background included."""
    # Half of a voxel must be foreground before any label may take it; then the fullest label wins, however small its
    # share.
    best = np.full(target.shape, 0.5, dtype=np.float32)
    share = resampled(labels.foreground.astype(np.float32), labels.geometry, target, transform)
    inside = share >= best
    best[inside] = 0
    result = np.zeros(target.shape, dtype=np.uint8)
    for value in (int(v) for v in np.unique(labels.voxels) if v):
        share = resampled((labels.voxels == value).astype(np.float32), labels.geometry, target, transform)
        won = inside & (share > best)
        best[won] = share[won]
        result[won] = value
    return LabelMap(result, target, labels.scheme)


_TOUCHING = np.ones((3, 3, 3), dtype=bool)
_EPSILON = 1e-4


def resample_labels(
    labels: LabelMap, plan: GridPlan, keep_lesions_mm3: float | None = 0.0, *, within: Mask | None = None
) -> LabelMap:
    """Bring a label map onto the prepared grid.

    Args:
        labels: Map on the case's own grid, in any scheme.
        plan: How the grid changes.
        keep_lesions_mm3: A connected lesion of at least this volume, and the last voxel of a lesion label,
            never vanish; none lets them.
        within: Voxels of the prepared grid that a vanishing lesion may be given; all unless given.
    """
    if not plan.resamples:
        return LabelMap(plan.moved(labels.voxels), plan.target, labels.scheme)
    tissue_values = tuple(v for n, v in labels.scheme.labels.items() if n in labels.scheme.tissue)
    lesion = _fullest(labels, plan, labels.scheme.lesion_values) * resample_mask(labels.lesion, plan)
    tissue = _fullest(labels, plan, tissue_values) * resample_mask(labels.foreground, plan)
    voxels = np.where(lesion > 0, lesion, tissue).astype(np.uint8)
    if keep_lesions_mm3 is not None:
        inside = np.ones(plan.size, dtype=bool) if within is None else within
        _keep_lesions(voxels, labels, plan, keep_lesions_mm3, inside)
        _keep_labels(voxels, labels, plan, inside)
    return LabelMap(voxels, plan.target, labels.scheme)


def resample_mask(mask: Mask, plan: GridPlan) -> Bool[np.ndarray, "x y z"]:
    """Mask on the prepared grid: where it fills more than half a voxel.

    Voxels that are filled just by half - common where spacings are whole
    multiples - are settled by a wider neighbourhood, so that volumes keep.
    """
    if not plan.resamples:
        return plan.moved(mask)
    share = plan.fractions(mask) - 0.5
    tied = np.abs(share) < _EPSILON
    return np.where(tied, plan.smoothed(mask) > 0.5, share > 0)


def loss_report(before: LabelMap, after: LabelMap, plan: GridPlan) -> dict[str, Any]:
    """What resampling and cropping did to each tumour label: volumes and connected lesions.

    Args:
        before: Map on the case's own grid.
        after: The same scheme on the prepared grid.
        plan: How the grid changed.

    Returns:
        For each lesion label present and for `WT`: `ml_before`, `ml_after`; for `WT` also the number of
        connected lesions before, cavities included, and how many of them have no voxel left. Empty without a lesion.
    """
    lesion = before.lesion
    box = bounding_box(lesion) or (slice(0, 1),) * 3
    grid = before.geometry.box([side.start for side in box], [side.stop for side in box])
    before = LabelMap(before.voxels[box], grid, before.scheme)
    volumes = {n: (before.volume_ml(n), after.volume_ml(n)) for n in before.scheme.lesion}
    report: dict[str, Any] = {
        n: {"ml_before": round(first, 4), "ml_after": round(then, 4)}
        for n, (first, then) in volumes.items()
        if first or then
    }
    if report:
        parts, count = ndimage.label(lesion[box], _TOUCHING)
        # Looked at from the source grid: a lesion survives if any prepared lesion voxel reaches it, in part at least.
        seen = plan.fractions_back(after.lesion) > _EPSILON if plan.resamples else plan.moved_back(after.lesion)
        reached = np.unique(parts[seen[box]])
        tumour = [report[name] for name in before.scheme.regions["WT"] if name in report]
        whole = {when: round(sum(part[when] for part in tumour), 4) for when in ("ml_before", "ml_after")}
        report["WT"] = {**whole, "lesions": count, "lesions_lost": count - int(np.count_nonzero(reached))}
    return report


def restored(voxels: UInt8[np.ndarray, "x y z"], plan: GridPlan) -> UInt8[np.ndarray, "i j k"]:
    """Prepared labels on the case's own grid: voxel for voxel, or by the label that fills most.

    Voxels that the prepared grid does not reach are 0.
    """
    if not plan.resamples:
        return plan.moved_back(voxels)
    # Half-filled voxels count as foreground: `resample_mask` gave ties to the wider neighbourhood.
    best = np.full(plan.source.shape, 0.5 - _EPSILON, dtype=np.float32)
    result = np.zeros(plan.source.shape, dtype=np.uint8)
    present = [int(v) for v in np.unique(voxels) if v]
    inside = plan.fractions_back(voxels > 0) >= 0.5 - _EPSILON if present else np.zeros(plan.source.shape, dtype=bool)
    best[inside] = 0
    for value in present:
        share = plan.fractions_back(voxels == value)
        won = inside & (share > best)
        best[won] = share[won]
        result[won] = value
    return result


def _fullest(labels: LabelMap, plan: GridPlan, values: tuple[int, ...]) -> UInt8[np.ndarray, "x y z"]:
    """Among some labels, the one that fills a voxel most; 0 where none does."""
    result = np.zeros(plan.size, dtype=np.uint8)
    best = np.zeros(plan.size, dtype=np.float32)
    for value in values:
        mask = labels.voxels == value
        if mask.any():
            share = plan.fractions(mask)
            won = share > best
            best[won] = share[won]
            result[won] = value
    return result


def _keep_lesions(
    voxels: UInt8[np.ndarray, "x y z"], labels: LabelMap, plan: GridPlan, least_mm3: float, within: Mask
) -> None:
    """Give each lesion that vanished the voxel that it fills most (changes `voxels`)."""
    parts, count = ndimage.label(labels.lesion, _TOUCHING)
    if not count:
        return
    kept = np.isin(voxels, labels.scheme.lesion_values)
    boxes = ndimage.find_objects(parts)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    for number, box in enumerate(boxes, start=1):
        # A part of more than eight prepared voxels cannot vanish, and its fractions would be computed for nothing.
        if sizes[number] * labels.geometry.voxel_volume < least_mm3 or sizes[number] > 8 * _ratio(plan):
            continue
        alone = np.zeros(labels.voxels.shape, dtype=bool)
        alone[box] = parts[box] == number
        share = plan.fractions(alone) * within
        # A neighbouring lesion that grew into the same voxel stands for this one too.
        if not (kept & (share > 0)).any() and share.max() > 0:
            dominant = int(np.bincount(labels.voxels[alone]).argmax())
            voxels.reshape(-1)[int(share.argmax())] = dominant


def _keep_labels(voxels: UInt8[np.ndarray, "x y z"], labels: LabelMap, plan: GridPlan, within: Mask) -> None:
    """Give each lesion label that vanished the voxel that it fills most (changes `voxels`)."""
    for value in labels.scheme.lesion_values:
        mask = labels.voxels == value
        if mask.any() and not (voxels == value).any():
            share = plan.fractions(mask) * within
            if share.max() > 0:
                voxels.reshape(-1)[int(share.argmax())] = value


def _ratio(plan: GridPlan) -> float:
    """Source voxels in a prepared voxel."""
    return float(np.prod(plan.factor))


def restore(labels: LabelMap, prepared: Case | CaseRef) -> LabelMap:
    """Label map on the source case's own grid.

    Exact, voxel for voxel, where preparation only moved voxels; where it
    resampled or registered to a template, each voxel takes the label that fills it most.  Voxels that the
    prepared grid does not reach are background.

    Args:
        labels: Map on the prepared grid, for example a segmentation.
        prepared: The prepared case, which knows its way back.

    Raises:
        CaseError: The case was not made by `prepare`.
        GeometryError: The map does not lie on the case's prepared grid.
    """
    plan = plan_of(prepared)
    plan.target.require_same(labels.geometry, f"label map to restore for {prepared.case_id}")
    back = LabelMap(restored(labels.voxels, plan), plan.source, labels.scheme)
    template = prepared.facts["prepared"].get("registration", {}).get("template")
    if template is None:
        return back
    way_back = np.linalg.inv(np.array(template["transform"], dtype=np.float64))
    return resampled_labels(back, Geometry.from_json(template["source"]), way_back)


def restore_values(values: Float32[np.ndarray, "x y z"], prepared: Case | CaseRef) -> tuple[Voxels, Geometry]:
    """Numbers on the source case's own grid, probabilities for example, and that grid.

    Exact where preparation only moved voxels, else interpolated linearly; 0
    where the prepared grid does not reach.

    Args:
        values: Numbers on the prepared grid.
        prepared: The prepared case, which knows its way back.

    Raises:
        CaseError: The case was not made by `prepare`.
    """
    plan = plan_of(prepared)
    template = prepared.facts["prepared"].get("registration", {}).get("template")
    if template is not None:
        own = Geometry.from_json(template["source"])
        way_back = np.linalg.inv(np.array(template["transform"], dtype=np.float64))
        return resampled(values, plan.target, own, way_back), own
    if plan.resamples:
        return resampled(values, plan.target, plan.source, np.eye(4)), plan.source
    return plan.moved_back(values), plan.source


def plan_of(prepared: Case | CaseRef) -> GridPlan:
    """How a prepared case's grid was made.

    Raises:
        CaseError: The case was not made by `prepare`.
    """
    try:
        return GridPlan.from_json(prepared.facts["prepared"]["grid"])
    except (KeyError, TypeError, ValueError) as error:
        raise CaseError(
            "no record of preparation", "a case that glioforge prepared", "prepare the cohort first", prepared.case_id
        ) from error
