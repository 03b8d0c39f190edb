"""A header that makes no sense is refused; one that does means what nibabel says it means."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.volume import Modality
from glioforge.io.nifti import read_scan


def test_scaling_equals_nibabel(save, image):
    """Slope and intercept are applied as nibabel applies them."""
    path = save("x.nii.gz", image, scl_slope=0.37, scl_inter=-4.5)
    np.testing.assert_array_equal(
        read_scan(path).image(Modality.T1).voxels, nib.load(path).get_fdata().astype(np.float32)
    )


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_slope_of_zero_or_nan_means_no_scaling(save, image, slope):
    """Slope 0 and the NaN that some tools write leave the voxels as stored."""
    path = save("x.nii", image, scl_slope=slope, scl_inter=7)
    np.testing.assert_array_equal(read_scan(path).image(Modality.T1).voxels, image)


@pytest.mark.parametrize(
    ("slope", "inter"), [(np.inf, 0), (-np.inf, 0), (1e30, 0), (1, np.nan), (1, np.inf), (1, 1e30)]
)
def test_senseless_scaling_is_refused(save, image, slope, inter, refused):
    """A slope or intercept that is infinite or beyond sense is refused."""
    refused(save("x.nii.gz", image, scl_slope=slope, scl_inter=inter), "intensity scaling")


@pytest.mark.parametrize(
    ("dims", "match"),
    [
        ([3, 32000, 32000, 32000, 1, 1, 1, 1], "at most"),
        ([3, -7, 6, 5, 1, 1, 1, 1], "header dimensions"),
        ([3, 0, 6, 5, 1, 1, 1, 1], "header dimensions"),
        ([0, 7, 6, 5, 1, 1, 1, 1], "header dimensions"),
        ([8, 7, 6, 5, 1, 1, 1, 1], "header dimensions"),
        ([-3, 7, 6, 5, 1, 1, 1, 1], "header dimensions"),
        ([2, 42, 5, 1, 1, 1, 1, 1], "three-dimensional"),
        ([4, 7, 3, 5, 2, 1, 1, 1], "three-dimensional"),
        ([5, 7, 3, 5, 1, 2, 1, 1], "three-dimensional"),
    ],
)
def test_senseless_dimensions_are_refused(save, image, dims, match, refused):
    """Dimensions that are negative, zero, too many or too large are refused, and so are series."""
    refused(save("x.nii.gz", image, dim=dims), match)


def test_fourth_axis_of_one_is_dropped(save, image):
    """A series of one volume is that volume."""
    path = save("x.nii.gz", image[..., None])
    np.testing.assert_array_equal(read_scan(path).image(Modality.T1).voxels, image)


@pytest.mark.parametrize("offset", [0, 100, 351, 352.5, -352, 1e9, np.nan, np.inf])
def test_senseless_offset_is_refused(save, image, offset, refused):
    """Voxels cannot begin within the header, between bytes or beyond all sense."""
    refused(save("x.nii.gz", image, vox_offset=offset), "voxels that begin at byte")


def extended(data: bytes, block: bytes, offset: int) -> bytes:
    """A file with bytes between header and voxels and the extension flag set."""
    head = bytearray(data[:352])
    head[348] = 1
    head[108:112] = np.float32(offset).tobytes()
    return bytes(head) + block + data[352:]


def test_whole_extension_is_passed_over(tmp_path, nifti_bytes, image):
    """Voxels behind a header extension are read as written, and nothing of the extension."""
    block = (32).to_bytes(4, "little") + (6).to_bytes(4, "little") + b"patient name ...".ljust(24)
    for name, pack in (("x.nii", bytes), ("x.nii.gz", gzip.compress)):
        (tmp_path / name).write_bytes(pack(extended(nifti_bytes(image), block, 384)))
        np.testing.assert_array_equal(read_scan(tmp_path / name).image(Modality.T1).voxels, image)


@pytest.mark.parametrize(
    ("block", "offset"),
    [
        (b"", 352),
        ((64).to_bytes(4, "little") + bytes(28), 384),
        (bytes(32), 384),
        ((-16).to_bytes(4, "little", signed=True) + bytes(28), 384),
        ((24).to_bytes(4, "little") + bytes(28), 384),
    ],
)
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_extension_over_the_voxels_is_refused(tmp_path, nifti_bytes, block, offset, name, refused):
    """Extensions that do not end where the voxels begin are refused: the voxels would be extension bytes."""
    data = extended(nifti_bytes(np.ones((7, 6, 5), np.int16)), block, offset)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    refused(tmp_path / name, "extension")


@pytest.mark.parametrize(
    ("code", "bits", "name"),
    [
        (128, 24, "RGB"),
        (2304, 32, "RGBA"),
        (32, 64, "complex64"),
        (1792, 128, "complex128"),
        (1536, 128, "float128"),
        (1, 1, "binary"),
        (0, 0, "unknown"),
        (77, 16, "code 77"),
    ],
)
def test_voxels_that_are_no_scalars_are_refused(save, image, code, bits, name, refused):
    """Colour, complex, long and unknown types are refused by name."""
    refused(save("x.nii.gz", image, datatype=code, bitpix=bits), f"type {name}")


def test_contradicting_bit_count_is_refused(save, image, refused):
    """A type and a number of bits that contradict each other are refused."""
    refused(save("x.nii.gz", image, bitpix=8), "8 bits a voxel for type int16")


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"sizeof_hdr": 540}, "NIfTI-2"),
        ({"magic": b"ni1"}, "pair"),
        ({"magic": b"xyz"}, "no NIfTI-1 header"),
        ({"sizeof_hdr": 1}, "no NIfTI-1"),
    ],
)
def test_other_kinds_of_nifti_are_refused(save, image, fields, match, refused):
    """NIfTI-2, header pairs and other magic words are refused with what to do."""
    refused(save("x.nii.gz", image, **fields), match)
