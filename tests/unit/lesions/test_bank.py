"""Banks of lesions: cut from cases, described, chosen by shape, never of a subject left out."""

import numpy as np
import pytest

from glioforge.core.case import Case, CaseRef
from glioforge.core.errors import EditError
from glioforge.core.lineage import Lineage
from glioforge.lesions.bank import LesionBank
from glioforge.lesions.cutout import cut
from glioforge.lesions.midline import midsagittal_plane
from glioforge.lesions.shape import shape_of, sphericity
from toy_brain import toy_bank, toy_brain


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
    assert bank.entries[0].shape.to_json()["parts"] == 1


def test_an_unknown_donor_is_refused():
    """The message lists whom the bank has."""
    with pytest.raises(EditError, match=r"donor 'nobody'; expected one of \['donor0', 'donor1'\]"):
        toy_bank().donor("nobody")


def test_lesions_are_chosen_by_shape():
    """Bounds and names narrow the bank; none leave it."""
    bank = toy_bank()
    first, second = (e.shape for e in bank.entries)

    assert len(bank.where()) == 2
    assert bank.where(volume_ml=(first.volume_ml, 999)).case_ids == ("donor0",)
    assert bank.where(hemisphere=second.hemisphere).case_ids == ("donor1",)
    assert len(bank.where(zone="nowhere")) == 0


def test_a_sample_spreads_over_the_volumes():
    """One of each half of the ranks, reproducibly; more than there are is refused."""
    bank = toy_bank(*(toy_brain(radii=(r, r / 2, r / 4)) for r in (24.0, 12.0, 16.0, 20.0)))
    for seed in range(5):
        small, large = bank.evenly_by_volume(2, np.random.default_rng(seed)).case_ids
        assert small in {"donor1", "donor2"}
        assert large in {"donor0", "donor3"}
    with pytest.raises(EditError, match="a sample of 5 lesions; expected 1 to 4"):
        bank.evenly_by_volume(5, np.random.default_rng(0))


@pytest.mark.parametrize("orientation", [(1, 1, 1), (-1, -1, 1)])
def test_descriptors_are_those_of_the_body(orientation):
    """Side and zone are anatomical, whatever way the grid is stored."""
    labels = toy_brain((3.0, 3.0, 3.0), (0.34, 0.75, 0.66), (16.0, 11.0, 6.0), orientation)
    shape = shape_of(labels, cut(labels), midsagittal_plane(labels))

    assert shape.hemisphere == "left"
    assert shape.zone == "front-upper"
    assert shape.midline_mm == pytest.approx(0.16 * 144, abs=3)
    assert shape.necrotic_share + shape.enhancing_share + shape.oedema_share == pytest.approx(1)
    assert shape.parts == 1


def test_a_lesion_over_the_midline_is_on_both_sides():
    """Less than nine tenths on one side."""
    labels = toy_brain(centre=(0.5, 0.7, 0.7))

    assert shape_of(labels, cut(labels), midsagittal_plane(labels)).hemisphere == "both"


def test_a_ball_is_rounder_than_a_rod():
    """Sphericity of a ball is nearly 1, whatever the voxels; of nothing 0."""
    grid = np.indices((41, 41, 41)) - 20
    ball = np.linalg.norm(grid, axis=0) < 15
    flat = np.linalg.norm(np.indices((41, 41, 21)) * np.array([1, 1, 2]).reshape(3, 1, 1, 1) - 20, axis=0) < 15
    rod = np.zeros((41, 9, 9), dtype=bool)
    rod[:, 2:7, 2:7] = True

    assert sphericity(ball, (1.0, 1.0, 1.0)) > 0.97
    assert sphericity(flat, (1.0, 1.0, 2.0)) == pytest.approx(1, abs=0.06)
    assert sphericity(rod, (1.0, 1.0, 1.0)) < 0.8
    assert sphericity(np.zeros((3, 3, 3), dtype=bool), (1.0, 1.0, 1.0)) == 0
