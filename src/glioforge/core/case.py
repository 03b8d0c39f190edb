"""A case: the contrasts of one session of one subject, with labels, on one grid.

`Case` holds voxels, `CaseRef` says where they are and loads them when asked,
so that a cohort of thousands fits into memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import numpy as np

from glioforge.core.errors import CaseError, GeometryError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.volume import Mask, Modality, Volume, in_standard_order


@final
@dataclass(frozen=True, eq=False)
class Case:
    """Images, labels and brain mask of one session, all on one grid.

    Args:
        case_id: Unique within a cohort.
        subject_id: The person (or phantom); several cases may share it.
        images: A volume for each contrast; may be empty for a bare label map.
        labels: Tumour (and tissue) labels, if known.
        brain: Mask of the brain, if known.
        lineage: Where the case comes from.
        session: Visit, if the subject has several.
        facts: What else is known: grade, site, scanner ...

    Raises:
        CaseError: There is neither an image nor a label map, or an image lies under another contrast's name.
        GeometryError: Grids differ.
    """

    case_id: str
    subject_id: str
    images: Mapping[Modality, Volume]
    lineage: Lineage
    labels: LabelMap | None = None
    brain: Mask | None = None
    session: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.images and self.labels is None:
            raise CaseError("no image and no label map", "at least one of them", where=self.case_id)
        for modality, volume in self.images.items():
            if volume.modality != modality:
                raise CaseError(f"{volume.modality} image under the name {modality}", where=self.case_id)
            self.geometry.require_same(volume.geometry, f"{self.case_id} {modality}")
        if self.labels is not None:
            self.geometry.require_same(self.labels.geometry, f"{self.case_id} label map")
        if self.brain is not None and self.brain.shape != self.geometry.shape:
            raise GeometryError(f"brain mask of shape {self.brain.shape}", f"{self.geometry.shape}", where=self.case_id)

    @property
    def geometry(self) -> Geometry:
        """The case's one grid."""
        if self.images:
            return next(iter(self.images.values())).geometry
        return self.require_labels().geometry

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts present, in standard order."""
        return in_standard_order(set(self.images))

    @property
    def brain_mask(self) -> Mask:
        """Mask of the brain: the case's own, else where any image is not 0, else where a bare label map is labelled.

        Labels are not asked where there are images: what is measured or segmented must not know the truth.
        """
        if self.brain is not None:
            return self.brain
        if self.images:
            return np.logical_or.reduce([volume.voxels != 0 for volume in self.images.values()])
        return self.require_labels().foreground

    def require_labels(self) -> LabelMap:
        """Label map of the case.

        Raises:
            CaseError: There is none.
        """
        if self.labels is None:
            raise CaseError("no label map", "a labelled case", "leave the case out or label it", self.case_id)
        return self.labels

    def require_images(self, modalities: tuple[Modality, ...]) -> None:
        """Refuse a case that lacks one of these contrasts.

        Raises:
            CaseError: A contrast is missing.
        """
        missing = [str(m) for m in modalities if m not in self.images]
        if missing:
            raise CaseError(
                f"contrasts {[str(m) for m in self.modalities]}",
                f"also {missing}",
                "leave the case out, or name only contrasts that every case has",
                self.case_id,
            )

    def stack(self, modalities: tuple[Modality, ...]) -> np.ndarray:
        """Images as one float32 array `(channel, i, j, k)` in the order asked; errors as `require_images`."""
        self.require_images(modalities)
        return np.stack([self.images[m].voxels for m in modalities])


@runtime_checkable
class CaseReader(Protocol):
    """Loads the voxels that a reference points to."""

    def __call__(self, ref: "CaseRef", /) -> Case:
        """Read the case; raises a `GlioforgeError` that names the file."""
        ...


@final
@dataclass(frozen=True)
class CaseRef:
    """A case by its files; `load()` reads them.

    Args:
        case_id: Unique within a cohort; safe as a file name.
        subject_id: The person (or phantom).
        images: File of each contrast.
        scheme: Name of the label scheme of the label file.
        lineage: Where the case comes from.
        digest: Hash of the contents of its files.
        reader: Reads the files; not part of the case's identity.
        labels: Label file, if any.
        brain: Brain-mask file, if any.
        session: Visit, if the subject has several.
        facts: What else is known: grade, site, tumour volume ...
    """

    case_id: str
    subject_id: str
    images: Mapping[Modality, Path]
    scheme: str
    lineage: Lineage
    digest: str
    reader: CaseReader = field(compare=False, repr=False)
    labels: Path | None = None
    brain: Path | None = None
    session: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts present, in standard order."""
        return in_standard_order(set(self.images))

    def load(self) -> Case:
        """Read the voxels."""
        return self.reader(self)
