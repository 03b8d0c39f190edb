"""NIfTI in two files is read; Analyze, which looks the same, is refused."""

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.errors import InputFileError
from glioforge.io.nifti import read_scan


@pytest.fixture
def written(tmp_path, image):
    """A NIfTI pair by nibabel."""
    affine = np.diag([-1.0, 1.25, 2.0, 1.0])
    nib.Nifti1Pair(image, affine).to_filename(tmp_path / "t1.hdr")
    return tmp_path / "t1.hdr"


def test_a_pair_gives_voxels_and_grid(written, image):
    """As nibabel reads them; the digest covers both files."""
    scan = read_scan(written)
    assert np.array_equal(scan.voxels, image)
    assert np.allclose(scan.header.geometry.affine, nib.load(written).affine)
    data = bytearray(written.with_suffix(".img").read_bytes())
    data[0] ^= 1
    written.with_suffix(".img").write_bytes(data)
    assert read_scan(written).digest != scan.digest


def test_capitals_are_a_pair_too(written, image):
    """`T1.HDR` and `T1.IMG`."""
    written.with_suffix(".img").rename(written.with_name("T1.IMG"))
    assert np.array_equal(read_scan(written.rename(written.with_name("T1.HDR"))).voxels, image)


@pytest.mark.parametrize(("suffix", "message"), [(".hdr", "a header of 347 bytes|Analyze"), (".img", "bytes, as its")])
def test_a_half_that_is_cut_short_is_refused(written, suffix, message):
    """Header or voxels."""
    path = written.with_suffix(suffix)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputFileError, match=message):
        read_scan(written)


def test_a_missing_half_is_named(written):
    """The header alone."""
    written.with_suffix(".img").unlink()
    with pytest.raises(InputFileError, match="no .img file of the same name"):
        read_scan(written)


def test_analyze_is_refused_for_what_it_does_not_say(tmp_path, image):
    """Left and right would be a guess."""
    nib.AnalyzeImage(image, np.eye(4)).to_filename(tmp_path / "t1.img")
    with pytest.raises(InputFileError, match="an Analyze 7.5 pair, which does not say where left and right are"):
        read_scan(tmp_path / "t1.hdr")
