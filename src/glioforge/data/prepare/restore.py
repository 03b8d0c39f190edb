"""Bring a label map, or numbers, on the prepared grid back onto the grid that the case came on."""

import numpy as np
from jaxtyping import Float32

from glioforge.core.case import Case, CaseRef
from glioforge.core.errors import CaseError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.volume import Voxels
from glioforge.data.prepare.grid import GridPlan
from glioforge.data.prepare.resample import resampled, resampled_labels
from glioforge.data.prepare.resample_labels import restored


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
