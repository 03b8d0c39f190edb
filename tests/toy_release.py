"""Toy cohorts as they come before an export: scans as files, prepared, edited and synthetic ones in memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort, LabelSource
from glioforge.core.geometry import Geometry
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2017
from glioforge.core.volume import Volume
from glioforge.data.preparation.grid import GridPlan
from toy_cohort import Held, toy_case

SOURCE = LabelSource(BRATS2017.name, "stated")


def cohort_of(cases, name="toys", source=SOURCE):
    """A cohort of cases in memory, in the scheme of the first one's labels."""
    refs = []
    for case in cases:
        scheme = case.labels.scheme if case.labels is not None else BRATS2017
        paths = {m: Path(f"{case.case_id}_{m}") for m in case.images}
        labels = None if case.labels is None else Path(f"{case.case_id}_labels")
        brain = None if case.brain is None else Path(f"{case.case_id}_brain")
        refs.append(
            CaseRef(
                case.case_id, case.subject_id, paths, scheme.name, case.lineage, f"digest of {case.case_id}",
                Held(case), labels, brain, case.session, case.facts,
            )
        )  # fmt: skip
    own = next((case.labels.scheme for case in cases if case.labels is not None), BRATS2017)
    return Cohort(name, tuple(refs), own, source)


def scan(seed):
    """A scan with tumour labels, as it came."""
    case = toy_case(seed)
    return replace(case, labels=case.labels.to(BRATS2017), brain=None)


def prepared(seed, factor=1.0, *, labelled=True):
    """A prepared case, cropped from a scan of 20 voxels along each axis that lies left to right."""
    case = toy_case(seed)
    spacing = 10.0 / factor
    source = Geometry((20, 20, 20), np.diag([-spacing, spacing, spacing, 1.0]))
    if factor != 1.0:
        source = Geometry((36, 32, 28), np.diag([-spacing, spacing, spacing, 1.0]))
    plan = GridPlan(source, (2, 3, 1), (factor,) * 3, case.geometry.shape)
    moved = replace(case.labels, geometry=plan.target)
    images = {m: Volume(v.voxels, plan.target, m) for m, v in case.images.items()}
    facts = {"prepared": {"grid": plan.to_json(), "labelled": labelled}, "preparation": "abc"}
    return replace(case, images=images, labels=moved, facts=facts)


def synthetic(seed, parents, *, images=True, number=0):
    """A synthetic case, or an edited label map, made from others."""
    case = toy_case(seed)
    lineage = Lineage.synthetic(
        "spade" if images else "lesion edits",
        {parent.case_id: parent.lineage for parent in parents},
        seed=seed,
        weights="0123456789abcdef" if images else None,
        edits=[{"kind": "translate", "donor": parents[0].case_id}],
    )
    case_id = f"{parents[0].case_id}-syn{number:03d}"
    return Case(
        case_id, f"synthetic-{case_id}", case.images if images else {}, lineage, case.labels, case.brain, facts={}
    )
