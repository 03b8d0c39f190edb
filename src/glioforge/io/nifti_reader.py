"""Reads the cases of an ingested folder, whatever its image files are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

from glioforge.core import Case, CaseRef, GeometryError, InputFileError, Modality, Volume, scheme_named
from glioforge.io.digest import case_digest
from glioforge.io.found_case import BRAIN, LABELS
from glioforge.io.scan import Scan
from glioforge.io.tissue_shares import read_file


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
