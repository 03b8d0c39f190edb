"""What single edits promise beyond the laws of all edits."""

import numpy as np
import pytest

from glioforge.core.errors import EditError
from glioforge.core.protocols import EditRecord
from glioforge.lesions.bank import LesionBank, canonical, fitted
from glioforge.lesions.base import EDITS, Edit
from glioforge.lesions.patch import cut
from toy_brain import toy_bank, toy_brain

BRAIN = toy_brain((3.0, 3.0, 3.0))


def built(kind, donors=None, **values):
    """An edit with these settings."""
    spec = EDITS.parse({"kind": kind, **values})
    return Edit(spec, donors)


def changed(edit, labels=BRAIN, seed=0):
    """The map after one draw of an edit."""
    return edit.apply(labels, edit.draw(labels, np.random.default_rng(seed)))


def test_more_necrosis_leaves_the_outline():
    """Twice the necrosis, the same core."""
    after = changed(built("resize_subregion", subregion="necrotic_core", factor=(2, 2)))

    assert after.volume_ml("necrotic_core") == pytest.approx(2 * BRAIN.volume_ml("necrotic_core"), rel=0.02)
    assert np.array_equal(after.region("TC"), BRAIN.region("TC"))


def test_a_thinner_rim_stays_outside():
    """Half the rim: what is left of it is the outer half."""
    after = changed(built("resize_subregion", subregion="enhancing", factor=(0.5, 0.5)))

    assert after.volume_ml("ET") == pytest.approx(0.5 * BRAIN.volume_ml("ET"), rel=0.02)
    assert np.array_equal(after.region("TC"), BRAIN.region("TC"))
    assert not (BRAIN.region("necrotic_core") & after.region("ET")).any()


def test_wider_oedema_leaves_the_core():
    """The core keeps every label."""
    after = changed(built("resize_subregion", subregion="oedema", factor=(1.7, 1.7)))

    assert after.volume_ml("oedema") == pytest.approx(1.7 * BRAIN.volume_ml("oedema"), rel=0.02)
    assert np.array_equal(after.region("ET"), BRAIN.region("ET"))


def test_a_cavity_is_fluid_within_the_core():
    """Its share of the core, surrounded by tumour."""
    after = changed(built("resize_subregion", subregion="cavity", factor=(1.3, 1.3)))
    cavity = (after.voxels == 6) & BRAIN.lesion

    assert cavity.sum() == pytest.approx(0.3 * BRAIN.region("TC").sum(), rel=0.02)
    assert not (cavity & ~BRAIN.region("TC")).any()


def test_necrosis_can_grow_from_nothing_under_a_thin_rim():
    """A core without necrosis gets it where it is deepest."""
    solid = BRAIN.with_voxels(np.where(BRAIN.voxels == 1, 3, BRAIN.voxels).astype(np.uint8))
    after = changed(built("resize_subregion", subregion="enhancing", factor=(0.8, 0.8)), solid)

    assert after.region("necrotic_core").sum() == pytest.approx(0.2 * solid.region("TC").sum(), rel=0.05)
    assert BRAIN.region("TC")[after.region("necrotic_core")].all()


def test_absent_subregions_and_impossible_ranges_are_refused():
    """Nothing to change, or too much."""
    solid = BRAIN.with_voxels(np.where(BRAIN.lesion, 2, BRAIN.voxels).astype(np.uint8))
    with pytest.raises(EditError, match="a lesion without necrotic_core"):
        changed(built("resize_subregion"), solid)
    with pytest.raises(EditError, match=r"factors 1.0 to 9.0; expected a rising range within 0 to 4"):
        changed(built("resize_subregion", factor=(1, 9)))
    with pytest.raises(EditError, match="within 1 to 1.9"):
        changed(built("resize_subregion", subregion="cavity", factor=(0.5, 1.2)))
    with pytest.raises(EditError, match="volume factors 2.0 to 1.0"):
        changed(built("scale", volume_factor=(2, 1)))


def test_a_lesion_does_not_outgrow_its_brain():
    """Eightfold growth of a large tumour breaks a rule, and the error says which."""
    large = toy_brain(centre=(0.3, 0.5, 0.6), radii=(40.0, 30.0, 12.0))
    with pytest.raises(EditError, match=r"no valid size in 3 tries, at the last \d+% of the lesion lies"):
        changed(built("scale", volume_factor=(8, 8), placement={"attempts": 3}), large)
    solid = toy_brain(centre=(0.5, 0.5, 0.5), radii=(66.0, 30.0, 12.0))
    lesion = Edit.of_kind("scale")
    record = lesion.draw(solid, np.random.default_rng(0))
    with pytest.raises(EditError, match="ask for a smaller lesion"):
        lesion.apply(solid, EditRecord("scale", {**record.values, "volume_factor": 8.0}))


def test_a_mirrored_lesion_lies_on_the_other_side():
    """Left becomes right at the same height."""
    after = changed(built("mirror"))
    before, there = np.array(cut(BRAIN).centre), np.array(cut(after).centre)

    assert (before[0] < 24) != (there[0] < 24)
    assert np.allclose(before[1:], there[1:], atol=2)


def test_removal_leaves_no_lesion():
    """And a brain as large as before."""
    after = changed(built("remove"))

    assert not after.lesion.any()
    assert np.array_equal(after.voxels > 0, BRAIN.voxels > 0)


def test_left_stays_left_on_a_grid_stored_the_other_way_round():
    """A donor of one orientation fits a target of another; the labels are the same in the world."""
    here, there = toy_brain(), toy_brain(orientation=(-1, -1, 1))
    lesion = cut(here)
    back = fitted(canonical(lesion, here.geometry), there.geometry)

    assert np.array_equal(back.voxels, cut(there).voxels)
    assert np.array_equal(fitted(canonical(lesion, here.geometry), here.geometry).voxels, lesion.voxels)


def test_transplanted_lesions_go_where_they_are_asked_to():
    """Near the old one, or anywhere; the donor comes from the bank, at its own volume."""
    bank = toy_bank()
    labels = toy_brain((3.0, 3.0, 3.0), radii=(16.0, 11.0, 6.0))
    near = changed(built("transplant", bank, most_shift_mm=18), labels)
    away = changed(built("transplant", bank, place="anywhere"), labels, seed=3)
    shift = (np.array(cut(near).centre) - np.array(cut(labels).centre)) * 3

    assert np.linalg.norm(shift) < 24
    assert min(abs(away.volume_ml("WT") - d.lesion.volume_mm3 / 1000) for d in bank.donors) < 0.1


def test_donors_must_be_there_and_unchanged():
    """No bank, an empty bank, another bank, a bank that does not fit."""
    edit = built("insert", toy_bank())
    record = edit.draw(BRAIN, np.random.default_rng(0))
    with pytest.raises(EditError, match="no donor lesions"):
        built("insert").apply(BRAIN, record)
    with pytest.raises(EditError, match="no donor lesions"):
        built("insert", LesionBank(())).draw(BRAIN, np.random.default_rng(0))
    other = toy_bank(toy_brain(radii=(9.0, 6.0, 3.0)), toy_brain(radii=(8.0, 6.0, 3.0)))
    with pytest.raises(EditError, match="hand in the bank that the record was drawn from"):
        built("insert", other).apply(BRAIN, record)
    huge = toy_bank(toy_brain(centre=(0.5, 0.5, 0.5), radii=(60.0, 30.0, 9.0)))
    with pytest.raises(EditError, match="none of 1 donors fits: no valid place"):
        built("insert", huge).draw(BRAIN, np.random.default_rng(0))


def test_a_healthy_brain_takes_an_insertion_whatever_part_is_asked_for():
    """There is no part to choose from, and none is needed."""
    healthy = toy_brain((3.0, 3.0, 3.0), centre=None)
    for part in ("largest", "random"):
        assert changed(built("insert", toy_bank(), part=part), healthy).lesion.any()
