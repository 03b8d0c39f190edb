"""Labels are counted, whatever their size."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from glioforge.io.case_check import _counted, check_case
from glioforge.io.layout import assemble


@given(values=hnp.arrays(np.int64, (2, 3, 4), elements=st.integers(-3, 3) | st.integers(-(2**40), 2**40)))
def test_counts_are_exact(values):
    """Every value is counted, small, large and negative ones."""
    counts = _counted(values)
    assert sum(counts.values()) == values.size
    assert all((values == value).sum() == number for value, number in counts.items())


@pytest.mark.parametrize("order", ["C", "F"])
def test_voxel_hash_ignores_storage(tmp_path, save, image, order):
    """The hash of an image depends on its voxels, not on compression, type or memory order."""
    hashes = set()
    for name, voxels in (("a_t1.nii", image), ("b_t1.nii.gz", np.array(image, np.float64, order=order))):
        found = assemble("c", [("t1", save(name, voxels))])
        hashes |= set(check_case(found, tmp_path.resolve()).images.values())
    assert len(hashes) == 1
