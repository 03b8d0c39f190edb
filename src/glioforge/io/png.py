"""Slices as PNG for tools that read nothing else: 16-bit grey images and 8-bit label maps, checked after writing.

Foroozandeh and Eklund train on such files.  PNG holds whole numbers, so an
image is written in steps of its own scale; what was written is read back and
compared before the file counts as there.
"""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from glioforge.core import InputFileError, OutputError
from glioforge.io.atomic_write import write_atomically

MIDDLE = 32768
"""Grey value of intensity 0."""


def write_png_image(path: Path, plane: Float32[np.ndarray, "i j"], scale: float = 1 / 4096) -> None:
    """Write one slice as 16-bit grey; grey 32768 is 0, one step is `scale`.

    Lossless for slices of a prepared store, whose intensities are whole steps
    of 1/4096; others are rounded to the nearest step.

    Args:
        path: File to write, `.png`.
        plane: Intensities; rows of the picture run from front to back, columns from left to right.
        scale: Intensity of one step.

    Raises:
        OutputError: Intensities do not fit into 16 bits, or the file cannot be written.
    """
    steps = np.rint(plane / np.float32(scale)) + MIDDLE
    if steps.size and (steps.min() < 0 or steps.max() > 65535):
        raise OutputError(
            f"intensities from {plane.min():.4g} to {plane.max():.4g}",
            f"within ±{MIDDLE * scale:.4g} for steps of {scale:.4g}",
            "take a coarser scale, or normalise first",
            path,
        )
    _write(path, steps.astype(np.uint16))


def write_png_labels(path: Path, plane: UInt8[np.ndarray, "i j"]) -> None:
    """Write one slice of a label map as 8-bit grey; a grey value is a label.

    Raises:
        OutputError: The file cannot be written.
    """
    _write(path, plane)


def read_png_image(path: Path, scale: float = 1 / 4096) -> Float32[np.ndarray, "i j"]:
    """Inverse of `write_png_image`.

    Raises:
        InputFileError: The file cannot be read or is not 16-bit grey.
    """
    plane = _read(path)
    if plane.dtype == np.uint8:
        raise InputFileError("8-bit grey", "16-bit grey", "read it as labels", path)
    return (plane.astype(np.float32) - np.float32(MIDDLE)) * np.float32(scale)


def read_png_labels(path: Path) -> UInt8[np.ndarray, "i j"]:
    """Inverse of `write_png_labels`.

    Raises:
        InputFileError: The file cannot be read or is not 8-bit grey.
    """
    plane = _read(path)
    if plane.dtype != np.uint8:
        raise InputFileError("not 8-bit grey", "8-bit grey", "read it as an image", path)
    return plane


def _write(path: Path, plane: Shaped[np.ndarray, "i j"]) -> None:
    """Encode, decode again, compare, and write at once."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plane.T[::-1])).save(buffer, "PNG")
    back = np.asarray(Image.open(io.BytesIO(buffer.getvalue()))).astype(plane.dtype)
    if not np.array_equal(back[::-1].T, plane):
        raise OutputError("a picture that reads back otherwise", "a lossless one", "install another Pillow", path)
    write_atomically(path, buffer.getvalue())


def _read(path: Path) -> Shaped[np.ndarray, "i j"]:
    """Decode a grey PNG."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as picture:
            plane = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputFileError(f"cannot be read ({error})", "a PNG", "write it again", path) from error
    if plane.ndim != 2 or plane.dtype == bool:
        raise InputFileError("a picture in colour or black and white", "grey", "write it again", path)
    whole = plane if plane.dtype == np.uint8 else plane.astype(np.uint16)
    return np.ascontiguousarray(whole[::-1].T)
