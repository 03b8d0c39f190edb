"""The NIfTI-1 header, parsed and judged before a voxel is read.

What a header promises is checked before memory is taken for it.

Conventions
-----------
units     millimetres, or none given, which is read as millimetres
scaling   voxel * slope + intercept; slope 0 or NaN means none

Source: NIfTI-1.1 (nifti1.h, Cox et al. 2004).
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from glioforge.core import Geometry, InputFileError
from glioforge.io.nifti_grid import read_grid

HEADER_BYTES = 352
"""Header and the four bytes of the extension flag behind it."""
MAX_VOXELS = 2**27
"""Most voxels of one image: 512 x 512 x 512."""
MAX_VOXEL_BYTES = 2**29
"""Most bytes of voxels of one image: 512 MiB."""

_TYPES = {
    2: np.uint8,
    4: np.int16,
    8: np.int32,
    16: np.float32,
    64: np.float64,
    256: np.int8,
    512: np.uint16,
    768: np.uint32,
    1024: np.int64,
    1280: np.uint64,
}
_STRANGE_TYPES = {
    0: "unknown",
    1: "binary",
    32: "complex64",
    128: "RGB",
    1536: "float128",
    1792: "complex128",
    2048: "complex256",
    2304: "RGBA",
}
_MAX_EXTENSION_BYTES = 2**24


@final
@dataclass(frozen=True)
class Header:
    """What is needed of a NIfTI-1 header.

    Args:
        geometry: Grid of the voxels.
        dtype: Type of the stored voxels, with byte order.
        offset: Where the voxels begin in the (unpacked) file, in bytes.
        slope: Stored values are multiplied with it ...
        intercept: ... and this is added.
        description: The free text of the header.
        extended: Whether header extensions lie before the voxels.
        channels: Images in the file; more than one in a four-dimensional file.
    """

    geometry: Geometry
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    description: str
    extended: bool
    channels: int = 1

    @property
    def voxel_bytes(self) -> int:
        """Bytes that the voxels take in the file."""
        return math.prod(self.geometry.shape) * self.channels * self.dtype.itemsize

    @property
    def scaled(self) -> bool:
        """Whether stored values are not the values meant."""
        return (self.slope, self.intercept) != (1.0, 0.0)


def parse_header(data: bytes, path: Path, *, pair: bool = False) -> Header:
    """Read and judge a header.

    Args:
        data: The first 352 bytes of the (unpacked) file.
        path: Named in errors.
        pair: Whether the voxels are in a file of their own.

    Raises:
        InputFileError: It is no NIfTI-1 header, contradicts itself, or
            describes what is neither a three-dimensional scalar image nor a
            series of such images.
    """
    order = _byte_order(data, path, pair=pair)
    shape, channels = _shape(struct.unpack_from(f"{order}8h", data, 40), path)
    code, bits = struct.unpack_from(f"{order}2h", data, 70)
    dtype = _dtype(code, bits, order, path)
    offset, slope, intercept = struct.unpack_from(f"{order}3f", data, 108)
    _require_millimetres(data[123], path)
    start = _offset(offset, first=0 if pair else HEADER_BYTES, extended=data[348] != 0, path=path)
    scale = _scaling(slope, intercept, path)
    require_size((*shape, channels), dtype, path)
    description = data[148:228].split(b"\x00")[0].decode("latin-1")
    geometry = read_grid(data[:348], shape, path)
    return Header(geometry, dtype, start, *scale, description, data[348] != 0, channels)


def require_extensions(data: bytes, order: str, path: Path) -> None:
    """Check that header extensions fill the room before the voxels exactly.

    Args:
        data: The bytes between the extension flag and the voxels.
        order: Byte order as `numpy` writes it.
        path: Named in errors.

    Raises:
        InputFileError: An extension does not end where it should.
    """
    place = 0
    while place < len(data):
        size = struct.unpack_from(f"{'>' if order == '>' else '<'}i", data, place)[0] if place + 8 <= len(data) else 0
        if size < 8 or place + size > len(data):
            raise InputFileError(
                f"a header extension of {size} bytes at byte {place + HEADER_BYTES}",
                f"extensions that end at byte {len(data) + HEADER_BYTES}, where the voxels begin",
                "write the file again without extensions",
                path,
            )
        place += size


def _byte_order(data: bytes, path: Path, *, pair: bool) -> str:
    """`<` or `>`, from the header's own length field."""
    if len(data) < HEADER_BYTES:
        raise InputFileError(
            f"{len(data)} bytes",
            f"a NIfTI-1 header of {HEADER_BYTES} bytes",
            "this is not a whole NIfTI file: copy or download it again",
            path,
        )
    little, magic = int.from_bytes(data[:4], "little"), data[344:348]
    # 348 read with the wrong byte order is 0x5C010000; 540 is the length of a NIfTI-2 header.
    order = {348: "<", 0x5C010000: ">", 540: "2"}.get(little)
    if order == "2" or int.from_bytes(data[:4], "big") == 540:
        raise InputFileError("a NIfTI-2 file", "NIfTI-1", "convert it (nibabel: Nifti1Image.from_image)", path)
    if order is None or magic not in (b"n+1\x00", b"ni1\x00"):
        raise InputFileError("no NIfTI-1 header", "a .nii or .nii.gz file", "convert the image to NIfTI first", path)
    if magic == b"ni1\x00" and not pair:
        raise InputFileError("one half of an .hdr/.img pair", "a single .nii file", "give its ending .hdr back", path)
    return order


def _shape(dims: tuple[int, ...], path: Path) -> tuple[tuple[int, int, int], int]:
    """Three axis lengths and the number of images; further axes must have one voxel."""
    count = dims[0]
    used = dims[1 : count + 1]
    if not 1 <= count <= 7 or min(used) < 1:
        raise InputFileError(
            f"header dimensions {dims}",
            "one to seven positive numbers",
            "the header is damaged: write the file again",
            path,
        )
    if count < 3 or any(n != 1 for n in used[4:]):
        raise InputFileError(
            f"an image of shape {used}", "a three-dimensional image", "split a series into one file a contrast", path
        )
    return (used[0], used[1], used[2]), used[3] if count > 3 else 1


def _dtype(code: int, bits: int, order: str, path: Path) -> np.dtype[Any]:
    """Type of the stored voxels."""
    if code not in _TYPES:
        name = _STRANGE_TYPES.get(code, f"code {code}")
        raise InputFileError(
            f"voxels of type {name}",
            "integers or real numbers of up to 64 bits",
            "convert the image to a scalar one (int16 or float32)",
            path,
        )
    dtype = np.dtype(_TYPES[code]).newbyteorder("<" if order == "<" else ">")
    if bits != dtype.itemsize * 8:
        raise InputFileError(
            f"{bits} bits a voxel for type {dtype.name}",
            f"{dtype.itemsize * 8} bits",
            "the header is damaged: write the file again",
            path,
        )
    return dtype


def _require_millimetres(units: int, path: Path) -> None:
    """Refuse grids in metres or micrometres."""
    # The lower three bits are the unit of length, the others that of time; 0 says nothing and is taken as millimetres.
    name = {0: "", 2: ""}.get(units & 7, {1: "metres", 3: "micrometres"}.get(units & 7, f"code {units & 7}"))
    if name:
        raise InputFileError(f"a grid in {name}", "millimetres", "write the file again in millimetres", path)


def _offset(offset: float, *, first: int, extended: bool, path: Path) -> int:
    """Where the voxels begin."""
    smallest = first + (8 if extended else 0)
    if not (math.isfinite(offset) and smallest <= offset <= HEADER_BYTES + _MAX_EXTENSION_BYTES and offset % 1 == 0):
        raise InputFileError(
            f"voxels that begin at byte {offset:g}{' after an extension' if extended else ''}",
            f"a whole number from {smallest} to {HEADER_BYTES + _MAX_EXTENSION_BYTES}",
            "the header is damaged: write the file again without extensions",
            path,
        )
    return int(offset)


def _scaling(slope: float, intercept: float, path: Path) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where the header gives none."""
    # The standard reads slope 0 as no scaling; tools that never set the field leave NaN.
    if slope == 0 or math.isnan(slope):
        return 1.0, 0.0
    if not (1e-15 < abs(slope) < 1e15 and math.isfinite(intercept) and abs(intercept) < 1e15):
        raise InputFileError(
            f"intensity scaling by slope {slope:g} and intercept {intercept:g}",
            "finite numbers of a sensible size",
            "the header is damaged: write the file again",
            path,
        )
    return slope, intercept


def require_size(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> None:
    """Refuse images that no scanner makes, before memory is taken for them.

    Args:
        shape: Axis lengths, of a series its channels too.
        dtype: Type of the stored voxels.
        path: Named in errors.

    Raises:
        InputFileError: There are more voxels or bytes than the caps allow.
    """
    count = math.prod(shape)
    if count > MAX_VOXELS or count * dtype.itemsize > MAX_VOXEL_BYTES:
        raise InputFileError(
            f"{' x '.join(map(str, shape))} voxels of type {dtype.name}",
            f"at most {MAX_VOXELS} voxels and {MAX_VOXEL_BYTES} bytes",
            "crop the image or store it in a smaller type",
            path,
        )
