"""The grid of a NIfTI-1 header, read with nibabel and newly written, never copied.

The affine comes from nibabel's header class, so that it is number for number
what other tools see.  Where sform and qform disagree, tools disagree on left
and right, so such a file is refused.

Conventions
-----------
grid      sform or qform, whichever has a code; both must agree to 1e-3 in
          every number of the affine
units     millimetres, RAS+

Source: NIfTI-1.1 (nifti1.h, Cox et al. 2004), methods 2 and 3.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from glioforge.core import Geometry, GeometryError, InputFileError, OutputError

MAX_AFFINE_DIFFERENCE = 1e-3
"""Largest difference of a number of sform and qform."""

_HEADER_BYTES = 352


def read_grid(block: bytes, shape: tuple[int, int, int], path: Path) -> Geometry:
    """The grid, from whichever of sform and qform is set; both must agree.

    Args:
        block: The 348 bytes of the header.
        shape: Axis lengths.
        path: Named in errors.

    Raises:
        InputFileError: Neither is set, they disagree, or the affine is not finite or not invertible.
    """
    import nibabel as nib

    header: Any = nib.Nifti1Header(block, check=False)  # type: ignore[no-untyped-call]
    forms: dict[str, Float[np.ndarray, "4 4"]] = {}
    try:
        with np.errstate(all="ignore"):
            if header["sform_code"] > 0:
                forms["sform"] = header.get_sform()
            if header["qform_code"] > 0:
                forms["qform"] = header.get_qform()
    except (ValueError, nib.spatialimages.HeaderDataError) as error:
        raise InputFileError(
            f"a qform that cannot be used ({error})",
            "a valid quaternion and positive voxel sizes",
            "repair the header with the tool that wrote it",
            path,
        ) from error
    if not forms:
        raise InputFileError(
            "neither sform nor qform is set",
            "a grid with a known orientation",
            "set it from the source scan: left and right cannot be told without it",
            path,
        )
    _require_agreement(forms, path)
    try:
        with np.errstate(all="ignore"):
            return Geometry(shape, next(iter(forms.values())).astype(np.float64))
    except GeometryError as error:
        remedy = "repair the header with the tool that wrote the file"
        raise InputFileError(error.found, error.expected, error.remedy or remedy, path) from error


def header_bytes(geometry: Geometry, dtype: np.dtype[Any], description: str, path: Path) -> bytes:
    """A fresh header of 352 bytes: sform and qform set, millimetres, nothing carried over.

    The qform is left out where the affine has shears, which it cannot hold.

    Args:
        geometry: Grid of the voxels.
        dtype: Type of the stored voxels, little-endian.
        description: Free text, at most 79 characters of Latin-1.
        path: Named in errors.

    Raises:
        OutputError: The description is too long, or an axis has more than 32767 voxels.
    """
    import nibabel as nib

    text = description.encode("latin-1", "replace")
    if len(text) > 79:
        raise OutputError(f"a description of {len(text)} characters", "at most 79", "shorten it", path)
    if max(geometry.shape) > 32767:
        raise OutputError(f"grid {geometry.shape}", "at most 32767 voxels along an axis", "crop the image", path)
    header: Any = nib.Nifti1Header(endianness="<")  # type: ignore[no-untyped-call]
    header.set_data_dtype(dtype)
    header.set_data_shape(geometry.shape)
    header.set_sform(geometry.affine, code=1)
    header.set_qform(geometry.affine, code=1, strip_shears=True)
    if np.abs(header.get_qform() - geometry.affine).max() > MAX_AFFINE_DIFFERENCE / 2:
        header["qform_code"] = 0
    header.set_xyzt_units("mm")
    header["vox_offset"] = _HEADER_BYTES
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["magic"] = b"n+1"
    header["descrip"] = text
    return bytes(header.binaryblock) + bytes(4)


def _require_agreement(forms: dict[str, Float[np.ndarray, "4 4"]], path: Path) -> None:
    """Refuse sform and qform that put voxels in different places."""
    if len(forms) < 2:
        return
    with np.errstate(all="ignore"):
        apart = float(np.abs(forms["sform"] - forms["qform"]).max())
    if not apart <= MAX_AFFINE_DIFFERENCE:
        raise InputFileError(
            f"sform and qform differ by {apart:.4g}",
            f"a difference of at most {MAX_AFFINE_DIFFERENCE}",
            "find out which one is right and copy it over the other (fslorient, or nibabel's set_sform)",
            path,
        )
