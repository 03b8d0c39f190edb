"""Slices as pictures."""

import io

import numpy as np
import pytest

from glioforge.core.errors import GeometryError, OutputError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.report.page import PNG_SIGNATURE
from glioforge.report.slices import (
    PLANES,
    Outline,
    Picture,
    as_seen,
    best_slice,
    case_pictures,
    grey,
    label_colours,
    label_rgb,
    legend,
    picture_grid,
    region_outlines,
    seen_from,
    shared_slice,
    window_of,
)
from toy_cohort import toy_case

CASE = toy_case(1)
LABELS = CASE.labels


def pixels(png):
    """Pixels of a PNG file."""
    from matplotlib.image import imread

    assert png.startswith(PNG_SIGNATURE)
    return imread(io.BytesIO(png))


def test_patients_left_is_on_the_right_and_anterior_is_up():
    """A mark at the patient's left front lands in the upper right corner."""
    slice_ = np.zeros((5, 7), dtype=np.uint8)
    slice_[0, 6] = 1  # i runs to the right, j to the front
    picture = as_seen(slice_)

    assert picture.shape == (7, 5)
    assert np.argwhere(picture).tolist() == [[0, 4]]


def test_best_slice_shows_the_largest_lesion():
    """The slice is that of the largest lesion area, along each axis."""
    for axis in range(3):
        areas = LABELS.lesion.sum(axis=tuple(a for a in range(3) if a != axis))
        assert areas[best_slice(LABELS, axis)] == areas.max()


def test_best_slice_without_lesion_shows_the_brain():
    """Without lesion the largest brain slice is taken, without brain the middle one."""
    healthy = LABELS.with_voxels(np.where(LABELS.lesion, 4, LABELS.voxels).astype(np.uint8))
    areas = (healthy.voxels > 0).sum(axis=(0, 1))

    assert areas[best_slice(healthy)] == areas.max()
    assert best_slice(LABELS.with_voxels(np.zeros_like(LABELS.voxels))) == 6


def test_labels_have_the_colours_of_their_scheme():
    """Each label is painted in its own colour and background black."""
    k = best_slice(LABELS)
    picture = label_rgb(LABELS.voxels[:, :, k], COMPLETE)
    enhancing = as_seen(LABELS.region("enhancing")[:, :, k])

    assert {tuple(c) for c in picture[enhancing].tolist()} == {COMPLETE.colours["enhancing"]}
    assert not picture[as_seen(LABELS.voxels[:, :, k] == 0)].any()


def test_grey_window_spans_the_brain():
    """Black outside the brain, brighter inside, white at the window's upper end."""
    image = np.array([[0.0, 1.0], [2.0, 9.0]])
    picture = grey(image, np.array([[False, True], [True, True]]), (1.0, 2.0))

    assert as_seen(np.array([[0, 25], [255, 255]])).tolist() == picture[:, :, 0].tolist()
    assert grey(image, window=(0.0, 9.0))[:, :, 0].max() == 255


def test_windows_of_flat_and_absent_brains():
    """A flat image and a brain of no voxels have a window that can be divided by."""
    assert window_of(np.full((3, 3), 2.0), np.ones((3, 3), dtype=bool)) == (2.0, 3.0)
    assert window_of(np.zeros((3, 3)), np.zeros((3, 3), dtype=bool)) == (0.0, 1.0)


def test_outlines_are_those_of_what_is_there():
    """Absent labels have no outline; regions may be named."""
    k = best_slice(LABELS)

    assert len(region_outlines(LABELS.voxels[:, :, k], COMPLETE)) == 3
    assert len(region_outlines(LABELS.voxels[:, :, k], COMPLETE, ["WT"])) == 1
    assert region_outlines(LABELS.voxels[:, :, 0], COMPLETE) == ()


def test_a_case_gives_labels_and_every_contrast():
    """Labels come first, then each contrast, outlined where asked."""
    plain = case_pictures(LABELS, CASE.images, 6)
    outlined = case_pictures(LABELS, CASE.images, 6, outlined=["WT"])

    assert len(plain) == 1 + len(CASE.images)
    assert all(not p.outlines for p in plain)
    assert [len(p.outlines) for p in outlined] == [0, 1, 1]


def test_pictures_keep_the_windows_given():
    """A window given for a contrast is used in place of its own."""
    modality = next(iter(CASE.images))
    dark = case_pictures(LABELS, CASE.images, 6, {modality: (50.0, 60.0)})[1]

    assert set(np.unique(dark.pixels).tolist()) == {0, 25}


def test_other_orders_of_axes_are_refused():
    """A volume whose left would be shown on the wrong side is refused."""
    flipped = Geometry(LABELS.geometry.shape, np.diag([-1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(GeometryError, match="slice 6 of a volume in LAS order .*expected a slice of a RAS volume"):
        case_pictures(LabelMap(LABELS.voxels, flipped, COMPLETE), {}, 6)
    with pytest.raises(GeometryError, match="slice 99 of a volume in RAS order with 12 slices"):
        case_pictures(LABELS, {}, 99)


@pytest.mark.parametrize(("plane", "sides"), [("axial", ("R", "L")), ("coronal", ("R", "L")), ("sagittal", ("A", "P"))])
def test_every_plane_has_its_sides(plane, sides):
    """A mark at the patient's left, front and top lands where that plane shows it."""
    voxels = np.zeros((5, 6, 7), dtype=np.uint8)
    voxels[0, 5, 6] = 1  # left, front, top
    labels = LabelMap(voxels, Geometry.isotropic(voxels.shape), COMPLETE)
    axis = PLANES[plane]
    picture = case_pictures(labels, {}, (0, 5, 6)[axis], axis=axis)[0]
    ((row, column),) = np.argwhere(picture.pixels.any(axis=2))

    assert picture.sides == sides
    assert row == 0
    assert column == (0 if plane == "sagittal" else picture.pixels.shape[1] - 1)


def test_thick_slices_have_tall_pixels():
    """Coronal and sagittal pictures of 1 x 2 x 3 mm voxels keep their shape."""
    assert seen_from(2, (1.0, 2.0, 3.0)) == (("R", "L"), 2.0)
    assert seen_from(1, (1.0, 2.0, 3.0)) == (("R", "L"), 3.0)
    assert seen_from(0, (1.0, 2.0, 3.0)) == (("A", "P"), 1.5)
    assert Picture(np.zeros((4, 8, 3), np.uint8), aspect=3.0).tallness == 1.5


def test_before_and_after_are_shown_on_one_slice():
    """The slice where both lesions are large; where no slice has both, that of the edited one; else any lesion."""
    before, after, nothing = (np.zeros((4, 4, 6), np.uint8) for _ in range(3))
    before[:2, 0, 1:4] = 1
    after[:3, 1, 3:6] = 1
    grid = Geometry.isotropic(before.shape)
    maps = [LabelMap(voxels, grid, COMPLETE) for voxels in (before, after, nothing)]

    assert shared_slice(maps[0], maps[1]) == 3
    assert shared_slice(maps[0], maps[1], axis=1) == 1
    assert shared_slice(maps[0], maps[2]) == 1


def test_grid_shows_its_pictures_where_they_belong():
    """A red picture in the second of two columns reddens the right half alone."""
    red = np.zeros((20, 20, 3), np.uint8)
    red[:, :, 0] = 255
    shown = pixels(picture_grid([("row", [Picture(np.zeros_like(red)), Picture(red, text="3 ml")])], ["one", "two"]))
    reddish = (shown[..., 0] > 0.9) & (shown[..., 1] < 0.1)
    middle = shown.shape[1] // 2

    assert reddish[:, middle:].mean() > 0.3
    assert not reddish[:, :middle].any()


def test_outlines_of_whole_or_thin_pictures_are_left_out():
    """A region that fills a picture, or a picture of one line, has no border to draw and is no error."""
    black = np.zeros((4, 4, 3), np.uint8)
    thin = np.zeros((1, 4, 3), np.uint8)
    full = Picture(black, (Outline(np.ones((4, 4), dtype=bool), (255, 0, 0)),))
    line = Picture(thin, (Outline(np.eye(1, 4, dtype=bool), (255, 0, 0)),))

    shown = pixels(picture_grid([("row", [full, line])], ["a", "b"]))
    assert not ((shown[..., 0] > 0.9) & (shown[..., 1] < 0.1)).any()


@pytest.mark.parametrize("rows", [[], [("empty", [])], [("long", [Picture(np.zeros((4, 4, 3), np.uint8))] * 3)]])
def test_a_grid_must_fit_its_columns(rows):
    """No pictures at all, or more than titles, are refused."""
    with pytest.raises(OutputError, match=r"a row of \d pictures for 2 column titles; expected 1 to as many as titles"):
        picture_grid(rows, ["one", "two"])


def test_legends_name_the_labels_of_any_scheme():
    """A scheme with fewer labels has a narrower legend; the background is left out."""
    narrow, wide = (legend(label_colours(scheme)) for scheme in (BRATS2023, COMPLETE))

    assert pixels(narrow).shape[1] < pixels(wide).shape[1]
    assert "background" not in label_colours(COMPLETE)
