"""NRRD files give what SimpleITK and nibabel read, and what they do not say is refused."""

import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as Sitk

from glioforge.core.errors import DependencyError, InputFileError
from glioforge.io.nifti import read_scan

AFFINE = np.array([[-0.9, 0.1, 0, 90], [0.1, 0.9, 0, -120], [0, 0, 2.0, -70], [0, 0, 0, 1.0]])
SPACINGS = np.sqrt((AFFINE[:3, :3] ** 2).sum(axis=0))


@pytest.fixture
def voxels():
    """Int16 intensities, all different."""
    return (np.arange(7 * 6 * 5).reshape(7, 6, 5) * 3 - 40).astype(np.int16)


def write(path, voxels, *, packed=True):
    """An NRRD by SimpleITK, whose world is LPS."""
    image = Sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    lps = np.diag([-1.0, -1, 1, 1]) @ AFFINE
    image.SetSpacing(SPACINGS.tolist())
    image.SetDirection((lps[:3, :3] / SPACINGS).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    Sitk.WriteImage(image, str(path), packed)
    return path


@pytest.mark.parametrize("name", ["t1.nrrd", "T1.NRRD", "t1.nhdr", "label.seg.nrrd"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dtype", ["<i2", "<f4", "|u1"])
def test_voxels_and_grid_are_those_of_the_nifti(tmp_path, voxels, name, packed, dtype):
    """In RAS, whatever the encoding and the type."""
    given = np.abs(voxels).astype(dtype) if dtype == "|u1" else voxels.astype(dtype)
    plain = write(tmp_path / name.lower(), given, packed=packed)
    path = plain.rename(tmp_path / name)
    scan = read_scan(path)
    assert scan.voxels.dtype == np.dtype(dtype)
    assert np.array_equal(scan.voxels, given)
    assert np.allclose(scan.header.geometry.affine, AFFINE, atol=1e-6)
    nib.Nifti1Image(given, AFFINE).to_filename(tmp_path / "same.nii")
    assert read_scan(tmp_path / "same.nii").header.geometry.matches(scan.header.geometry)


def edited(path, old, new):
    """The file with a piece of its header changed."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"space: left-posterior-superior", b"space: scanner-xyz", "left and right cannot be told"),
        (b"space: left-posterior-superior\n", b"", "space 'not given'"),
        (b"dimension: 3", b"dimension: 4", "three-dimensional scalar image.*layers"),
        (b"type: int16", b"type: block", "type block"),
        (b"type: short", b"type: block", "type block"),
        (b"encoding: raw", b"encoding: hex", "encoding hex"),
        (b"sizes: 7 6 5", b"sizes: 7 6 9", "bytes of voxels"),
        (b"sizes: 7 6 5", b"sizes: 30000 30000 30000", "at most"),
        (b"sizes: 7 6 5", b"sizes: 7 6 -5", "three positive whole numbers"),
        (b"encoding: raw", b"data file: ../other.raw\nencoding: raw", "the name of one file in the same folder"),
        (b"encoding: raw", b"data file: t1_%03d.raw 0 4 1\nencoding: raw", "the name of one file in the same folder"),
        (b"encoding: raw", b"byte skip: -1\nencoding: raw", "byte skip"),
        (b"encoding: raw", b"sizes: 1 1 1\nencoding: raw", "each key once"),
    ],
)
def test_what_the_header_leaves_open_is_refused(tmp_path, voxels, old, new, message):
    """One typed error each, before memory is taken."""
    path = write(tmp_path / "t1.nrrd", voxels, packed=False)
    if old not in path.read_bytes():
        assert old.startswith(b"type")
        return
    with pytest.raises(InputFileError, match=f"(?s)t1.nrrd: .*{message}"):
        read_scan(edited(path, old, new))


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_short_is_refused(tmp_path, voxels, packed):
    """Also where only the checksum is missing."""
    path = write(tmp_path / "t1.nrrd", voxels, packed=packed)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputFileError):
        read_scan(path)


def test_without_simpleitk_the_package_is_named(tmp_path, voxels, monkeypatch):
    """It is an extra."""
    path = write(tmp_path / "t1.nrrd", voxels)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(DependencyError, match=r"reading NRRD files.*glioforge\[registration\]"):
        read_scan(path)
