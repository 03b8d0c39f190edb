"""A MetaImage gives the voxels and the grid that were written, or one typed error."""

import contextlib
import zlib

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fixtures_layouts import write_metaimage
from glioforge.core.errors import InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.volume import Modality
from glioforge.io.nifti import read_image, read_scan
from strategies import geometries

GRID = Geometry((4, 3, 2), np.diag([-1.0, -1.25, 2.0, 1.0]) + np.eye(4, k=3) * 90)
VOXELS = np.arange(24, dtype=np.int16).reshape(4, 3, 2)


@given(geometries((4, 3, 2)))
def test_grid_comes_back_in_ras(tmp_path_factory, geometry):
    """Any orientation, flipped, permuted or oblique, is read as it was written in LPS."""
    path = tmp_path_factory.mktemp("grid") / "x.mha"
    write_metaimage(path, VOXELS, geometry)
    volume = read_image(path, Modality.T1)
    assert volume.geometry.matches(geometry, 1e-3)
    np.testing.assert_array_equal(volume.voxels, VOXELS)


def test_identity_means_left_and_back(tmp_path):
    """ITK's first axis runs to the left and its second to the back: known numbers of BRATS 2015."""
    path = tmp_path / "x.mha"
    write_metaimage(path, VOXELS, GRID, TransformMatrix="1 0 0 0 1 0 0 0 1", Offset="0 -239 0", ElementSpacing="1 1 1")
    geometry = read_scan(path).header.geometry
    assert geometry.orientation == "LPS"
    assert geometry.affine[:3, 3].tolist() == [0, 239, 0]


@pytest.mark.parametrize("name", ["x.mha", "x.mhd"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", ">i2"])
def test_voxels_of_every_kind_come_back(tmp_path, name, packed, dtype):
    """Compressed or not, in one file or two, in either byte order."""
    changes = {"BinaryDataByteOrderMSB": "True", "ElementType": "MET_SHORT"} if dtype == ">i2" else {}
    write_metaimage(tmp_path / name, VOXELS.astype(dtype), GRID, packed=packed, **changes)
    np.testing.assert_array_equal(read_image(tmp_path / name, Modality.T1).voxels, VOXELS)


def test_digest_covers_both_files(tmp_path):
    """Other voxels beside the same header are another digest."""
    path = tmp_path / "x.mhd"
    write_metaimage(path, VOXELS, GRID)
    first = read_scan(path).digest
    write_metaimage(path, VOXELS + np.int16(1), GRID)
    assert read_scan(path).digest != first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TransformMatrix": "absent"}, "a header without TransformMatrix"),
        ({"NDims": "4"}, "NDims = 4; expected NDims = 3"),
        ({"ElementNumberOfChannels": "3"}, "ElementNumberOfChannels = 3"),
        ({"ElementType": "MET_STRING"}, "voxels of type MET_STRING"),
        ({"DimSize": "4 3"}, "DimSize = 4 3; expected 3 numbers"),
        ({"DimSize": "4 3 0.5"}, "expected three positive whole numbers"),
        ({"DimSize": "4 3 -2"}, "expected three positive whole numbers"),
        ({"DimSize": "32000 32000 32000"}, "expected at most"),
        ({"DimSize": "4 3 3"}, "bytes|compressed data with"),
        ({"DimSize": "4 3 1"}, "compressed data with more data"),
        ({"Offset": "nan 0 0"}, "Offset = nan 0 0"),
        ({"Offset": "a b c"}, "Offset = a b c"),
        ({"ElementSpacing": "1 0 1"}, "positive spacings"),
        ({"ElementSpacing": "1e-4 1e-4 1e-4"}, "an invertible matrix"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "directions at right angles"),
        ({"CompressedData": "yes"}, "CompressedData = yes"),
        ({"CompressedData": "False"}, "bytes of voxels"),
        ({"ElementDataFile": "../secret"}, "a file in the same folder"),
        ({"ElementDataFile": "/etc/passwd"}, "a file in the same folder"),
        ({"ElementDataFile": "x%02d.raw"}, "a file in the same folder"),
        ({"ElementDataFile": "LIST"}, "a file in the same folder"),
        ({"ElementDataFile": "x.zraw"}, "bytes behind a header"),
        ({"Comment": "\u00fc"}, "a header line"),
        ({"Position": "0 0 0"}, "Offset twice in the header"),
    ],
)
def test_headers_that_make_no_sense_are_refused(tmp_path, changes, message):
    """Each wrong line is named with what was expected, and no memory is taken for it."""
    path = tmp_path / "x.mha"
    write_metaimage(path, VOXELS, GRID, **changes)
    if changes.get("ElementDataFile", "x.zraw") != "x.zraw":
        text, _, _ = path.read_bytes().partition(b"ElementDataFile")
        path.write_bytes(text + f"ElementDataFile = {changes['ElementDataFile']}\n".encode())
    with pytest.raises(InputFileError, match=message) as caught:
        read_scan(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


def test_data_may_not_be_a_link_to_elsewhere(tmp_path):
    """A data file that is a link out of the folder is refused."""
    path = tmp_path / "data" / "x.mhd"
    write_metaimage(path, VOXELS, GRID)
    (tmp_path / "data" / "x.zraw").rename(tmp_path / "x.zraw")
    (tmp_path / "data" / "x.zraw").symlink_to(tmp_path / "x.zraw")
    with pytest.raises(InputFileError, match="a file in the same folder"):
        read_scan(path)


def test_header_without_end_is_refused(tmp_path):
    """Text that never says where the voxels are is no MetaImage, however long."""
    for text in (b"ObjectType = Image\n", b"ObjectType = Image", b"ObjectType = Image\n" + b"x" * 100_000):
        (tmp_path / "x.mha").write_bytes(text)
        with pytest.raises(InputFileError, match="a header line"):
            read_scan(tmp_path / "x.mha")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-1], "no complete end mark"),
        (lambda data: data[:-4] + b"0000", "the compressed data are damaged"),
        (lambda data: data + b"x", "more data than the header"),
        (lambda data: b"xx" + data[2:], "the compressed data are damaged"),
        (lambda data: zlib.compress(bytes(10**7)), "more data than the header"),
    ],
)
def test_compressed_data_are_checked_to_the_end(tmp_path, spoil, message):
    """Cut, spoilt, lengthened and exploding streams are refused."""
    path = tmp_path / "x.mhd"
    write_metaimage(path, VOXELS, GRID)
    stored = tmp_path / "x.zraw"
    stored.write_bytes(spoil(stored.read_bytes()))
    with pytest.raises(InputFileError, match=message):
        read_scan(path)


@given(st.data())
def test_any_bytes_give_voxels_or_one_typed_error(tmp_path_factory, data):
    """Whatever single change a file has, reading ends with a scan or a typed error."""
    path = tmp_path_factory.mktemp("fuzz") / "x.mha"
    write_metaimage(path, VOXELS, GRID)
    spoilt = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(spoilt) - 1))
    spoilt[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    path.write_bytes(bytes(spoilt))
    with contextlib.suppress(InputFileError):
        assert read_scan(path).voxels.ndim == 3
