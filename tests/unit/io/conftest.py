"""Small NIfTI files for tests, written by nibabel, with header fields to spoil."""

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.volume import Modality
from glioforge.io.nifti import read_scan

LPS = np.array([[-1.0, 0, 0, 90], [0, -1.25, 0, 120], [0, 0, 2.0, -70], [0, 0, 0, 1]])


def make_bytes(voxels: np.ndarray, affine: np.ndarray = LPS, **fields: object) -> bytes:
    """One uncompressed NIfTI file; header fields such as `scl_slope=0` are set as given."""
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    data = bytearray(image.to_bytes())
    header = np.ndarray((), nib.nifti1.header_dtype, buffer=data)
    for name, value in fields.items():
        header[name] = value
    return bytes(data)


@pytest.fixture
def nifti_bytes() -> Callable[..., bytes]:
    """Builds the bytes of an uncompressed file."""
    return make_bytes


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes voxels as a file below the test's folder, compressed where the name says so."""

    def write(name: str, voxels: np.ndarray, affine: np.ndarray = LPS, **fields: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = make_bytes(voxels, affine, **fields)
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    return write


@pytest.fixture
def image() -> np.ndarray:
    """Int16 intensities on an odd grid, all different along each axis."""
    return (np.arange(7 * 6 * 5).reshape(7, 6, 5) * 3 - 40).astype(np.int16)


@pytest.fixture
def mask() -> np.ndarray:
    """A block of ones within zeros."""
    block = np.zeros((7, 6, 5), np.uint8)
    block[2:5, 1:4, 1:3] = 1
    return block


@pytest.fixture
def brats_case(save: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a case in the naming of 2020, with its own intensities, and returns its folder."""

    def write(name: str, labels: tuple[int, ...] = (1, 2, 4), seed: int = 0, folder: str = "") -> Path:
        rng = np.random.default_rng([seed, *name.encode()])
        prefix = f"{folder}/{name}/{name}" if folder else f"{name}/{name}"
        for token in ("t1", "t1ce", "t2", "flair"):
            path = save(f"{prefix}_{token}.nii.gz", rng.integers(0, 900, (7, 6, 5)).astype(np.int16))
        if labels:
            voxels = np.zeros((7, 6, 5), np.uint8)
            voxels[2, 2, : len(labels)] = labels
            save(f"{prefix}_seg.nii.gz", voxels)
        return path.parent

    return write


@pytest.fixture
def refused() -> Callable[[Path, str], None]:
    """Reads a file as an image, which must fail with the typed error: file, reason and what to do."""

    def check(path: Path, match: str) -> None:
        with pytest.raises(InputFileError, match=match) as caught:
            read_scan(path).image(Modality.T1)
        assert str(path) in str(caught.value)
        assert caught.value.remedy

    return check
