"""Read the cases of an ingested folder, whatever its image files are, and tissue that comes as probability maps.

BIDS derivatives of fMRIPrep, SPM and CAT have one probability map for each class:

    sub-01_label-GM_probseg.nii.gz    grey matter
    sub-01_label-WM_probseg.nii.gz    white matter
    sub-01_label-CSF_probseg.nii.gz   fluid

The three are read as one label map in the scheme `bids_tissue`: the most
probable class of each voxel, background being what is missing to 1.

Source: BIDS 1.8, derivatives, probabilistic segmentations.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from jaxtyping import Float32

from glioforge.core import (
    BIDS_TISSUE,
    Case,
    CaseRef,
    Geometry,
    GeometryError,
    InputFileError,
    Modality,
    Volume,
    scheme_named,
)
from glioforge.io.digest import case_digest
from glioforge.io.layout import BRAIN, LABELS
from glioforge.io.scan import Scan, Series, read_scan, read_series


@final
@dataclass(frozen=True)
class NiftiReader:
    """Reads a case from image files; grids, types and label values are checked every time.

    Args:
        verify: Refuse files whose contents have changed since they were ingested; costs no reading.
        channels: Which image of its file each contrast is, where a file holds several.
    """

    format: ClassVar[str] = "nifti"

    verify: bool = True
    channels: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, ref: CaseRef, /) -> Case:
        """Read the voxels of a case.

        Raises:
            InputFileError: A file is missing or damaged, lies on another grid,
                holds labels outside the scheme, or has changed.
        """
        scans = read_scans(ref, self.channels)
        if self.verify:
            require_digest(ref, digest_of(scans))
        images = {modality: scans[str(modality)].image(modality) for modality in ref.modalities}
        return assembled(ref, scans, images, ref.facts)

    def require_unchanged(self, ref: CaseRef) -> None:
        """Read the files and compare their contents with those that were ingested.

        Raises:
            InputFileError: A file is missing or damaged, or has changed.
        """
        require_digest(ref, digest_of(read_scans(ref, self.channels)))


def digest_of(scans: Mapping[str, Scan]) -> str:
    """Hash the contents of a case's files."""
    return case_digest({role: scan.digest for role, scan in scans.items()})


def require_digest(ref: CaseRef, digest: str) -> None:
    """Refuse contents that are not those of the reference.

    Raises:
        InputFileError: They have changed since they were ingested.
    """
    if digest != ref.digest:
        files = {str(m): p for m, p in ref.images.items()} | {LABELS: ref.labels, BRAIN: ref.brain}
        named = ", ".join(sorted({path.name for path in files.values() if path is not None}))
        raise InputFileError(
            f"files that have changed since they were ingested (among {named})",
            f"contents with hash {ref.digest}",
            "ingest the folder again, into another folder, or restore the files",
            ref.case_id,
        )


def read_scans(ref: CaseRef, channels: Mapping[str, int]) -> dict[str, Scan]:
    """Every file of a case, by contrast, labels or brain; a file of several contrasts is read once.

    Raises:
        InputFileError: A file is missing or damaged.
    """
    paths = {**{str(m): p for m, p in ref.images.items()}, LABELS: ref.labels, BRAIN: ref.brain}
    gone = next((path for path in paths.values() if path is not None and not path.exists()), None)
    if gone is not None:
        raise InputFileError(
            "a file that is not there",
            "the scans where they were when they were ingested",
            "move scans and cohort back to where they were, or ingest the folder again where it is now",
            gone,
        )
    opened = {path: read_file(path) for path in dict.fromkeys(paths.values()) if path is not None}
    return {role: opened[path].channel(channels.get(role)) for role, path in paths.items() if path}


def assembled(
    ref: CaseRef, scans: Mapping[str, Scan], images: Mapping[Modality, Volume], facts: Mapping[str, Any]
) -> Case:
    """The case that a reference means, from its images and the scans of labels and brain.

    Raises:
        InputFileError: Grids differ, or labels or mask hold strange values.
    """
    brain = scans[BRAIN].mask() if BRAIN in scans else None
    labels = scans[LABELS].labels(scheme_named(ref.scheme)) if LABELS in scans else None
    try:
        return Case(ref.case_id, ref.subject_id, images, ref.lineage, labels, brain, ref.session, dict(facts))
    except GeometryError as error:
        path = next(iter(scans.values())).path.parent
        raise InputFileError(str(error), remedy="ingest the folder again", where=path) from error


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
    """All files that are read with one: the shares of a tissue map, the voxel file of a MetaImage header, or itself."""
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
