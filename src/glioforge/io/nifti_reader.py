"""Reads the cases of an ingested folder."""

from dataclasses import dataclass
from typing import ClassVar, final

from glioforge.core.case import Case, CaseRef
from glioforge.core.errors import GeometryError, InputFileError
from glioforge.core.schemes import scheme_named
from glioforge.io.digest import case_digest
from glioforge.io.found_case import BRAIN, LABELS
from glioforge.io.scan import Scan, read_scan


@final
@dataclass(frozen=True)
class NiftiReader:
    """Reads a case from NIfTI files; grids, types and label values are checked every time.

    Args:
        verify: Also refuse files whose contents have changed since they were ingested.
    """

    format: ClassVar[str] = "nifti"

    verify: bool = False

    def __call__(self, ref: CaseRef, /) -> Case:
        """Read the voxels of a case.

        Raises:
            InputFileError: A file is missing or damaged, lies on another grid,
                holds labels outside the scheme, or has changed.
        """
        paths = {**{str(m): p for m, p in ref.images.items()}, LABELS: ref.labels, BRAIN: ref.brain}
        scans = {role: read_scan(path) for role, path in paths.items() if path is not None}
        self._require_unchanged(ref, scans)
        brain = scans[BRAIN].mask() if BRAIN in scans else None
        labels = scans[LABELS].labels(scheme_named(ref.scheme)) if LABELS in scans else None
        images = {modality: scans[str(modality)].image(modality) for modality in ref.modalities}
        try:
            return Case(ref.case_id, ref.subject_id, images, ref.lineage, labels, brain, ref.session, dict(ref.facts))
        except GeometryError as error:
            path = next(iter(scans.values())).path.parent
            raise InputFileError(str(error), remedy="ingest the folder again", where=path) from error

    def _require_unchanged(self, ref: CaseRef, scans: dict[str, Scan]) -> None:
        """Compare content hashes where that is asked for."""
        digest = case_digest({role: scan.digest for role, scan in scans.items()})
        if self.verify and digest != ref.digest:
            raise InputFileError(
                "files that have changed since they were ingested",
                f"contents with hash {ref.digest}",
                "ingest the folder again, or restore the files",
                ref.case_id,
            )
