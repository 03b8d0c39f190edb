"""Outlines over scans: which cases are shown, in which colours, on which slice, whatever the grid's order."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023, TUMOUR
from glioforge.core.volume import Modality
from glioforge.io.tables import ResultRow
from glioforge.report import overlays
from glioforge.report.overlays import (
    PREDICTION,
    TRUTH,
    Overlay,
    extreme_cases,
    outline_legend,
    overlay_figure,
    upright,
)
from glioforge.report.page import PNG_SIGNATURE
from glioforge.report.scores import ResultTable
from toy_cohort import toy_case

REGIONS = ("WT", "TC")
CASE = toy_case(1)
LABELS = CASE.require_labels().to(BRATS2023)


def rows_of(dices):
    """Dice of each case in two regions, and one under another seed that must not count."""
    rows = [
        ResultRow("toy", "masks", 0, 0, case, case, region, "dice", value + shift, "1")
        for case, value in dices.items()
        for region, shift in (("WT", 0.1), ("TC", -0.1))
    ]
    return ResultTable([*rows, *(replace(row, seed=1, value=1 - row.value) for row in rows)])


@pytest.mark.parametrize(
    ("dices", "expected"),
    [
        ({"a": 0.5, "b": 0.9, "c": 0.1}, [("best", "b"), ("median", "a"), ("worst", "c")]),
        ({"a": 0.5, "b": 0.5}, [("best", "a"), ("worst", "b")]),
        ({"a": 0.5}, [("best", "a")]),
        ({}, []),
    ],
)
def test_best_median_and_worst_are_told_by_the_mean_over_regions(dices, expected):
    """Under the first seed; equal ones in the order of their names."""
    assert [shown[:2] for shown in extreme_cases(rows_of(dices), "masks", REGIONS)] == expected


def test_texts_tell_the_dice_of_each_region():
    """Of this case and seed alone."""
    (_, case_id, texts), _ = extreme_cases(rows_of({"a": 0.4, "b": 0.5}), "masks", REGIONS)

    assert (case_id, texts) == ("b", {"WT": "WT Dice 0.600", "TC": "TC Dice 0.400"})


def shown(overlay, monkeypatch):
    """The pictures that an overlay asks to be drawn."""
    caught = []
    drawn = overlays.picture_grid
    monkeypatch.setattr(
        overlays, "picture_grid", lambda rows, *_, **__: caught.extend(rows) or drawn(rows[:1], REGIONS)
    )
    overlay_figure(overlay, REGIONS)
    assert [name for name, _ in caught] == ["axial", "coronal", "sagittal"]
    return caught[0][1]


def test_truth_and_prediction_are_outlined_in_their_colours(monkeypatch):
    """WT lies on FLAIR; TC needs T1ce, and takes what there is without it."""
    empty = LABELS.with_voxels(np.zeros_like(LABELS.voxels))
    both, missed = (
        shown(Overlay("best", CASE.images, LABELS, mask, {"WT": "WT Dice 1"}), monkeypatch) for mask in (LABELS, empty)
    )

    assert [outline.colour for outline in both[0].outlines] == [TRUTH, PREDICTION]
    assert [outline.colour for outline in missed[0].outlines] == [TRUTH]
    assert (both[0].text, both[1].text) == ("WT Dice 1, FLAIR", "TC, T1")


def test_a_false_alarm_is_shown_where_it_is_largest(monkeypatch):
    """Without a true lesion, the slice is that of the prediction."""
    voxels = np.zeros_like(LABELS.voxels)
    voxels[3:6, 3:6, 9] = 2
    truth = LABELS.with_voxels(np.zeros_like(voxels))

    whole, core = shown(Overlay("x", CASE.images, truth, LABELS.with_voxels(voxels), {}), monkeypatch)

    assert [outline.mask.sum() for outline in whole.outlines] == [9]
    assert core.outlines == ()


def test_the_order_of_the_grid_does_not_matter(monkeypatch):
    """The same head stored left to right or right to left gives the same picture."""
    axes, flips = (1, 0, 2), (True, False, True)
    geometry = LABELS.geometry.permuted(axes, flips)

    def turned(voxels):
        return np.ascontiguousarray(np.flip(np.transpose(voxels, axes), (0, 2)))

    labels = LabelMap(turned(LABELS.voxels), geometry, BRATS2023)
    images = {m: replace(v, voxels=turned(v.voxels), geometry=geometry) for m, v in CASE.images.items()}

    first = shown(Overlay("x", CASE.images, LABELS, LABELS, {}), monkeypatch)[0]
    second = shown(Overlay("x", images, labels, labels, {}), monkeypatch)[0]

    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(upright(labels.voxels, geometry), LABELS.voxels)


def test_without_images_or_known_regions_outlines_stand_on_grey(monkeypatch):
    """A scheme that does not name the core has no outline of it."""
    tumour = LabelMap((LABELS.voxels > 0).astype(np.uint8), LABELS.geometry, TUMOUR)

    whole, core = shown(Overlay("x", {}, LABELS, tumour, {}), monkeypatch)

    assert [outline.colour for outline in whole.outlines] == [TRUTH, PREDICTION]
    assert TRUTH in [outline.colour for outline in core.outlines]
    assert len(np.unique(whole.pixels)) == 1


def test_nothing_anywhere_is_the_middle_slice(monkeypatch):
    """No image, no lesion: the whole slice in grey."""
    nothing = LabelMap(np.zeros((4, 5, 3), np.uint8), Geometry.isotropic((4, 5, 3)), BRATS2023)

    assert shown(Overlay("x", {}, nothing, nothing, {}), monkeypatch)[0].pixels.shape == (5, 4, 3)


def test_grid_and_legend_are_pictures():
    """The same bytes each time."""
    overlay = Overlay("best", {Modality.FLAIR: CASE.images[Modality.FLAIR]}, LABELS, LABELS, {})

    figure = overlay_figure(overlay, REGIONS)
    assert figure == overlay_figure(overlay, REGIONS)
    assert figure.caption.startswith("best. Slices with the largest true lesion")
    assert outline_legend().png.startswith(PNG_SIGNATURE)
