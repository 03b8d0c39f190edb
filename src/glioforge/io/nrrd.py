"""NRRD files (`.nrrd`, and `.nhdr` with its data in a second file), decoded by SimpleITK, checked with distrust.

An NRRD is a text header of `key: value` lines, an empty line, and the voxels, behind it or in a file of the same
folder.  The header is judged and the data are counted before SimpleITK is asked for the voxels.

Conventions
-----------
voxels       `(i, j, k)` as stored, i fastest
grid         the header's space directions, turned to RAS; a file that does not say which way its axes point is refused
encodings    raw and gzip
3D Slicer    `.seg.nrrd` of one layer holds label values as any label map; several layers are refused

Source: definition of the NRRD file format (teem, 2005); 3D Slicer's segmentation file format.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from glioforge.core import Geometry, GeometryError, InputFileError
from glioforge.io.atomic_write import read_regular_file
from glioforge.io.gzip_stream import GzipStream
from glioforge.io.itk import simple_itk
from glioforge.io.nifti_header import Header, require_size

MAGIC = b"NRRD00"
_LONGEST_HEADER = 2**20
_REMEDY = "write the file again with the tool that made it, or convert it to NIfTI"
_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
_SPACES = ("left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las")
_MANY = "a segmentation of several layers or a series is no label map: export it as a label map or one file a contrast"


def is_nrrd(data: bytes) -> bool:
    """Whether bytes begin as an NRRD header does.

    Example:
        >>> is_nrrd(b"NRRD0004"), is_nrrd(b"<html>")
        (True, False)
    """
    return data.startswith(MAGIC)


def unpack_nrrd(data: bytes, path: Path) -> tuple[Header, bytes, bytes]:
    """Return header, voxel bytes, and the bytes of the second file of an `.nhdr`.

    Args:
        data: The whole file.
        path: Its place, where SimpleITK reads it and an `.nhdr` has its data.

    Raises:
        InputFileError: The header is incomplete or contradicts itself, names a file elsewhere, or the voxels are
            fewer or more than it says.
        DependencyError: SimpleITK is not installed.
    """
    fields, end = _fields(data, path)
    dtype, shape = _judged(fields, path)
    beside = b""
    stored = data[end:]
    name = fields.get("data file", fields.get("datafile"))
    if name is not None:
        beside = stored = _beside(name, path)
    count = math.prod(shape) * dtype.itemsize
    if fields["encoding"] == "raw":
        if len(stored) != count:
            raise _wrong(f"{len(stored)} bytes of voxels", f"{count} bytes, as the header says", path)
    else:
        stream = GzipStream(stored, path)
        stream.read(count)
        stream.finish()
    return *_decoded(path, shape, dtype), beside


def _fields(data: bytes, path: Path) -> tuple[dict[str, str], int]:
    """Fields of the header in small letters, and where the voxels begin."""
    fields: dict[str, str] = {}
    place = data.find(b"\n") + 1
    while 0 < place < len(data):
        stop = data.find(b"\n", place, _LONGEST_HEADER)
        stop = len(data) if stop < 0 else stop
        line = data[place:stop].strip(b"\r")
        place = stop + 1
        if not line:
            break
        text = line.decode("utf-8", "replace")
        key, sign, value = text.partition(":")
        if text.startswith("#") or value.startswith("="):
            continue
        if not sign or key.strip().lower() in fields:
            raise _wrong(f"a header line {text[:40]!r}", "lines `key: value`, each key once", path)
        fields[key.strip().lower()] = value.strip()
    return fields, min(place, len(data))


def _judged(fields: Mapping[str, str], path: Path) -> tuple["np.dtype[np.generic]", tuple[int, int, int]]:
    """Type and shape, after everything that SimpleITK would guess is refused."""
    missing = [name for name in ("type", "dimension", "sizes", "encoding") if name not in fields]
    if missing:
        raise _wrong(f"a header without {', '.join(missing)}", "a whole NRRD header", path)
    kinds = set(fields.get("kinds", "domain").lower().split()) - {"domain", "space", "???", "none"}
    if fields["dimension"] != "3" or kinds:
        raise InputFileError(
            f"dimension {fields['dimension']} with sizes {fields['sizes'][:40]} and kinds {fields.get('kinds', '')!r}",
            "a three-dimensional scalar image",
            _MANY,
            path,
        )
    space, directions = fields.get("space", "not given"), fields.get("space directions", "not given")
    if space.lower() not in _SPACES or directions == "not given":
        raise InputFileError(
            f"space {space!r} with directions {directions!r}",
            f"one of {', '.join(_SPACES[::2])} with space directions: left and right cannot be told without them",
            "export it again with its orientation, or convert it with a tool that knows it",
            path,
        )
    if fields["type"].lower() not in _TYPES or fields["encoding"].lower() not in {"raw", "gzip", "gz"}:
        raise _wrong(f"type {fields['type']}, encoding {fields['encoding']}", "a number, raw or gzip", path)
    units = set(fields.get("space units", "mm").replace('"', "").lower().split()) - {"mm"}
    skips = [name for name in ("line skip", "byte skip", "lineskip", "byteskip") if fields.get(name, "0") != "0"]
    if units or skips:
        raise _wrong(f"units {sorted(units)}, {', '.join(skips) or 'nothing'} skipped", "millimetres, no skips", path)
    sizes = fields["sizes"].split()
    if len(sizes) != 3 or not all(size.isascii() and size.isdecimal() and 0 < int(size) < 2**31 for size in sizes):
        raise _wrong(f"sizes {fields['sizes'][:60]}", "three positive whole numbers", path)
    dtype: np.dtype[np.generic] = np.dtype(_TYPES[fields["type"].lower()])
    shape = (int(sizes[0]), int(sizes[1]), int(sizes[2]))
    require_size(shape, dtype, path)
    return dtype, shape


def _decoded(path: Path, shape: tuple[int, int, int], dtype: "np.dtype[np.generic]") -> tuple[Header, bytes]:
    """Voxels and grid as SimpleITK reads them."""
    itk = simple_itk("reading NRRD files needs", "convert them to NIfTI")
    try:
        image = itk.ReadImage(str(path), imageIO="NrrdImageIO")
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise _wrong(f"a file that cannot be decoded ({reason})", "a valid NRRD file", path) from error
    voxels = itk.GetArrayFromImage(image).transpose()
    directions = np.array(image.GetDirection()).reshape(3, 3)
    if voxels.shape != shape or voxels.dtype != dtype or np.abs(directions @ directions.T - np.eye(3)).max() > 1e-3:
        raise _wrong(
            f"{voxels.dtype} of shape {voxels.shape} with directions {directions.tolist()}",
            f"{dtype} of shape {shape}, and three directions at right angles",
            path,
        )
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    try:
        geometry = Geometry(shape, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    except GeometryError as error:
        raise _wrong(error.found, error.expected, path) from error
    return Header(geometry, dtype, 0, 1.0, 0.0, "", extended=False), voxels.tobytes(order="F")


def _beside(name: str, path: Path) -> bytes:
    """Bytes of the data file, which lies in the header's folder."""
    place = path.parent / name
    plain = Path(name).name == name and name not in {".", ".."} and "%" not in name and not name.startswith("LIST")
    if not plain or place.resolve().parent != path.resolve().parent:
        raise _wrong(f"data file {name[:80]!r}", "the name of one file in the same folder", path)
    return read_regular_file(place)


def _wrong(found: str, expected: str, path: Path) -> InputFileError:
    """The error of every file that cannot be trusted."""
    return InputFileError(found, expected, _REMEDY, path)
