"""Tests of `metrics.borders`: bands drawn by hand, values worked out by hand, what is refused."""

import numpy as np
import pytest

from glioforge.core.errors import CaseError, GeometryError, LabelError, SpecError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.metrics.base import ImagePair
from glioforge.metrics.borders import BORDERS, border_band, border_mae, border_sharpness, borders, compare_borders

GREY, WHITE = (COMPLETE.value(name) for name in ("grey_matter", "white_matter"))
OEDEMA = COMPLETE.value("oedema")


def label_map(voxels, spacing=(1.0, 1.0, 1.0), scheme=COMPLETE):
    """Map of these voxels."""
    values = np.asarray(voxels, dtype=np.uint8)
    return LabelMap(values, Geometry(values.shape, np.diag([*spacing, 1.0])), scheme)


def row_of_voxels(*values, spacing=(1.0, 1.0, 1.0)):
    """Map of one line along the last axis."""
    return label_map([[values]], spacing)


LINE = row_of_voxels(0, GREY, GREY, GREY, OEDEMA, OEDEMA, WHITE, WHITE, WHITE, 0)


def test_the_band_lies_on_both_sides_of_each_border_and_not_at_the_surface_of_the_brain():
    """One voxel and two on either side, by hand; the first and last brain voxels border background alone."""
    one, two = (border_band(LINE, voxels=n)[0, 0].astype(int).tolist() for n in (1, 2))
    assert one == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert two == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]


def test_steps_go_through_faces():
    """A voxel that touches another class by an edge alone has it two steps away."""
    voxels = np.full((3, 3, 1), GREY)
    voxels[1, 1] = OEDEMA
    assert border_band(label_map(voxels))[:, :, 0].astype(int).tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert border_band(label_map(voxels), voxels=2).all()


def test_the_lesion_has_its_outer_and_its_inner_borders_and_no_others():
    """Grey against white matter does not count there."""
    core = COMPLETE.value("necrotic_core")
    labels = row_of_voxels(WHITE, GREY, GREY, OEDEMA, OEDEMA, OEDEMA, core, GREY, WHITE)
    assert border_band(labels, lesion=True)[0, 0].astype(int).tolist() == [0, 0, 1, 1, 0, 1, 1, 1, 0]
    assert border_band(labels)[0, 0].astype(int).tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]


def test_a_map_of_one_class_or_without_a_lesion_has_no_band_and_no_rows():
    """Nothing is compared where there is nothing."""
    image = np.ones((1, 1, 3), dtype=np.float32)
    assert not border_band(row_of_voxels(GREY, GREY, GREY)).any()
    assert not border_band(row_of_voxels(0, 0, 0)).any()
    assert compare_borders(image, image, row_of_voxels(GREY, GREY, GREY)) == []
    assert {row.region for row in compare_borders(image, image, row_of_voxels(GREY, WHITE, GREY))} == {"brain"}


def test_a_map_of_the_tumour_alone_needs_a_brain_mask():
    """With it, the band has brain on its outer side; without, there is none to look in."""
    labels = label_map([[[0, 0, 0, BRATS2023.value("oedema"), 0]]], scheme=BRATS2023)
    brain = np.array([[[False, True, True, True, True]]])
    assert border_band(labels, lesion=True, brain=brain)[0, 0].astype(int).tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(LabelError, match="names no normal tissue.*give `brain`"):
        border_band(labels)


def test_errors_and_gradients_by_hand():
    """Band 3 to 6 of the line: errors 1, 2, 3, 4 and steps 2, 4, 6 against 1, 2, 3."""
    real = np.array([[[50, 0, 0, 0, 1, 3, 6, 6, 6, -50]]], dtype=np.float32)
    made = np.array([[[0, 90, 90, 1, 3, 7, 13, 90, 90, 0]]], dtype=np.float32)
    made[0, 0, 3:7] = real[0, 0, 3:7] * 2
    found = {(row.region, row.metric): row.value for row in compare_borders(made, real, LINE)}
    assert found["brain", "border_mae"] == pytest.approx((0 + 1 + 3 + 6) / 4)
    assert found["brain", "border_sharpness"] == pytest.approx(2)
    assert found["lesion", "border_mae"] == found["brain", "border_mae"], "all borders of the line are the lesion's"
    flat = compare_borders(np.ones_like(real), np.zeros_like(real), LINE)
    assert [row.value for row in flat if row.region == "brain"] == [1, 1], "an offset of 1, and no gradient anywhere"


def test_gradients_are_in_a_mm_and_axes_add():
    """Two axes: 3 in a voxel of 1 mm and 4 in one of 2 mm make 5 in a mm, against 1 + 2 / 2."""
    i, j, _ = np.indices((4, 4, 1)).astype(np.float32)
    band = np.ones((4, 4, 1), dtype=bool)
    pair = ImagePair(3 * i + 4 * j, i + 2 * j, band, 10.0)
    assert border_sharpness(pair, (1.0, 2.0, 1.0)) == pytest.approx(5 / 2)
    assert borders((1.0, 2.0, 1.0))[1].function(pair) == pytest.approx(5 / 2)
    assert BORDERS[1].function(pair) == pytest.approx(7 / 3)


def test_only_the_band_counts_and_a_blur_lowers_the_sharpness():
    """Values elsewhere change nothing; a smeared border is found."""
    voxels = np.full((12, 12, 12), GREY)
    voxels[4:8, 4:8, 4:8] = OEDEMA
    labels = label_map(voxels)
    real = np.where(voxels == OEDEMA, 2, 0).astype(np.float32)
    blurred = (real + np.roll(real, 1, 0) + np.roll(real, -1, 0)) / 3
    spoilt = np.where(border_band(labels), blurred, 99).astype(np.float32)
    first, second = (compare_borders(image, real, labels) for image in (blurred, spoilt))
    assert first == second
    values = {row.metric: row.value for row in first if row.region == "lesion"}
    assert values["border_mae"] > 0.1
    assert values["border_sharpness"] < 0.9


def test_what_does_not_fit_is_refused():
    """Messages say what was found and expected."""
    image = np.zeros((1, 1, 10), dtype=np.float32)
    with pytest.raises(SpecError, match="a band of 0 voxels.*at least 1"):
        border_band(LINE, voxels=0)
    with pytest.raises(GeometryError, match="brain mask of shape"):
        border_band(LINE, brain=np.ones((2, 2, 2), dtype=bool))
    with pytest.raises(GeometryError, match=r"of shapes .*one shape"):
        compare_borders(image, image[..., :5], LINE)
    with pytest.raises(CaseError, match="an empty mask"):
        border_mae(ImagePair(image, image, np.zeros(image.shape, dtype=bool), 10.0))
