"""NIfTI-1 in two files: the header in `.hdr`, the voxels in `.img` of the same name.

An Analyze 7.5 pair looks the same and does not say where left and right are, so it is refused.

Source: NIfTI-1.1 (nifti1.h, Cox et al. 2004).
"""

from pathlib import Path

from glioforge.core import InputFileError
from glioforge.io.atomic_write import read_regular_file
from glioforge.io.nifti_header import HEADER_BYTES, Header, parse_header

PAIR_MAGIC = b"ni1\x00"
_BARE_HEADER = 348


def is_pair(path: Path) -> bool:
    """Whether a file is named as the header of a pair."""
    return path.name.lower().endswith(".hdr")


def unpack_pair(data: bytes, path: Path) -> tuple[Header, bytes, bytes]:
    """Return header, voxel bytes, and the bytes of the `.img` file.

    Args:
        data: The whole `.hdr` file.
        path: Its place.

    Raises:
        InputFileError: It is an Analyze 7.5 header, the `.img` file is missing, or has another length than the header
            says.
    """
    if data[344:348] != PAIR_MAGIC:
        raise InputFileError(
            "an Analyze 7.5 pair, which does not say where left and right are",
            "NIfTI, one file or a pair",
            "convert it with a tool that is given its orientation, and look at one scan",
            path,
        )
    if len(data) not in (_BARE_HEADER, HEADER_BYTES) or any(data[_BARE_HEADER:]):
        raise InputFileError(
            f"a header of {len(data)} bytes",
            f"{_BARE_HEADER} or {HEADER_BYTES} bytes without extensions",
            "convert it to .nii.gz",
            path,
        )
    header = parse_header(data.ljust(HEADER_BYTES, b"\x00"), path, pair=True)
    image = next((p for p in path.parent.iterdir() if p.name.lower() == f"{path.name[:-4]}.img".lower()), None)
    if image is None:
        raise InputFileError("no .img file of the same name", "both files of the pair", "add the .img file", path)
    stored = read_regular_file(image)
    if len(stored) != header.offset + header.voxel_bytes:
        raise InputFileError(
            f"a file of {len(stored)} bytes",
            f"{header.offset + header.voxel_bytes} bytes, as its header says",
            "the file is damaged or incomplete: copy or download it again",
            image,
        )
    return header, stored[header.offset :], stored
