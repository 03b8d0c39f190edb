"""A resection cavity survives preparation as a label of its own."""

import dataclasses

import numpy as np
import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2024, COMPLETE_CAVITY, GUO2020
from glioforge.core.volume import Modality
from glioforge.data.preparation.pipeline import GridSpec, PrepareSpec, prepare, prepare_case
from glioforge.data.preparation.resample import restore
from toy_cohort import cohort_of_cases, toy_case

SPEC = PrepareSpec(grid=GridSpec(multiple=2, margin=0))


def operated(case):
    """The case as a post-treatment one: its necrosis was taken out and left a cavity."""
    old = case.require_labels()
    voxels = np.array([0, 4, 2, 3, 0, 0, 0], dtype=np.uint8)[old.voxels]
    return dataclasses.replace(case, labels=LabelMap(voxels, old.geometry, BRATS2024))


@pytest.mark.parametrize("spacing", [None, 8.0])
def test_a_resection_cavity_stays_a_label_of_its_own(spacing):
    """Not fluid: the same scheme for the whole cohort, its volume in the account, and exact on the way back."""
    case = operated(toy_case(1))
    spec = PrepareSpec(grid=GridSpec(spacing_mm=spacing))
    done = prepare_case(case, spec, (Modality.T1, Modality.FLAIR), (20, 20, 20))
    prepared, loss = done.require_labels(), done.facts["prepared"]["loss"]

    assert prepared.scheme == COMPLETE_CAVITY
    assert prepared.volume_ml("RC") == pytest.approx(case.labels.volume_ml("RC"), rel=0.5 if spacing else 1e-6)
    assert done.facts["prepared"]["volumes_ml"]["resection_cavity"] > 0
    assert loss["WT"]["ml_before"] == pytest.approx(case.labels.volume_ml("WT"), abs=1e-3)
    assert prepared.to(GUO2020).region("RC").any()
    if spacing is None:
        back = restore(prepared, done).to(BRATS2024)
        assert np.array_equal(back.region("RC"), case.labels.region("RC"))


def test_all_cases_of_a_cohort_share_a_scheme_with_and_without_a_cavity(tmp_path):
    """Also one without a label map; bands of intensity keep none."""
    cases = [operated(toy_case(1)), dataclasses.replace(toy_case(2), labels=None)]
    refs = tuple(dataclasses.replace(ref, scheme=BRATS2024.name) for ref in cohort_of_cases(cases))
    cohort = Cohort("operated", refs, BRATS2024)
    prepared = prepare(cohort, SPEC, tmp_path / "a")
    bands = prepare(cohort, PrepareSpec(grid=GridSpec(multiple=2, margin=0), tissue={"kind": "bands"}), tmp_path / "b")

    assert prepared.scheme == COMPLETE_CAVITY
    assert [ref.load().require_labels().region("RC").any() for ref in prepared] == [True, False]
    assert bands.scheme.name == "carver_brainmap"
