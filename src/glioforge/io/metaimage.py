"""MetaImage files (`.mha`, and `.mhd` with its data next to it), parsed with the strictness of `io.scan`.

A MetaImage is a text header of `Key = Value` lines, the last of which says
where the voxels are: behind it, or in a file of the same folder.

Conventions
-----------
voxels       `(i, j, k)` as stored, i fastest
grid         given in LPS, as ITK has it, and turned to RAS; a file that does
             not say how its axes lie is refused
compression  zlib, read to its end and checksum

SimpleITK is not used: it returns wrong voxels from damaged compressed data
without an error, takes a file without orientation as LPS, reads over bytes
behind the data, and would be a dependency of everybody who reads BRATS 2012
to 2016.

Source: MetaIO documentation (Kitware, 2003-); ITK's `itkMetaImageIO`.
"""

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glioforge.core import Geometry, GeometryError, InputFileError
from glioforge.io.atomic_write import read_regular_file
from glioforge.io.nifti_header import Header, require_size

_LONGEST_HEADER = 2**16
_TYPES: Mapping[str, Any] = {
    "MET_CHAR": np.int8,
    "MET_UCHAR": np.uint8,
    "MET_SHORT": np.int16,
    "MET_USHORT": np.uint16,
    "MET_INT": np.int32,
    "MET_UINT": np.uint32,
    "MET_LONG": np.int32,
    "MET_ULONG": np.uint32,
    "MET_LONG_LONG": np.int64,
    "MET_ULONG_LONG": np.uint64,
    "MET_FLOAT": np.float32,
    "MET_DOUBLE": np.float64,
}
_FIXED: Mapping[str, tuple[str, ...]] = {
    "ObjectType": ("Image",),
    "NDims": ("3",),
    "BinaryData": ("True",),
    "ElementNumberOfChannels": ("1",),
    "HeaderSize": ("0",),
    "ElementToIntensityFunctionSlope": ("1",),
    "ElementToIntensityFunctionOffset": ("0",),
}
_SYNONYMS: Mapping[str, str] = {
    "Rotation": "TransformMatrix",
    "Orientation": "TransformMatrix",
    "Position": "Offset",
    "Origin": "Offset",
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}
_NEEDED = ("NDims", "DimSize", "ElementType", "ElementSpacing", "Offset", "TransformMatrix", "ElementDataFile")
_REMEDY = "write the file again with the tool that made it, or convert it to NIfTI"


def is_metaimage(data: bytes) -> bool:
    """Whether bytes begin as a MetaImage header does.

    Example:
        >>> is_metaimage(b"ObjectType = Image"), is_metaimage(b"<html>")
        (True, False)
    """
    return data.split(b"=", 1)[0].strip() in {b"ObjectType", b"NDims", b"Comment"}


def unpack_metaimage(data: bytes, path: Path) -> tuple[Header, bytes, bytes]:
    """Header, voxel bytes, and the bytes of the second file of an `.mhd`.

    Args:
        data: The whole file.
        path: Its place, beside which an `.mhd` has its data.

    Raises:
        InputFileError: The header is incomplete or contradicts itself, names a
            file elsewhere, or the voxels are fewer or more than it says.
    """
    values, end = _values(data, path)
    header, packed = _header(values, end, path)
    beside = b""
    stored = data[end:]
    if values["ElementDataFile"] != "LOCAL":
        if stored:
            raise _wrong(f"{len(stored)} bytes behind a header that names another file", "the header alone", path)
        beside = stored = _beside(values["ElementDataFile"], path)
    voxels = _inflated(stored, header.voxel_bytes, path) if packed else stored
    if len(voxels) != header.voxel_bytes:
        raise _wrong(f"{len(voxels)} bytes of voxels", f"{header.voxel_bytes} bytes, as the header says", path)
    return header, voxels, beside


def _values(data: bytes, path: Path) -> tuple[dict[str, str], int]:
    """Keys and values of the header, and where it ends."""
    values: dict[str, str] = {}
    place = 0
    while "ElementDataFile" not in values:
        stop = data.find(b"\n", place, _LONGEST_HEADER)
        stop = len(data) if stop < 0 and len(data) < _LONGEST_HEADER else stop
        line = data[place:stop].strip() if stop > place else b""
        key, sign, value = line.partition(b"=")
        if not sign or not line.isascii():
            raise _wrong(f"a header line {line[:40]!r}", "lines `Key = Value` up to ElementDataFile", path)
        name = key.decode().strip()
        name = _SYNONYMS.get(name, name)
        if name in values:
            raise _wrong(f"{name} twice in the header", "each key once", path)
        values[name] = value.decode().strip()
        place = min(stop + 1, len(data))
    return values, place


def _header(values: Mapping[str, str], end: int, path: Path) -> tuple[Header, bool]:
    """The header judged, and whether the voxels are compressed."""
    missing = [name for name in _NEEDED if name not in values]
    if missing:
        raise _wrong(f"a header without {', '.join(missing)}", "a whole MetaImage header", path)
    for name, allowed in _FIXED.items():
        if values.get(name, allowed[0]) not in allowed:
            raise _wrong(f"{name} = {values[name]}", f"{name} = {allowed[0]}", path)
    if values["ElementType"] not in _TYPES:
        raise _wrong(f"voxels of type {values['ElementType'][:40]}", f"one of {', '.join(_TYPES)}", path)
    order = ">" if _truth(values, "BinaryDataByteOrderMSB", path) else "<"
    dtype = np.dtype(_TYPES[values["ElementType"]]).newbyteorder(order)
    sizes = [int(n) if n % 1 == 0 else 0 for n in _numbers(values, "DimSize", 3, path)]
    shape = (sizes[0], sizes[1], sizes[2])
    if min(shape) < 1:
        raise _wrong(f"DimSize = {values['DimSize'][:60]}", "three positive whole numbers", path)
    require_size(shape, dtype, path)
    return Header(_grid(values, shape, path), dtype, end, 1.0, 0.0, "", extended=False), _truth(
        values, "CompressedData", path
    )


def _grid(values: Mapping[str, str], shape: tuple[int, int, int], path: Path) -> Geometry:
    """The grid in RAS; each row of `TransformMatrix` is the direction of an axis in LPS."""
    spacing = np.array(_numbers(values, "ElementSpacing", 3, path))
    directions = np.array(_numbers(values, "TransformMatrix", 9, path)).reshape(3, 3)
    if min(spacing) <= 0 or np.abs(directions @ directions.T - np.eye(3)).max() > 1e-3:
        raise _wrong(
            f"ElementSpacing {spacing.tolist()} and TransformMatrix {directions.tolist()}",
            "positive spacings and three directions at right angles",
            path,
        )
    affine = np.eye(4)
    affine[:3, :3] = (directions * spacing[:, None]).T
    affine[:3, 3] = _numbers(values, "Offset", 3, path)
    try:
        return Geometry(shape, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    except GeometryError as error:
        raise _wrong(error.found, error.expected, path) from error


def _numbers(values: Mapping[str, str], name: str, count: int, path: Path) -> list[float]:
    """So many finite numbers of a key."""
    try:
        numbers = [float(text) for text in values[name].split()]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise _wrong(f"{name} = {values[name][:80]}", f"{count} numbers", path)
    return numbers


def _truth(values: Mapping[str, str], name: str, path: Path) -> bool:
    """True or False of a key; False without it."""
    text = values.get(name, "False")
    if text not in {"True", "False"}:
        raise _wrong(f"{name} = {text[:40]}", "True or False", path)
    return text == "True"


def _beside(name: str, path: Path) -> bytes:
    """Bytes of the data file, which lies in the header's folder."""
    place = path.parent / name
    plain = Path(name).name == name and name not in {"LIST", ".", ".."} and "%" not in name
    if not plain or place.resolve().parent != path.resolve().parent:
        raise _wrong(f"ElementDataFile = {name[:80]}", "LOCAL, or the name of a file in the same folder", path)
    return read_regular_file(place)


def _inflated(data: bytes, count: int, path: Path) -> bytes:
    """Unpack exactly `count` bytes; the stream must end there, with the right checksum."""
    stream = zlib.decompressobj()
    try:
        voxels = stream.decompress(data, count)
        more = stream.decompress(stream.unconsumed_tail, 1) if not stream.eof else b""
    except zlib.error as error:
        raise _wrong(f"the compressed data are damaged ({error})", "a valid zlib stream", path) from error
    if more or not stream.eof or stream.unused_data:
        where = "more data than the header announces" if more or stream.unused_data else "no complete end mark"
        raise _wrong(f"compressed data with {where}", f"a zlib stream of {count} bytes", path)
    return voxels


def _wrong(found: str, expected: str, path: Path) -> InputFileError:
    """The error of every file that cannot be trusted."""
    return InputFileError(found, expected, _REMEDY, path)
