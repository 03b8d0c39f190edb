"""Left and right are known for certain, or the file is refused."""

import nibabel as nib
import numpy as np
import pytest

from glioforge.io.nifti import read_scan


def test_one_axis_form_is_enough(save, image):
    """With only one of sform and qform set, that one counts, as in nibabel."""
    for fields in ({"sform_code": 0}, {"qform_code": 0}):
        path = save("x.nii.gz", image, **fields)
        np.testing.assert_allclose(read_scan(path).header.geometry.affine, nib.load(path).affine, atol=0)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"srow_x": [np.nan, 0, 0, 0], "qform_code": 0}, "affine"),
        ({"srow_x": [0, 0, 0, 0], "qform_code": 0}, "affine"),
        ({"srow_x": [-1.01, 0, 0, 90]}, "sform and qform differ by 0.01"),
        ({"srow_x": [-1, 0, 0, 90.01]}, "sform and qform differ by 0.01"),
        ({"qoffset_x": np.nan}, "differ by nan"),
        ({"quatern_b": 3.0}, "a qform that cannot be used"),
        ({"sform_code": 0, "qform_code": 0}, "neither sform nor qform"),
        ({"xyzt_units": 1}, "a grid in metres"),
        ({"xyzt_units": 3}, "a grid in micrometres"),
        ({"xyzt_units": 7}, "a grid in code 7"),
    ],
)
def test_grid_that_is_not_known_is_refused(save, image, fields, match, refused):
    """Affines that are broken, contradict each other, or are missing are refused."""
    refused(save("x.nii.gz", image, **fields), match)


def test_forms_that_agree_nearly_are_accepted(save, image):
    """A difference of 1e-4 between sform and qform is rounding, and missing units mean millimetres."""
    path = save("x.nii.gz", image, srow_x=[-1.0001, 0, 0, 90], xyzt_units=0)
    assert read_scan(path).header.geometry.affine[0, 0] == pytest.approx(-1.0001)
