"""Overlap over all classes of a map."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import BRATS2023, GUO2020, LabelMap, SpecError
from glioforge.metrics.class_overlap import ClassOverlap
from toy_cohort import toy_labels


def test_a_map_agrees_with_itself():
    """In every class, and over all of them."""
    truth = toy_labels(1)
    found = ClassOverlap(truth, truth)

    assert found.mean() == found.weighted({"background": 1.0, "oedema": 3.0}) == 1.0


def test_classes_are_counted_as_by_hand():
    """Half of the oedema found, all else background: weights decide how much that costs."""
    truth = toy_labels(2).to(BRATS2023)
    only = np.where(truth.voxels == 2, 2, 0).astype(np.uint8)
    truth = LabelMap(only, truth.geometry, BRATS2023)
    places = np.argwhere(only == 2)
    half = only.copy()
    half[tuple(places[: len(places) // 2].T)] = 0
    count, kept = len(places), len(places) - len(places) // 2
    found = ClassOverlap(replace(truth, voxels=half), truth)
    outside = truth.voxels.size - count

    dice = 2 * kept / (count + kept)
    rest = 2 * outside / (outside + truth.voxels.size - kept)
    assert found.by_class()["oedema"] == pytest.approx(dice)
    assert np.isnan(found.by_class()["enhancing"])
    assert found.mean() == pytest.approx((dice + rest) / 2)
    assert found.weighted({"oedema": 1.0}) == pytest.approx(dice)
    assert dice < found.weighted({"oedema": 5.0, "background": 1.0}) < rest


def test_maps_of_two_schemes_are_refused():
    """Their integers mean different things."""
    truth = toy_labels(1)
    with pytest.raises(SpecError, match="one scheme for both"):
        ClassOverlap(truth.to(GUO2020), truth)
