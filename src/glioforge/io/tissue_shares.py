"""Tissue that comes as one probability map a class, as BIDS derivatives of fMRIPrep, SPM and CAT have it.

    sub-01_label-GM_probseg.nii.gz    grey matter
    sub-01_label-WM_probseg.nii.gz    white matter
    sub-01_label-CSF_probseg.nii.gz   fluid

The three are read as one label map in the scheme `bids_tissue`: the most
probable class of each voxel, background being what is missing to 1.

Source: BIDS 1.8, derivatives, probabilistic segmentations.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from glioforge.core import BIDS_TISSUE, Geometry, GeometryError, InputFileError, Modality
from glioforge.io.digest import case_digest
from glioforge.io.scan import Scan, Series, read_scan, read_series

_NAME = re.compile(r"(?P<before>.*_label-)(?P<label>GM|WM|CSF)(?P<after>_(?:.*_)?probseg\.nii(?:\.gz)?)")
_LABELS = {"GM": "grey_matter", "WM": "white_matter", "CSF": "csf"}
_TOLERANCE = 1e-2


def is_share(path: Path) -> bool:
    """Whether a file is named as the probability of a tissue.

    Example:
        >>> is_share(Path("sub-01_label-WM_probseg.nii.gz")), is_share(Path("sub-01_dseg.nii.gz"))
        (True, False)
    """
    return _NAME.fullmatch(path.name) is not None


def read_file(path: Path) -> Series:
    """All images of a file, or the tissue map that it is a share of; errors as `read_series` and `read_shares`."""
    return read_shares(path) if is_share(path) else read_series(path)


def files_behind(path: Path) -> tuple[Path, ...]:
    """All files that are read with one: the shares of a tissue map, the voxels beside a MetaImage header, or itself."""
    if is_share(path):
        return tuple(_beside(path).values())
    if path.suffix.lower() == ".mhd":
        return tuple(sorted({path, *path.parent.glob(f"{path.stem}.*raw")}))
    return (path,)


def read_shares(path: Path) -> Series:
    """The three probability maps of which one is named, as one label map.

    Raises:
        InputFileError: One of the three is missing or damaged, lies on another grid, or holds no probabilities.
    """
    paths = _beside(path)
    scans = {label: read_scan(share) for label, share in paths.items()}
    first = scans["GM"].header
    voxels = np.zeros(first.geometry.shape, dtype=np.uint8)
    shares = {label: _probabilities(scan, first.geometry) for label, scan in scans.items()}
    most = np.asarray(1 - np.sum(list(shares.values()), axis=0, dtype=np.float32))
    for label, share in shares.items():
        won = share > most
        most[won] = share[won]
        voxels[won] = BIDS_TISSUE.value(_LABELS[label])
    header = replace(first, dtype=voxels.dtype, slope=1.0, intercept=0.0)
    digest = case_digest({label: scan.digest for label, scan in scans.items()})
    return Series(path, voxels[..., None], header, digest)


def _beside(path: Path) -> dict[str, Path]:
    """Files of the three classes."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise InputFileError("no tissue probability by its name", "..._label-GM_probseg.nii.gz", where=path)
    paths = {label: path.with_name(match["before"] + label + match["after"]) for label in _LABELS}
    missing = [share.name for share in paths.values() if not share.exists()]
    if missing:
        raise InputFileError(
            f"no {', '.join(missing)} beside it",
            "a map for each of GM, WM and CSF",
            "add what is missing, or take the map away",
            path,
        )
    return paths


def _probabilities(scan: Scan, grid: Geometry) -> Float32[np.ndarray, "i j k"]:
    """Values of one map."""
    values = scan.image(Modality.T1).voxels
    try:
        grid.require_same(scan.header.geometry, "tissue probability")
    except GeometryError as error:
        raise InputFileError(error.found, error.expected, error.remedy, scan.path) from error
    low, high = float(values.min()), float(values.max())
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        raise InputFileError(
            f"values from {low:g} to {high:g}", "probabilities from 0 to 1", "scale the map to them", scan.path
        )
    return values
