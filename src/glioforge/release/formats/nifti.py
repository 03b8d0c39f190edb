"""Plain NIfTI: a folder for each case, files named by contrast.

    <case>/<case>_{t1,t1ce,t2,flair,aptw}.nii.gz, <case>_labels.nii.gz, <case>_brain_mask.nii.gz
    <case>/<case>.json             of phantoms and synthetic cases: lineage
    dataset_description.json, README.md

The names are Glioforge's own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import final

from glioforge.core import CaseRef
from glioforge.io import write_atomically, write_image, write_json, write_labels, write_mask
from glioforge.release import DataSet, Format, Leaving, Target, readme

DESCRIPTION = "dataset_description.json"
README = "README.md"


@final
class NiftiFormat(Format):
    """Folders of NIfTI files."""

    def require(self, refs: Sequence[CaseRef]) -> None:
        """Accept every case: each is written with what it has."""

    def write_case(self, leaving: Leaving, target: Target) -> list[Path]:
        """Write images, labels, brain mask and sidecar; the files that the case has."""
        case, name = leaving.case, leaving.name.case_id
        folder = target.folder / name
        written = []
        for modality in case.modalities:
            written.append(folder / f"{name}_{modality}.nii.gz")
            write_image(written[-1], case.images[modality], leaving.description)
        if case.labels is not None:
            written.append(folder / f"{name}_labels.nii.gz")
            write_labels(written[-1], case.labels, leaving.description)
        if case.brain is not None:
            written.append(folder / f"{name}_brain_mask.nii.gz")
            write_mask(written[-1], case.brain, case.geometry, leaving.description)
        return [*written, *write_sidecar_of(leaving, folder)]

    def write_dataset(self, data: DataSet, target: Target) -> None:
        """Write the description and a README."""
        write_about(data, target.folder, "One folder per case; files are named by contrast, labels and brain_mask.")


def write_sidecar_of(leaving: Leaving, folder: Path) -> list[Path]:
    """Write `<case>.json` of a computed case, where `ingest` looks for it; nothing for a scan."""
    if leaving.sidecar is None:
        return []
    write_json(folder / f"{leaving.name.case_id}.json", leaving.sidecar)
    return [folder / f"{leaving.name.case_id}.json"]


def write_about(data: DataSet, folder: Path, layout: str) -> None:
    """Write `dataset_description.json` and `README.md`."""
    write_json(folder / DESCRIPTION, data.record, in_order=True)
    write_atomically(folder / README, readme(data.record, layout).encode())


FORMAT = NiftiFormat()
