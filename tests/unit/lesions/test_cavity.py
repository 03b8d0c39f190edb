"""Promises about a resection cavity: it is part of the lesion, and moves, turns and grows with it."""

import numpy as np
import pytest

from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE_CAVITY
from glioforge.lesions.base import EDITS, Edit
from glioforge.lesions.graft import Graft
from glioforge.lesions.mass_effect import MassEffectSpec, push_mm
from glioforge.lesions.patch import CAVITY, cut
from toy_brain import toy_bank, toy_brain


def operated(**changes):
    """A toy brain one half of whose core was taken out: the cavity borders on core and oedema."""
    brain = toy_brain(**changes)
    core = np.isin(brain.voxels, (1, 3))
    half = np.indices(brain.voxels.shape)[0] < np.nonzero(core)[0].mean()
    return LabelMap(np.where(core & half, np.uint8(CAVITY), brain.voxels), brain.geometry, COMPLETE_CAVITY)


BRAIN = operated()


def changed(kind, donors=None, **settings):
    """The map after an edit drawn with a fixed seed."""
    spec = EDITS.parse({"kind": kind, **settings})
    edit = Edit(spec, donors)
    return edit.apply(BRAIN, edit.draw(BRAIN, np.random.default_rng(1)))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("translate", {"distance_mm": (8, 20)}),
        ("rotate", {"angle_deg": (20, 60), "most_shift_mm": 40.0}),
        ("mirror", {"most_shift_mm": 40.0}),
        ("deform", {"amplitude_mm": (2, 4), "most_shift_mm": 40.0}),
        ("scale", {"volume_factor": (0.6, 0.6), "mass_effect": None}),
        ("scale", {"volume_factor": (1.5, 1.5), "mass_effect": None}),
    ],
)
def test_every_edit_takes_the_cavity_along(kind, settings):
    """With its share of the lesion, beside what is left of the core; nothing of it stays behind."""
    after = changed(kind, **settings)
    factor = settings.get("volume_factor", (1, 1))[0]
    before, now = cut(BRAIN).counts, cut(after).counts

    assert not np.array_equal(after.voxels, BRAIN.voxels)
    assert now == pytest.approx([factor * n for n in before], rel=0.02, abs=1)
    assert after.region("RC").sum() == now[3]


def test_a_lesion_with_a_cavity_is_restored_from_its_distances():
    """To the voxel."""
    lesion = cut(BRAIN)

    assert np.array_equal(Graft.of(lesion).free().voxels, lesion.voxels)


def test_a_cavity_is_removed_and_transplanted_with_the_lesion():
    """What is left is tissue; what comes in has the donor's cavity."""
    removed = changed("remove")
    given = changed("transplant", donors=(toy_bank(operated(radii=(18.0, 12.0, 6.0)))), most_shift_mm=60.0)

    assert not removed.lesion.any()
    assert not (removed.voxels == CAVITY).any()
    assert given.region("RC").any()


def test_changes_of_a_subregion_leave_the_cavity():
    """Oedema grows about it; the edit `cavity` paints the label where the scheme has one."""
    wider = changed("resize_subregion", subregion="oedema", factor=(1.5, 1.5))
    hollow = changed("resize_subregion", subregion="cavity", factor=(1.5, 1.5))

    assert np.array_equal(wider.region("RC"), BRAIN.region("RC"))
    assert wider.region("oedema").sum() == round(1.5 * BRAIN.region("oedema").sum())
    assert hollow.region("RC").sum() > BRAIN.region("RC").sum()
    assert np.array_equal(hollow.region("csf"), BRAIN.region("csf"))


def test_a_cavity_is_no_mass():
    """It pushes less than the tumour that was there."""
    lesion, spec = cut(toy_brain()), MassEffectSpec()
    tissue = np.full(lesion.voxels.shape, 4, dtype=np.uint8)

    assert push_mm(cut(BRAIN), tissue, spec) < push_mm(lesion, tissue, spec)
