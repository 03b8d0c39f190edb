"""Read and write NIfTI-1 without trusting the file.

Common readers pass over a missing checksum, bytes after the end, a header that
contradicts itself, NaN voxels and orientations that disagree; each of these
has silently spoilt a data set.  Here a file is read whole, checked to its last
byte, and either gives the voxels that were written or one `InputFileError`
that names the file, the reason and what to do.

Conventions
-----------
voxels    `(i, j, k)` as stored; nothing is reoriented
images    float32; written as int16 where that is exact, else float32
labels    uint8; integers stored as real numbers are read if they are exact
written   with a fresh header, without time or name in the gzip header, whole
          or not at all: same values, same bytes

Source: NIfTI-1.1 (nifti1.h, Cox et al. 2004).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Integer, Shaped

from glioforge.core.errors import GeometryError, InputFileError, LabelError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.modality import Modality
from glioforge.core.volume import Volume
from glioforge.io.atomic_write import write_atomically
from glioforge.io.gzip_stream import MAGIC, MAX_RATIO, GzipStream, gzip_bytes
from glioforge.io.nifti_grid import header_bytes
from glioforge.io.nifti_header import HEADER_BYTES, Header, parse_header, require_extensions
from glioforge.io.regular_file import read_regular_file

SUFFIXES = (".nii.gz", ".nii")
"""Endings of the files that can be read."""

_LABEL_TOLERANCE = 1e-5


@final
@dataclass(frozen=True, eq=False)
class Scan:
    """A checked NIfTI file.

    Args:
        path: The file.
        voxels: Stored values, `(i, j, k)`, before scaling.
        header: What its header says.
        digest: Hash of the file's bytes.
    """

    path: Path
    voxels: Shaped[np.ndarray, "i j k"]
    header: Header
    digest: str

    def image(self, modality: Modality) -> Volume:
        """The scaled voxels as an image of this contrast.

        Raises:
            InputFileError: A voxel is NaN or infinite.
        """
        voxels = _scaled(self).astype(np.float32, order="F", copy=False)
        bad = int(voxels.size - np.count_nonzero(np.isfinite(voxels)))
        if bad:
            raise InputFileError(
                f"{bad} voxels that are NaN or infinite",
                "finite intensities",
                "find out why and write the file again, or leave the case out",
                self.path,
            )
        return Volume(voxels, self.header.geometry, modality)

    def integers(self) -> Integer[np.ndarray, "i j k"]:
        """The scaled voxels as integers; real numbers are accepted if they are exact integers.

        Raises:
            InputFileError: A voxel is not an integer.
        """
        values = _scaled(self)
        if values.dtype.kind in "iu":
            native: Integer[np.ndarray, "i j k"] = values.astype(values.dtype.newbyteorder("="), copy=False)
            return native
        with np.errstate(invalid="ignore"):
            rounded = np.rint(values).astype(np.int32)
            exact = np.abs(values - rounded) <= _LABEL_TOLERANCE
        if not exact.all():
            strange = values[~exact]
            raise InputFileError(
                f"{strange.size} label voxels that are no integers, such as {float(strange[0]):.6g}",
                "whole numbers",
                "the map was interpolated: resample it again by nearest neighbour",
                self.path,
            )
        whole: Integer[np.ndarray, "i j k"] = rounded
        return whole

    def labels(self, scheme: LabelScheme) -> LabelMap:
        """The voxels as a label map.

        Raises:
            InputFileError: A voxel is no integer, or a value has no name in the scheme.
        """
        values = self.integers()
        try:
            if values.min() < 0 or values.max() > 255:
                scheme.require(values)
            return LabelMap(values.astype(np.uint8), self.header.geometry, scheme)
        except LabelError as error:
            raise InputFileError(error.found, error.expected, error.remedy, self.path) from error

    def mask(self) -> Bool[np.ndarray, "i j k"]:
        """The voxels as a mask.

        Raises:
            InputFileError: A voxel is neither 0 nor 1.
        """
        values = self.integers()
        mask: Bool[np.ndarray, "i j k"] = values == 1
        if values.min() < 0 or values.max() > 1:
            strange = np.unique(values[~mask & (values != 0)])[:5].tolist()
            raise InputFileError(f"mask values {strange}", "0 and 1", "write the mask again as 0 and 1", self.path)
        return mask


def read_scan(path: Path) -> Scan:
    """Read a file and check it to its last byte.

    Args:
        path: A `.nii` or `.nii.gz` file; the contents decide, not the name.

    Raises:
        InputFileError: The file is damaged, contradicts itself, or is not a
            three-dimensional scalar NIfTI-1 image.
    """
    data = read_regular_file(path)
    if not data:
        raise InputFileError("an empty file", "a NIfTI image", "copy or download it again", path)
    header, raw = _unpack(data, path) if data[:2] == MAGIC else _split(data, path)
    voxels = np.frombuffer(raw, dtype=header.dtype).reshape(header.geometry.shape, order="F")
    return Scan(path, voxels, header, hashlib.blake2b(data, digest_size=16).hexdigest())


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


def stem(path: Path) -> str:
    """File name without `.nii` or `.nii.gz`; the whole name of other files.

    Example:
        >>> stem(Path("case/BraTS20_001_t1.nii.gz"))
        'BraTS20_001_t1'
    """
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name


def _unpack(data: bytes, path: Path) -> tuple[Header, bytes]:
    """Header and voxel bytes of a gzipped file."""
    stream = GzipStream(data, path)
    head = stream.read(HEADER_BYTES)
    header = parse_header(head, path)
    if header.offset + header.voxel_bytes > len(data) * MAX_RATIO:
        raise InputFileError(
            f"{len(data)} compressed bytes for {header.voxel_bytes} bytes of voxels",
            "a file that can hold its voxels",
            "the header is damaged or the file is incomplete: copy or download it again",
            path,
        )
    between = stream.read(header.offset - HEADER_BYTES)
    if header.extended:
        require_extensions(between, header.dtype.str[0], path)
    raw = stream.read(header.voxel_bytes)
    stream.finish()
    return header, raw


def _split(data: bytes, path: Path) -> tuple[Header, bytes]:
    """Header and voxel bytes of a file that is not compressed."""
    header = parse_header(data[:HEADER_BYTES], path)
    if len(data) != header.offset + header.voxel_bytes:
        raise InputFileError(
            f"a file of {len(data)} bytes",
            f"{header.offset + header.voxel_bytes} bytes, as its header says",
            "the file is damaged or incomplete: copy or download it again",
            path,
        )
    if header.extended:
        require_extensions(data[HEADER_BYTES : header.offset], header.dtype.str[0], path)
    return header, data[header.offset :]


def _scaled(scan: Scan) -> Shaped[np.ndarray, "i j k"]:
    """The values meant, float64 where there is a scaling."""
    if not scan.header.scaled:
        return scan.voxels
    scaled: Shaped[np.ndarray, "i j k"] = scan.voxels.astype(np.float64) * scan.header.slope + scan.header.intercept
    return scaled


def _write(path: Path, voxels: Shaped[np.ndarray, "i j k"], geometry: Geometry, description: str) -> None:
    """Write header and voxels."""
    dtype: np.dtype[Any] = voxels.dtype
    data = header_bytes(geometry, dtype, description, path) + voxels.tobytes(order="F")
    write_atomically(path, gzip_bytes(data) if path.name.endswith(".gz") else data)
