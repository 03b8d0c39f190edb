"""A data set of the Brain Imaging Data Structure: images as they would be scanned, labels as a derivative.

    dataset_description.json, participants.tsv, participants.json, README.md
    sub-001/anat/sub-001_{T1w,ce-gadolinium_T1w,T2w,FLAIR}.nii.gz
    derivatives/glioforge/dataset_description.json, desc-tumor_dseg.tsv
    derivatives/glioforge/sub-001/anat/sub-001_desc-tumor_dseg.nii.gz, sub-001_desc-brain_mask.nii.gz

Labels lie on the grid of the images of their session, so that their names need no
`space`.  Images and labels of phantoms and synthetic cases have a JSON sidecar
each, with their lineage.  Label maps without images are a derivative data set of
their own, without the folder `derivatives`.

Source: BIDS 1.10 (Gorgolewski et al. 2016).
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

from glioforge.core import CaseRef, LabelScheme, Modality
from glioforge.io import NESTED, write_atomically, write_image, write_json, write_labels, write_mask
from glioforge.release import CaseName, DataSet, Format, Leaving, Names, Target, readme, refuse, with_entities
from glioforge.release.formats.nifti import DESCRIPTION, README

VERSION = "1.10.0"
_DERIVED = "derivatives/glioforge"
_SUFFIXES = {
    Modality.T1: "T1w",
    Modality.T1CE: "ce-gadolinium_T1w",
    Modality.T2: "T2w",
    Modality.FLAIR: "FLAIR",
}
_COLUMNS = {
    "origin": {
        "Description": "Where the images come from",
        "Levels": {
            "real": "a scan of a person",
            "phantom": "computed from an average anatomy and a model of tumour growth",
            "synthetic": "made by a generator, or by editing labels, from other subjects' scans",
        },
    }
}


@final
class BidsFormat(Format):
    """A BIDS data set with its derivative."""

    def named(self, names: Names) -> Names:
        """Return names of letters and digits, with their entities; errors as `release.base.with_entities`."""
        return with_entities(names)

    def require(self, refs: Sequence[CaseRef]) -> None:
        """Refuse contrasts that BIDS has no suffix for."""
        refuse(
            [ref for ref in refs if not set(ref.images) <= set(_SUFFIXES)],
            "cases with a contrast that BIDS has no suffix for",
            ", ".join(_SUFFIXES),
            "name the contrasts to write: --modalities (modalities)",
        )

    def write_case(self, leaving: Leaving, target: Target) -> list[Path]:
        """Write images, and labels and brain mask as derivatives; the files that the case has."""
        case, text = leaving.case, leaving.description
        raw = _folder(target.folder, leaving.name)
        derived = _folder(_derived(target), leaving.name)
        written = []
        for modality in case.modalities:
            written.append(raw / f"{leaving.name.case_id}_{_SUFFIXES[modality]}.nii.gz")
            write_image(written[-1], case.images[modality], text)
        if case.labels is not None and target.scheme is not None:
            written.append(derived / f"{leaving.name.case_id}_desc-{_what(target.scheme)}_dseg.nii.gz")
            write_labels(written[-1], case.labels, text)
        if case.brain is not None:
            written.append(derived / f"{leaving.name.case_id}_desc-brain_mask.nii.gz")
            write_mask(written[-1], case.brain, case.geometry, text)
        return [*written, *_write_sidecars(leaving, written)]

    def write_dataset(self, data: DataSet, target: Target) -> None:
        """Write descriptions, the table of participants, the names of labels and a README."""
        derived = _derived(target)
        if derived != target.folder:
            write_json(target.folder / DESCRIPTION, _description(data, "raw"), in_order=True)
        write_json(derived / DESCRIPTION, _description(data, "derivative"), in_order=True)
        _write_meanings(data, target, derived)
        people = {
            data.names.cases[ref.case_id].subject: ref for ref in data.refs if ref.images or not target.modalities
        }
        rows = [f"{subject}\t{ref.lineage.kind}" for subject, ref in people.items()]
        write_atomically(target.folder / "participants.tsv", "\n".join(["participant_id\torigin", *rows, ""]).encode())
        write_json(target.folder / "participants.json", _COLUMNS)
        text = readme(data.record, "A data set of the Brain Imaging Data Structure; labels are derivatives.")
        for folder in {target.folder, derived}:
            write_atomically(folder / README, text.encode())


def _write_meanings(data: DataSet, target: Target, derived: Path) -> None:
    """Write what labels and brain masks mean, where BIDS inherits it for all files of the derivative."""
    if target.scheme is not None:
        name = f"desc-{_what(target.scheme)}_dseg"
        rows = [f"{value}\t{label}" for label, value in target.scheme.labels.items()]
        write_atomically(derived / f"{name}.tsv", "\n".join(["index\tname", *rows, ""]).encode())
        meaning = f"Labels of the scheme {target.scheme.name}, on the grid of the session's images"
        write_json(derived / f"{name}.json", {"Description": meaning, "SpatialReference": "orig"})
    if any(ref.brain is not None for ref in data.refs):
        meaning = "Mask of the brain, on the grid of the session's images"
        values = {"Description": meaning, "SpatialReference": "orig", "Type": "Brain"}
        write_json(derived / "desc-brain_mask.json", values)


def _derived(target: Target) -> Path:
    """Folder of the derivative: the data set itself where there is no image at all."""
    return target.folder / _DERIVED if target.modalities else target.folder


def _folder(root: Path, name: CaseName) -> Path:
    """Folder of a session's files."""
    return root.joinpath(*filter(None, (name.subject, name.session)), "anat")


def _what(scheme: LabelScheme) -> str:
    """What a label map shows, as an entity's value: the tumour, or tissue alone."""
    return "tumor" if scheme.lesion else "tissue"


def _write_sidecars(leaving: Leaving, images: Sequence[Path]) -> list[Path]:
    """Write the lineage of a computed case next to each of its files; nothing for a scan."""
    if leaving.sidecar is None:
        return []
    own: dict[str, Any] = {NESTED: {k: v for k, v in leaving.sidecar.items() if k != "notice"}}
    if "notice" in leaving.sidecar:
        own |= {"Notice": leaving.sidecar["notice"], "Synthetic": True}
    paths = [path.with_name(path.name.removesuffix(".nii.gz") + ".json") for path in images]
    for path in paths:
        write_json(path, own)
    return paths


def _description(data: DataSet, kind: str) -> Mapping[str, Any]:
    """Contents of `dataset_description.json`."""
    notice = data.record.get("notice")
    name = "Glioforge export" if kind == "raw" else "Labels of a Glioforge export"
    return {
        "Name": f"{name} - {notice}" if notice else name,
        "BIDSVersion": VERSION,
        "DatasetType": kind,
        "GeneratedBy": [{"Name": "Glioforge", "Version": version("glioforge")}],
        NESTED: data.record,
    }


FORMAT = BidsFormat()
