"""Folders of the BraTS challenges, with the names of the year that the label values belong to.

    <case>/<case>_{t1,t1ce,t2,flair,seg}.nii.gz       enhancing tumour is 4: 2017 to 2021
    <case>/<case>-{t1n,t1c,t2w,t2f,seg}.nii.gz        else: since 2023
    <case>/<case>.json                                of phantoms and synthetic cases: lineage

Source: challenge pages of BraTS 2017 to 2025.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import final

from glioforge.core import BRATS2017, CaseRef, LabelScheme, Modality
from glioforge.io import write_image, write_labels
from glioforge.release import DataSet, Format, Leaving, Target, refuse
from glioforge.release.formats.nifti import write_about, write_sidecar_of

_NEW = {Modality.T1: "-t1n", Modality.T1CE: "-t1c", Modality.T2: "-t2w", Modality.FLAIR: "-t2f"}
_OLD = {modality: f"_{modality}" for modality in _NEW}


@final
class BratsFormat(Format):
    """Folders of the BraTS challenges."""

    def require(self, refs: Sequence[CaseRef]) -> None:
        """Refuse contrasts that no challenge has."""
        refuse(
            [ref for ref in refs if not set(ref.images) <= set(_NEW)],
            "cases with a contrast that BraTS has no name for",
            ", ".join(_NEW),
            "name the contrasts to write: --modalities (modalities)",
        )

    def write_case(self, leaving: Leaving, target: Target) -> list[Path]:
        """Write images, labels and sidecar; the files that the case has."""
        case, name = leaving.case, leaving.name.case_id
        folder = target.folder / name
        old = _is_old(target.scheme)
        written = []
        for modality in case.modalities:
            written.append(folder / f"{name}{(_OLD if old else _NEW)[modality]}.nii.gz")
            write_image(written[-1], case.images[modality], leaving.description)
        if case.labels is not None:
            written.append(folder / f"{name}{'_' if old else '-'}seg.nii.gz")
            write_labels(written[-1], case.labels, leaving.description)
        return [*written, *write_sidecar_of(leaving, folder)]

    def write_dataset(self, data: DataSet, target: Target) -> None:
        """Write the description and a README."""
        write_about(data, target.folder, "One folder per case, laid out as in the BraTS challenges.")


def _is_old(scheme: LabelScheme | None) -> bool:
    """Whether the names of 2017 to 2021 go with a scheme; those since 2023 where no case has labels."""
    return scheme is not None and scheme.labels.get("enhancing") == BRATS2017.labels["enhancing"]


FORMAT = BratsFormat()
