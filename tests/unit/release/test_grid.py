"""Tests of `release.export`: prepared cases return to the scan's grid."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.data.preparation.resample import plan_of
from glioforge.release.export import on_scan_grid
from toy_release import prepared, scan


def test_moved_voxels_come_back_exactly():
    """Images, labels and brain lie where they came from, bit for bit, and 0 lies around them."""
    case = prepared(1)
    back, plan = on_scan_grid(case), plan_of(case)

    assert back.geometry == plan.source
    for modality, volume in case.images.items():
        assert np.array_equal(plan.moved(back.images[modality].voxels), np.where(case.brain, volume.voxels, 0))
    assert np.array_equal(plan.moved(back.labels.voxels), case.labels.voxels)
    assert np.array_equal(plan.moved(back.brain), case.brain)
    assert back.brain.sum() == case.brain.sum()


def test_resampled_images_keep_their_level_up_to_the_rim():
    """A flat brain stays flat: no background blurs into it."""
    case = prepared(1, factor=2.0)
    flat = {m: replace(v, voxels=case.brain.astype(np.float32) * 3) for m, v in case.images.items()}
    back = on_scan_grid(replace(case, images=flat))

    for volume in back.images.values():
        assert volume.voxels[back.brain] == pytest.approx(3, abs=1e-4)
        assert not volume.voxels[~back.brain].any()
    assert back.labels.volume_ml("WT") == pytest.approx(case.labels.volume_ml("WT"), rel=0.1)


def test_cases_that_were_never_prepared_stay_as_they_are():
    """Scans, edited maps and synthetic cases."""
    case = scan(1)

    assert on_scan_grid(case) is case


def test_a_case_without_brain_mask_or_labels_comes_back_too():
    """What it lacks is not made."""
    back = on_scan_grid(replace(prepared(1), brain=None, labels=None))

    assert back.brain is None
    assert back.labels is None
