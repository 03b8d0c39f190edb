"""Contact sheets of sampled cases: slices of all contrasts, slices of a pool, and label maps."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from glioforge.core import CohortError, Geometry, Modality, Volume
from glioforge.sampling import picture_of, preview_samples
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

GRID = Geometry.isotropic((8, 1, 6), 2.0)


def slice_of(number, *modalities):
    """A coronal slice of a bright square; one pixel of the square is exactly 0 in the first contrast."""
    voxels = np.zeros(GRID.shape, np.float32)
    voxels[2:6, :, 2:5] = 3
    images = {modality: Volume(voxels.copy(), GRID, modality) for modality in modalities[1:]}
    voxels[3, 0, 3] = 0
    images[modalities[0]] = Volume(voxels, GRID, modalities[0])
    return replace(toy_case(1), case_id=f"sample-{number:06d}", images=images, labels=None, brain=None)


def drawn(cases, path, **settings):
    """The sheet of some cases as an array."""
    preview_samples(cohort_of_cases(cases), path, **settings)
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"))


def test_a_row_for_each_contrast_and_as_many_across_as_asked(tmp_path):
    """Twice as many contrasts are twice as high, and six cases three across are twice as high as three."""
    both, one = (Modality.T1, Modality.FLAIR), (Modality.T1,)
    single = drawn([slice_of(n, *one) for n in range(3)], tmp_path / "a.png", across=3)
    double = drawn([slice_of(n, *both) for n in range(3)], tmp_path / "b.png", across=3)
    broken = drawn([slice_of(n, *one) for n in range(6)], tmp_path / "c.png", across=3)
    cut = drawn([slice_of(n, *one) for n in range(6)], tmp_path / "d.png", across=3, most=3)

    assert double.shape == broken.shape
    assert double.shape[0] > 1.5 * single.shape[0]
    assert cut.shape == single.shape
    assert double.shape[1] == single.shape[1]


def test_cases_of_a_pool_share_a_row_and_label_maps_are_drawn(tmp_path):
    """Whole heads show their labels and both contrasts: three rows; slices of different contrasts one."""
    pool = drawn([slice_of(0, Modality.T1), slice_of(1, Modality.FLAIR)], tmp_path / "a.png")
    single = drawn([slice_of(0, Modality.T1), slice_of(1, Modality.T1)], tmp_path / "b.png")
    preview_samples(toy_cohort([1, 2]), tmp_path / "c.png")
    heads = np.asarray(Image.open(tmp_path / "c.png").convert("RGB")).astype(int)

    assert pool.shape == single.shape
    assert (np.ptp(heads, axis=2) > 60).any()
    with pytest.raises(CohortError, match="a contact sheet of no case"):
        preview_samples(toy_cohort([]), tmp_path / "d.png")
    assert not (tmp_path / "d.png").exists()


def test_a_brain_says_what_is_shown():
    """A voxel of the brain that is exactly 0 is no background."""
    case = slice_of(0, Modality.T1, Modality.FLAIR)
    plain = picture_of(case.images[Modality.T1]).pixels
    known = picture_of(case.images[Modality.T1], "", case.brain_mask).pixels

    assert (known > 0).sum() == (plain > 0).sum() + 3
    assert plain.shape == (6, 8, 3)
