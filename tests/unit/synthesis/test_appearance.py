"""Promises of the styles measured on training subjects."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.synthesis.appearance import Appearance, class_indices
from toy_cohort import MEANS, toy_case

CONTRASTS = (Modality.T1, Modality.FLAIR)


@pytest.fixture(scope="module")
def appearance():
    """Three toy subjects."""
    return Appearance.of([toy_case(seed) for seed in (1, 2, 3)], CONTRASTS, COMPLETE)


def test_means_and_deviations_are_those_of_the_voxels(appearance):
    """Close to what the toys were painted with; background is 0."""
    expected = np.array([MEANS[m] for m in CONTRASTS]).T
    assert np.abs(appearance.means - expected)[:, 4:].max() < 0.5
    assert np.abs(appearance.deviations[:, 4:] - 0.5).max() < 0.15
    assert not appearance.means[:, 0].any()


def test_absent_classes_look_as_in_the_average_case():
    """A subject without a class takes the others' mean; one that nobody has is 0."""
    case = toy_case(1)
    healthy = np.where(np.isin(case.labels.voxels, (1, 2, 3)), 4, case.labels.voxels).astype(np.uint8)
    without = replace(case, labels=case.labels.with_voxels(healthy), case_id="h")
    both = Appearance.of([toy_case(2), without], CONTRASTS, COMPLETE)
    assert np.isnan(both.means[1, 2]).all()
    assert np.array_equal(both.own(1).means[2], both.own(0).means[2])
    assert not Appearance.of([without], CONTRASTS, COMPLETE).own(0).means[2].any()


def test_a_missing_contrast_looks_as_in_the_other_cases():
    """The contrast that a case has is its own; arrays keep the gap."""
    case = toy_case(1)
    bare = replace(case, images={Modality.T1: case.images[Modality.T1]}, case_id="b")
    mixed = Appearance.of([toy_case(2), bare], CONTRASTS, COMPLETE)
    assert np.isnan(mixed.means[1, 1:, 1]).all()
    assert np.array_equal(mixed.own(1).means[:, 1], mixed.own(0).means[:, 1])
    assert np.array_equal(mixed.own(1).means[:, 0], Appearance.of([case], CONTRASTS, COMPLETE).own(0).means[:, 0])
    assert np.isfinite(mixed.draw(stream(1), 1.0).means).all()
    again = Appearance.from_arrays(mixed.to_arrays())
    assert np.array_equal(again.means, mixed.means, equal_nan=True)


def test_drawn_styles_lie_between_subjects_and_repeat_with_the_seed(appearance):
    """Without jitter a drawn mean is within the subjects' range; draws differ."""
    drawn = [appearance.draw(stream(seed), jitter=0.0).means for seed in range(20)]
    low, high = appearance.means.min(axis=0) - 1e-9, appearance.means.max(axis=0) + 1e-9
    assert all(((low <= d) & (d <= high)).all() for d in drawn)
    assert np.array_equal(drawn[3], appearance.draw(stream(3), jitter=0.0).means)
    assert len({d.tobytes() for d in drawn}) > 10
    assert np.abs(appearance.draw(stream(3), jitter=1.0).means - drawn[3])[1:].min() > 0


def test_arrays_come_back(appearance):
    """Also where a class is absent."""
    appearance.means[0, 1] = appearance.deviations[0, 1] = np.nan
    again = Appearance.from_arrays(appearance.to_arrays())
    assert np.array_equal(again.means, appearance.means, equal_nan=True)
    assert np.array_equal(again.deviations, appearance.deviations, equal_nan=True)


def test_class_places_follow_the_scheme():
    """Rank of the integer, not the integer."""
    from glioforge.core.schemes import BRATS2017

    assert class_indices(np.array([0, 4, 2], np.uint8), BRATS2017).tolist() == [0, 3, 2]


def test_the_order_in_which_a_scheme_lists_its_names_changes_nothing():
    """A scheme that went through a file with sorted keys is equal, and gives equal classes and means."""
    listed = replace(COMPLETE, labels=dict(sorted(COMPLETE.labels.items())))
    assert listed == COMPLETE
    assert list(listed.labels) != list(COMPLETE.labels)
    voxels = np.arange(7, dtype=np.uint8)
    assert np.array_equal(class_indices(voxels, listed), class_indices(voxels, COMPLETE))
    means = [Appearance.of([toy_case(1)], CONTRASTS, scheme).means for scheme in (COMPLETE, listed)]
    assert np.array_equal(*means)
