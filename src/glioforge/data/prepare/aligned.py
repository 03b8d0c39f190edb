"""Reads cases whose contrasts lie on different grids: those that differ are registered onto one of them.

A scanner gives each contrast its own slices.  `ingest` takes such cases only
where a reference contrast is named; labels and brain mask lie on its grid.
Contrasts that lie on it already are left as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

from glioforge.core.case import Case, CaseRef
from glioforge.core.modality import Modality
from glioforge.data.prepare.register import register_volumes
from glioforge.io.digest import case_digest
from glioforge.io.nifti_reader import assembled, digest_of, read_scans, require_digest
from glioforge.io.scan import Scan


@final
@dataclass(frozen=True)
class AlignedReader:
    """Reads a case and registers, rigidly, what does not lie on the reference's grid.

    Args:
        reference: Name of the contrast that stays.
        channels: Which image of its file each contrast is, where a file holds several.
    """

    format: ClassVar[str] = "aligned"

    reference: str
    channels: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, ref: CaseRef, /) -> Case:
        """Read the voxels of a case; its facts tell the transforms, from the reference's world to each contrast's.

        Raises:
            InputFileError: As `NiftiReader`; also where files have changed since they were ingested.
            CaseError: The reference is missing.
            DependencyError: SimpleITK is not installed.
        """
        scans = read_scans(ref, self.channels)
        self._require(ref, scans)
        volumes = {modality: scans[str(modality)].image(modality) for modality in ref.modalities}
        reference = Modality(self.reference)
        fixed = volumes.get(reference)
        others = {m: v for m, v in volumes.items() if fixed is None or not fixed.geometry.matches(v.geometry)}
        if fixed is not None:
            others[reference] = fixed
        moved, transforms = register_volumes(others, reference)
        found = {str(m): t.tolist() for m, t in transforms.items()}
        facts = {**ref.facts, "registered": {"reference": self.reference, "transforms": found}}
        return assembled(ref, scans, {m: moved.get(m, v) for m, v in volumes.items()}, facts)

    def require_unchanged(self, ref: CaseRef) -> None:
        """Compare the files with what was ingested, without registering anything; errors as `NiftiReader`."""
        self._require(ref, read_scans(ref, self.channels))

    def _require(self, ref: CaseRef, scans: Mapping[str, Scan]) -> None:
        require_digest(ref, case_digest({"files": digest_of(scans), "register_to": self.reference}))
