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

from glioforge.core.errors import GeometryError, InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.modality import Modality
from glioforge.core.volume import Volume, Voxels
from glioforge.io.atomic_write import write_atomically
from glioforge.io.gzip_stream import gzip_bytes
from glioforge.io.image_names import SUFFIXES, stem
from glioforge.io.nifti_grid import header_bytes
from glioforge.io.scan import Scan, read_scan

__all__ = [
    "SUFFIXES",
    "Scan",
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
    voxels = volume.voxels
    limits = np.iinfo(np.int16)
    fits = limits.min <= float(voxels.min()) and float(voxels.max()) <= limits.max
    dtype = np.int16 if fits and np.array_equal(voxels, np.rint(voxels)) else np.float32
    _write(path, voxels.astype(np.dtype(dtype).newbyteorder("<")), volume.geometry, description)


def write_labels(path: Path, labels: LabelMap, description: str = "") -> None:
    """Write a label map as uint8; arguments and errors as `write_image`."""
    _write(path, labels.voxels, labels.geometry, description)


def write_mask(path: Path, mask: Bool[np.ndarray, "i j k"], geometry: Geometry, description: str = "") -> None:
    """Write a mask as uint8; arguments and errors as `write_image`."""
    _write(path, mask.astype(np.uint8), geometry, description)


def write_map(path: Path, values: Voxels, geometry: Geometry, description: str = "") -> None:
    """Write numbers that are no scan, probabilities for example, as float32; arguments and errors as `write_image`."""
    _write(path, values.astype("<f4"), geometry, description)


def _write(path: Path, voxels: Shaped[np.ndarray, "i j k"], geometry: Geometry, description: str) -> None:
    """Write header and voxels."""
    dtype: np.dtype[Any] = voxels.dtype
    data = header_bytes(geometry, dtype, description, path) + voxels.tobytes(order="F")
    write_atomically(path, gzip_bytes(data) if path.name.endswith(".gz") else data)
