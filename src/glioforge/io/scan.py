"""A NIfTI-1, MetaImage or NRRD file, read whole and checked to its last byte.

Common readers pass over a missing checksum, bytes after the end, a header that
contradicts itself, NaN voxels and orientations that disagree; each of these
has silently spoilt a data set.  Here a file either gives the voxels that were
written or one `InputFileError` that names the file, the reason and what to do.

Conventions
-----------
voxels    `(i, j, k)` as stored; nothing is reoriented
images    float32, finite
labels    integers; those stored as real numbers are read if they are exact
          to 1e-5, and those stored with a scale factor if they are off by
          no more than the rounding of that factor
channel   one image of a four-dimensional file, counted from 0

Source: NIfTI-1.1 (nifti1.h, Cox et al. 2004); others as in `io.metaimage`, `io.nrrd` and `io.pair`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Bool, Integer, Shaped

from glioforge.core import FREESURFER, InputFileError, LabelError, LabelMap, LabelScheme, Modality, Volume, brain_values
from glioforge.io.atomic_write import read_regular_file
from glioforge.io.gzip_stream import MAGIC, MAX_RATIO, GzipStream
from glioforge.io.metaimage import is_metaimage, unpack_metaimage
from glioforge.io.nifti_header import HEADER_BYTES, Header, parse_header, require_extensions
from glioforge.io.nrrd import is_nrrd, unpack_nrrd
from glioforge.io.pair import is_pair, unpack_pair

_LABEL_TOLERANCE = 1e-5
_COARSEST = 0.1


@final
@dataclass(frozen=True, eq=False)
class Scan:
    """A checked image file, or one channel of it.

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
        with np.errstate(all="ignore"):
            voxels = _scaled(self).astype(np.float32, order="F", copy=False)
        whole = self.voxels.dtype.kind in "iu" and not self.header.scaled
        bad = 0 if whole else int(voxels.size - np.count_nonzero(np.isfinite(voxels)))
        if bad:
            raise InputFileError(
                f"{bad} voxels that are NaN or infinite",
                "finite intensities",
                "if they are background, write the file again with 0 there (numpy.nan_to_num); else leave the case out",
                self.path,
            )
        return Volume(voxels, self.header.geometry, modality)

    def integers(self) -> Integer[np.ndarray, "i j k"]:
        """The scaled voxels as integers; real numbers are accepted if they are exact integers.

        Raises:
            InputFileError: A voxel is not an integer.
        """
        with np.errstate(all="ignore"):
            values = _scaled(self)
        if values.dtype.kind in "iu":
            native: Integer[np.ndarray, "i j k"] = values.astype(values.dtype.newbyteorder("="), copy=False)
            return native
        with np.errstate(invalid="ignore"):
            rounded = np.rint(values).astype(np.int32)
            off = np.abs(values - rounded)
        if not (off <= max(_LABEL_TOLERANCE, self._rounding)).all():
            raise self._no_integers(values[~(off <= _LABEL_TOLERANCE)])
        whole: Integer[np.ndarray, "i j k"] = rounded
        return whole

    def rounding_notes(self) -> list[str]:
        """Return a note where labels are whole numbers only after the rounding of the header's scale factor."""
        if not self._rounding:
            return []
        with np.errstate(all="ignore"):
            values = _scaled(self)
            off = float(np.abs(values - np.rint(values)).max())
        slope = abs(self.header.slope)
        told = f"labels stored with scale factor {slope:.3g} are off by up to {off:.2g}; read as the nearest integers"
        return [told] if _LABEL_TOLERANCE < off <= self._rounding else []

    @property
    def _rounding(self) -> float:
        """How far the scale factor of integer voxels moves a whole number; 0 where it is too coarse to tell."""
        whole = self.header.scaled and self.voxels.dtype.kind in "iu"
        step = abs(self.header.slope) / 2 * (1 + 1e-6) + _LABEL_TOLERANCE if whole else 0.0
        return step if step <= _COARSEST else 0.0

    def _no_integers(self, strange: Shaped[np.ndarray, " n"]) -> InputFileError:
        """The error for labels that are no whole numbers, with its likely cause."""
        coarse = self.header.scaled and self.voxels.dtype.kind in "iu" and not self._rounding
        remedy = "the map was interpolated: resample it again by nearest neighbour"
        if coarse:
            remedy = (
                f"the header's scale factor {self.header.slope:.3g} is too coarse for labels: save the map again as "
                "integers, without a scale factor"
            )
        elif strange.min() > 0 and strange.max() < 1:
            remedy = (
                "these look like probabilities of one class: write one map with the likeliest label of each voxel; "
                "or the mask was interpolated: resample it again by nearest neighbour"
            )
        return InputFileError(
            f"{strange.size} label voxels that are no integers, such as {float(strange[0]):.6g}",
            "whole numbers",
            remedy,
            self.path,
        )

    def labels(self, scheme: LabelScheme) -> LabelMap:
        """The voxels as a label map.

        Raises:
            InputFileError: A voxel is no integer, or a value has no name in the scheme.
        """
        values = self.integers()
        if scheme == FREESURFER:
            values = brain_values(values)
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


def read_scan(path: Path, channel: int | None = None) -> Scan:
    """Read a file and check it to its last byte.

    Args:
        path: A `.nii`, `.nii.gz`, `.mha`, `.mhd`, `.nrrd`, `.nhdr` or `.hdr` file; the contents decide, not the name.
        channel: Which image of a four-dimensional file; none for a file of one image.

    Raises:
        InputFileError: The file is damaged, contradicts itself, is not a
            scalar NIfTI-1 or MetaImage file, or has not the channel asked for.
    """
    return read_series(path).channel(channel)


@final
@dataclass(frozen=True, eq=False)
class Series:
    """All images of one checked file.

    Args:
        path: The file.
        voxels: Stored values, `(i, j, k, channel)`, before scaling.
        header: What its header says.
        digest: Hash of the file's bytes.
    """

    path: Path
    voxels: Shaped[np.ndarray, "i j k channel"]
    header: Header
    digest: str

    def channel(self, number: int | None) -> Scan:
        """One image; the only one where no number is given.

        Raises:
            InputFileError: There is no such channel, or there are several and none is asked for.
        """
        count = self.header.channels
        if number is None and count > 1:
            raise InputFileError(
                f"an image of shape {(*self.header.geometry.shape, count)}",
                "a three-dimensional image",
                "split a series into one file a contrast, or use a layout that names its channels; of a label map with "
                "a channel for each class, write one map with the likeliest label of each voxel",
                self.path,
            )
        if not 0 <= (number or 0) < count:
            raise InputFileError(
                f"{count} images in the file",
                f"at least {(number or 0) + 1}",
                "compare the file with the list of contrasts that comes with the data set",
                self.path,
            )
        return Scan(self.path, self.voxels[..., number or 0], self.header, self.digest)


def read_series(path: Path) -> Series:
    """Read all images of a file; arguments and errors as `read_scan`."""
    data = read_regular_file(path)
    if not data:
        raise InputFileError("an empty file", "an image file", "copy or download it again", path)
    beside = b""
    if data[:2] == MAGIC:
        header, raw = _unpack(data, path)
    elif is_nrrd(data):
        header, raw, beside = unpack_nrrd(data, path)
    elif is_pair(path):
        header, raw, beside = unpack_pair(data, path)
    elif is_metaimage(data[:64]):
        header, raw, beside = unpack_metaimage(data, path)
    else:
        header, raw = _split(data, path)
    shape = (*header.geometry.shape, header.channels)
    voxels = np.frombuffer(raw, dtype=header.dtype).reshape(shape, order="F")
    digest = hashlib.blake2b(data, digest_size=16)
    digest.update(beside)
    return Series(path, voxels, header, digest.hexdigest())


def _unpack(data: bytes, path: Path) -> tuple[Header, bytes]:
    """Header and voxel bytes of a gzipped file."""
    stream = GzipStream(data, path)
    head = stream.read(HEADER_BYTES)
    if head[:2] == MAGIC:
        raise InputFileError("a gzip file within a gzip file", "one compression", "unpack it once (gunzip)", path)
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
