"""Tests of `segmentation.method`: each rule by hand."""

import numpy as np
import pytest
from hypothesis import given

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023
from glioforge.segmentation.method import CleanSpec, clean
from strategies import label_maps

CORE, OEDEMA, ENHANCING = (BRATS2023.value(name) for name in ("necrotic_core", "oedema", "enhancing"))


def two_blobs():
    """A component of 27 voxels with a hollow centre and 2 enhancing voxels, and one of 8 that touches nothing."""
    voxels = np.zeros((12, 8, 8), dtype=np.uint8)
    voxels[1:4, 1:4, 1:4] = OEDEMA
    voxels[2, 2, 2] = 0
    voxels[1, 1, 1:3] = ENHANCING
    voxels[8:10, 5:7, 5:7] = CORE
    return LabelMap(voxels, Geometry.isotropic((12, 8, 8), 2.0), BRATS2023)


@given(label_maps(BRATS2023))
def test_by_default_nothing_is_changed(labels):
    """Every rule is off."""
    assert clean(labels, CleanSpec()) is labels


@pytest.mark.parametrize(("minimum", "kept"), [(64.0, 2), (64.1, 1), (26 * 8.0, 1), (26 * 8.0 + 1, 0)])
def test_components_below_a_volume_become_background(minimum, kept):
    """8 voxels of 8 mm³ are 64 mm³; the threshold itself is kept."""
    found = clean(two_blobs(), CleanSpec(minimum_tumour_mm3=minimum)).voxels
    assert [found[2, 1, 1] > 0, found[8, 5, 5] > 0] == [kept >= 1, kept == 2]


def test_the_largest_component_can_be_kept_alone():
    """The other one becomes background, the kept one does not change."""
    labels = two_blobs()
    found = clean(labels, CleanSpec(largest_only=True)).voxels
    assert not found[8:].any()
    assert np.array_equal(found[:8], labels.voxels[:8])


@pytest.mark.parametrize(("minimum", "value"), [(16.0, ENHANCING), (17.0, CORE)])
def test_a_trace_of_enhancement_becomes_core(minimum, value):
    """Two voxels of 8 mm³."""
    assert clean(two_blobs(), CleanSpec(minimum_enhancing_mm3=minimum)).voxels[1, 1, 1] == value


def test_holes_become_core():
    """Only what tumour encloses; all else stays."""
    labels = two_blobs()
    found = clean(labels, CleanSpec(fill_holes=True)).voxels
    assert found[2, 2, 2] == CORE
    assert np.count_nonzero(found != labels.voxels) == 1


@given(label_maps(BRATS2023))
def test_no_rule_adds_enhancement_or_oedema(labels):
    """Rules remove, or turn into core; the map given is left alone."""
    before = labels.voxels.copy()
    rules = CleanSpec(minimum_tumour_mm3=3, largest_only=True, minimum_enhancing_mm3=5, fill_holes=True)
    found = clean(labels, rules).voxels
    for value in (OEDEMA, ENHANCING):
        assert not ((found == value) & (before != value)).any()
    assert np.array_equal(labels.voxels, before)
