"""Banks of lesions: cut from cases, never of a subject left out; a sampled slice of a lesion becomes a volume."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import COMPLETE, Geometry, LabelMap
from glioforge.core.case import Case, CaseRef
from glioforge.core.errors import EditError
from glioforge.core.lineage import Lineage
from glioforge.lesions.bank import LesionBank, inflated
from toy_brain import toy_bank, toy_brain
from toy_cohort import Held, cohort_of_cases, toy_case


def reference(case_id, labels, lineage):
    """A case in memory."""
    case = Case(case_id, case_id, {}, lineage, labels)
    return CaseRef(case_id, case_id, {}, "complete", lineage, "0", reader=lambda ref: case)


def test_a_bank_is_cut_from_cases():
    """Healthy cases are passed over; every subject behind a case is named."""
    lineage = Lineage.synthetic("edits", {"p": Lineage.real("x", "parent")}, seed=1)
    cases = [
        reference("sick", toy_brain(), lineage),
        reference("healthy", toy_brain(centre=None), Lineage.real("x", "h")),
    ]
    bank = LesionBank.of(cases)

    assert len(bank) == 1
    assert bank.case_ids == ("sick",)
    assert bank.donor("sick").subjects == ("parent", "sick")
    assert len(bank.without(["parent"])) == 0


def test_an_unknown_donor_is_refused():
    """The message lists whom the bank has."""
    with pytest.raises(EditError, match=r"donor 'nobody'; expected one of \['donor0', 'donor1'\]"):
        toy_bank().donor("nobody")


GRID = Geometry((1, 41, 41), np.diag([4.0, 2.0, 2.0, 1.0]))


def disc(radius=12, core=6, necrosis=3):
    """A slice of brain with a round lesion of nested parts."""
    j, k = np.indices((41, 41))
    distance = np.hypot(j - 20, k - 20)
    voxels = np.full((1, 41, 41), 4, dtype=np.uint8)
    for value, size in ((2, radius), (3, core), (1, necrosis)):
        voxels[0][distance <= size] = value
    return LabelMap(voxels, GRID, COMPLETE)


def test_a_disc_becomes_a_ball():
    """The middle section is the slice's lesion, the volume that of a ball, and spacing across is that within."""
    made = inflated(disc())
    middle = made.voxels.shape[0] // 2
    ball = 4 / 3 * np.pi * 24.0**3 / 1000

    np.testing.assert_array_equal(made.voxels[middle], np.where(disc().lesion[0], disc().voxels[0], 0))
    assert made.geometry.spacing == (2.0, 2.0, 2.0)
    assert abs(made.volume_ml("WT") / ball - 1) < 0.12
    assert made.volume_ml("WT") > made.volume_ml("TC") > made.volume_ml("necrotic_core") > 0
    np.testing.assert_array_equal(made.voxels, made.voxels[::-1])


def test_volumes_and_slices_without_lesion():
    """A volume is passed on; without lesion there is nothing to inflate."""
    volume = toy_case(1).labels
    bare = disc().with_voxels(np.full((1, 41, 41), 4, dtype=np.uint8))

    assert inflated(volume) is volume
    assert not inflated(bare).voxels.any()


def test_lesions_from_noise_are_nobodys():
    """A drawn lesion stays in the bank for a host whom its sampler has learned from, and names its subjects."""
    case = toy_case(1)
    sampled = replace(case, lineage=Lineage.synthetic("label_vae", {}, seed=1, generator_subjects=["s05"]))
    made = cohort_of_cases([sampled])
    refs = tuple(replace(ref, lineage=sampled.lineage, labels=None, reader=Held(sampled)) for ref in made)
    bank, real = LesionBank.of(refs), LesionBank.of(cohort_of_cases([case]))

    assert len(bank.without(["s05", "s01"])) == 1
    assert len(real.without(["s01"])) == 0
    assert bank.donors[0].subjects == ("s05",)
