"""What is written is read back, by Glioforge and by nibabel, with a header that carries nothing over."""

import errno
import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import InputFileError, OutputError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.io.nifti import (
    read_image,
    read_integers,
    read_labels,
    read_mask,
    stem,
    write_image,
    write_labels,
    write_mask,
)
from strategies import geometries, label_maps, volumes

GRID = Geometry.isotropic((3, 4, 5))


def ramp(dtype: str = "f4", factor: float = 1.0) -> Volume:
    """A small image of different values."""
    return Volume((np.arange(60).reshape(3, 4, 5).astype(dtype) * factor).astype(np.float32), GRID, Modality.T2)


@given(volume=volumes(), name=st.sampled_from(["x.nii", "x.nii.gz"]))
def test_image_is_read_back_exactly(tmp_path_factory, volume, name):
    """Voxels come back bit for bit, and corners within a thousandth of a millimetre."""
    path = tmp_path_factory.mktemp("image") / name
    write_image(path, volume, "test")
    again = read_image(path, volume.modality)
    np.testing.assert_array_equal(again.voxels, volume.voxels)
    assert again.geometry.matches(volume.geometry)
    np.testing.assert_array_equal(nib.load(path).get_fdata().astype(np.float32), volume.voxels)


@given(labels=label_maps())
def test_labels_are_read_back_exactly(tmp_path_factory, labels):
    """A label map comes back as it was, in its scheme."""
    path = tmp_path_factory.mktemp("labels") / "x.nii.gz"
    write_labels(path, labels)
    values, geometry = read_integers(path)
    np.testing.assert_array_equal(values, labels.voxels)
    assert geometry.matches(labels.geometry)
    if labels.scheme == COMPLETE:
        np.testing.assert_array_equal(read_labels(path, COMPLETE).voxels, labels.voxels)


@given(geometry=geometries((2, 2, 2)))
def test_orientation_survives(tmp_path_factory, geometry):
    """Every orientation, flipped and oblique ones too, means the same to nibabel."""
    path = tmp_path_factory.mktemp("grid") / "x.nii.gz"
    write_mask(path, np.ones((2, 2, 2), bool), geometry)
    np.testing.assert_allclose(nib.load(path).affine, geometry.affine, atol=1e-4)
    assert read_mask(path, geometry).all()


def test_sheared_grid_is_written_without_quaternion(tmp_path):
    """A shear, which a qform cannot hold, is written as sform alone and read back."""
    affine = np.eye(4)
    affine[0, 1] = 0.3
    geometry = Geometry((2, 2, 2), affine)
    write_mask(tmp_path / "x.nii.gz", np.ones((2, 2, 2), bool), geometry)
    assert nib.load(tmp_path / "x.nii.gz").header["qform_code"] == 0
    assert read_mask(tmp_path / "x.nii.gz", geometry).all()


@pytest.mark.parametrize(("factor", "dtype"), [(1.0, np.int16), (0.5, np.float32), (1000.0, np.float32)])
def test_images_take_little_room(tmp_path, factor, dtype):
    """Integers in the range of int16 are kept as such, other intensities as float32."""
    write_image(tmp_path / "x.nii.gz", ramp(factor=factor))
    assert nib.load(tmp_path / "x.nii.gz").get_data_dtype() == dtype


def test_header_is_fresh(tmp_path):
    """Both forms are set, units are millimetres, the text is ours and nothing else is in the header."""
    write_image(tmp_path / "x.nii.gz", ramp(), "SYNTHETIC 12ab34cd")
    data = (tmp_path / "x.nii.gz").read_bytes()
    assert data[3] == 0, "no name in the gzip header"
    assert data[4:8] == bytes(4), "no time in the gzip header"
    header = nib.load(tmp_path / "x.nii.gz").header
    assert (header["sform_code"], header["qform_code"], header["xyzt_units"]) == (1, 1, 2)
    assert header["descrip"].item() == b"SYNTHETIC 12ab34cd"
    assert not header["aux_file"].item() + header["db_name"].item() + header["intent_name"].item()
    assert gzip.decompress(data)[344:352] == b"n+1\x00\x00\x00\x00\x00"


def test_same_values_give_same_bytes(tmp_path):
    """Two writes of one image are one file."""
    for name in ("a.nii.gz", "b.nii.gz"):
        write_image(tmp_path / name, ramp(), "x")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_description_must_fit(tmp_path):
    """A text longer than its field is refused, and no file is left."""
    with pytest.raises(OutputError, match="description of 80 characters; expected at most 79"):
        write_image(tmp_path / "x.nii.gz", ramp(), "x" * 80)
    assert not list(tmp_path.iterdir())


def test_axis_must_fit(tmp_path):
    """An axis longer than the header can say is refused."""
    labels = LabelMap(np.zeros((32768, 1, 1), np.uint8), Geometry.isotropic((32768, 1, 1)), COMPLETE)
    with pytest.raises(OutputError, match="at most 32767 voxels along an axis"):
        write_labels(tmp_path / "x.nii", labels)


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    """On a full disk the old file stays, no half file is left, and the error says what to do."""
    path = tmp_path / "x.nii.gz"
    write_image(path, ramp())
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device.*free space on the disk"):
        write_image(path, ramp(factor=2))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_mask_must_lie_on_the_grid(tmp_path):
    """A mask on another grid is refused."""
    write_mask(tmp_path / "x.nii.gz", np.ones((3, 4, 5), bool), GRID)
    with pytest.raises(InputFileError, match="mask lies on grid"):
        read_mask(tmp_path / "x.nii.gz", Geometry.isotropic((3, 4, 5), 2.0))


def test_stem_drops_only_endings_of_images():
    """Dots within a name stay."""
    assert [stem(Path(n)) for n in ("a.b_t1.nii.gz", "a.nii", "a.mha", "a.txt")] == ["a.b_t1", "a", "a", "a.txt"]
