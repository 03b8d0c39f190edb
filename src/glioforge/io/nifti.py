"""Read and write NIfTI-1 without trusting the file.

Reading is described in `io.scan`.  Files are written with a fresh header,
without time or name in the gzip header, whole or not at all: same values, same
bytes.

Conventions
-----------
voxels    `(i, j, k)` as stored; nothing is reoriented
images    float32; written as int16 where that is exact, else as float32
labels    uint8
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Integer, Shaped

from glioforge.core import Geometry, GeometryError, InputFileError, LabelMap, LabelScheme, Modality, Volume, Voxels
from glioforge.io.atomic_write import write_atomically
from glioforge.io.gzip_stream import gzip_bytes
from glioforge.io.nifti_grid import header_bytes
from glioforge.io.scan import Scan, read_scan
from glioforge.io.scan_names import SUFFIXES, stem

__all__ = [
    "SUFFIXES",
    "Scan",
    "image_bytes",
    "label_bytes",
    "read_image",
    "read_integers",
    "read_labels",
    "read_mask",
    "read_scan",
    "stem",
    "write_image",
    "write_labels",
    "write_mask",
]

_NOWHERE = Path("image.nii")
"""Named in errors of what is not written to a file."""


def read_image(path: Path, modality: Modality) -> Volume:
    """Read an image of one contrast; errors as `read_scan` and `Scan.image`."""
    return read_scan(path).image(modality)


def read_labels(path: Path, scheme: LabelScheme) -> LabelMap:
    """Read a label map; errors as `read_scan` and `Scan.labels`."""
    return read_scan(path).labels(scheme)


def read_integers(path: Path) -> tuple[Integer[np.ndarray, "i j k"], Geometry]:
    """Read integers without a scheme, such as an anatomical atlas; errors as `read_scan` and `Scan.integers`."""
    scan = read_scan(path)
    return scan.integers(), scan.header.geometry


def read_mask(path: Path, geometry: Geometry) -> Bool[np.ndarray, "i j k"]:
    """Read a mask of 0 and 1 on a known grid.

    Raises:
        InputFileError: As `read_scan`; or the grid is another, or a value is neither 0 nor 1.
    """
    scan = read_scan(path)
    try:
        geometry.require_same(scan.header.geometry, "mask")
    except GeometryError as error:
        raise InputFileError(error.found, error.expected, error.remedy, path) from error
    return scan.mask()


def write_image(path: Path, volume: Volume, description: str = "") -> None:
    """Write an image, as int16 where every voxel is an integer in its range, else as float32.

    Args:
        path: Target; `.nii.gz` is compressed, `.nii` is not.
        volume: The image.
        description: Free text of the header, at most 79 characters.

    Raises:
        OutputError: The description is too long, or the place cannot be written.
    """
    _write(path, image_bytes(volume.voxels, volume.geometry, description, path))


def write_labels(path: Path, labels: LabelMap, description: str = "") -> None:
    """Write a label map as uint8; arguments and errors as `write_image`."""
    _write(path, label_bytes(labels, description, path))


def write_mask(path: Path, mask: Bool[np.ndarray, "i j k"], geometry: Geometry, description: str = "") -> None:
    """Write a mask as uint8; arguments and errors as `write_image`."""
    _write(path, _file_bytes(mask.astype(np.uint8), geometry, description, path))


def write_map(path: Path, values: Voxels, geometry: Geometry, description: str = "") -> None:
    """Write numbers that are no scan, probabilities for example, as float32; arguments and errors as `write_image`."""
    _write(path, _file_bytes(values.astype("<f4"), geometry, description, path))


def image_bytes(voxels: Voxels, geometry: Geometry, description: str = "", path: Path = _NOWHERE) -> bytes:
    """Encode an image as the contents of a `.nii` file, typed as `write_image` does.

    Args:
        voxels: Intensities.
        geometry: Their grid.
        description: Free text of the header, at most 79 characters.
        path: Named in errors.

    Raises:
        OutputError: The description or an axis is too long.
    """
    limits = np.iinfo(np.int16)
    fits = limits.min <= float(voxels.min()) and float(voxels.max()) <= limits.max
    dtype = np.int16 if fits and np.array_equal(voxels, np.rint(voxels)) else np.float32
    return _file_bytes(voxels.astype(np.dtype(dtype).newbyteorder("<")), geometry, description, path)


def label_bytes(labels: LabelMap, description: str = "", path: Path = _NOWHERE) -> bytes:
    """Encode a label map as the contents of a `.nii` file of uint8; arguments and errors as `image_bytes`."""
    return _file_bytes(labels.voxels, labels.geometry, description, path)


def _file_bytes(voxels: Shaped[np.ndarray, "i j k"], geometry: Geometry, description: str, path: Path) -> bytes:
    """Header and voxels."""
    dtype: np.dtype[Any] = voxels.dtype
    return header_bytes(geometry, dtype, description, path) + voxels.tobytes(order="F")


def _write(path: Path, data: bytes) -> None:
    """Write the contents, compressed where the name says so."""
    write_atomically(path, gzip_bytes(data) if path.name.endswith(".gz") else data)
