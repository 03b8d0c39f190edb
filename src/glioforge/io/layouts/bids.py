"""The Brain Imaging Data Structure, as ADNI, OASIS-3, IXI and many hospitals' data come.

    sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz              T1
    sub-01/ses-1/anat/sub-01_ses-1_ce-gadolinium_T1w.nii.gz  T1ce
    sub-01/ses-1/anat/sub-01_ses-1_{T2w,FLAIR}.nii.gz      T2, FLAIR
    derivatives/<name>/sub-01/ses-1/anat/..._desc-brain_mask.nii.gz
    derivatives/<name>/sub-01/ses-1/anat/..._label-tumor_dseg.nii.gz
    derivatives/<name>/sub-01/ses-1/anat/..._label-lesion_mask.nii.gz
    derivatives/<name>/sub-01/ses-1/anat/..._label-{GM,WM,CSF}_probseg.nii.gz

A session is a case.  Tumour labels are `dseg` files of a derivative, or else a
lesion's `mask`; a `dseg` file without a tumour in its name is tissue (1 grey
matter, 2 white matter, 3 CSF) where it is as large as a brain, used where there
is no tumour, and probabilities of tissue where there is neither.  A contrast that is there twice,
such as `run-1` and `run-2`, is reported; `entities` picks one.

Source: BIDS 1.8 (Gorgolewski et al. 2016).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, final

from glioforge.core import BIDS_TISSUE, LESION
from glioforge.io import (
    LAYOUTS,
    NESTED,
    FoundCase,
    Hint,
    Layout,
    LayoutSpec,
    ScanFile,
    hint_of,
    is_share,
    stem,
)

_SUFFIXES = {"T1w": "t1", "T2w": "t2", "FLAIR": "flair"}
_LESION = re.compile("tumou?r|lesion|glioma", re.IGNORECASE)
_MASK = "lesion mask"
_TISSUE = "tissue"
_SHARE = "tissue probability"
_HINTS: Mapping[str, Hint] = {
    "labels": Hint((), "a tumour's labels in a BIDS derivative"),
    _MASK: Hint((LESION.name,), "a lesion's mask in a BIDS derivative"),
    _TISSUE: Hint((BIDS_TISSUE.name,), "a dseg file of a BIDS derivative", firm=False),
    _SHARE: Hint((BIDS_TISSUE.name,), "probabilities of tissue in a BIDS derivative"),
}
"""What can stand for the labels of a case, best first, and what its name says about the scheme."""
Found = tuple[str, Path]


@final
class BidsSpec(LayoutSpec):
    """Folders of the Brain Imaging Data Structure."""

    kind: Literal["bids"] = "bids"
    entities: Mapping[str, str] = {}
    """Entities that a raw image must have, such as `run: "1"` or `acq: mprage`; images without the key are kept."""
    derivative: str | None = None
    """Folder below `derivatives` whose masks and labels are used; any unless given."""


@LAYOUTS.register(BidsSpec)
@final
class BidsLayout(Layout):
    """Finds sessions by the entities in file names."""

    def matches(self, folder: Path) -> bool:
        """Whether some raw image is named as in BIDS and lies in its subject's folder."""
        paths = [file.path for file in self.files(folder)]
        return any(
            path.name.startswith("sub-") and path.name.split("_")[0] in path.parts and _contrast(path) for path in paths
        )

    def find(self, folder: Path) -> list[FoundCase]:
        """One case a session, or a subject without sessions."""
        cases = self.by_case(self.files(folder), self._place)
        return [
            self._assembled(name, found)
            for name, found in sorted(cases.items())
            if {role for role, _ in found} - {"brain", *_HINTS}
        ]

    def _place(self, file: ScanFile) -> tuple[str, str] | None:
        """Case of a file, and what it holds, if it is wanted."""
        entities = _entities(file.path)
        role = self._role(file, entities) if "sub" in entities else None
        name = f"sub-{entities.get('sub')}" + (f"_ses-{entities['ses']}" if "ses" in entities else "")
        return (name, role) if role else None

    def _role(self, file: ScanFile, entities: Mapping[str, str]) -> str | None:
        """What a file holds, if it is wanted."""
        if "derivatives" in file.parts:
            place = file.parts[file.parts.index("derivatives") + 1]
            return _derived(file.path, entities) if self._spec.derivative in {None, place} else None
        wanted = all(entities.get(key, value) == value for key, value in self._spec.entities.items())
        return _contrast(file.path) if wanted else None

    def _assembled(self, name: str, found: list[Found]) -> FoundCase:
        """The case, with the best of what can stand for its labels."""
        here = {role for role, _ in found}
        best = next((role for role in _HINTS if role in here), "labels")
        labels = sorted(path for role, path in found if role == best)
        roles = [(role, path) for role, path in found if role not in _HINTS]
        roles += [("labels", path) for path in (labels[:1] if best == _SHARE else labels)]
        hint = _named_labels(labels[0]) if labels and best in {"labels", _TISSUE} else None
        case = self.case(name, roles, hint=hint or _HINTS[best])
        return case if case.sidecar else replace(case, sidecar=_own_sidecar(case.images.values()))


def _named_labels(path: Path) -> Hint | None:
    """What the table of a `dseg` file says about its labels: next to it, or in a folder above, as BIDS inherits it."""
    wanted = {key: value for key, value in _entities(path).items() if key not in {"sub", "ses"}}
    for folder in path.parents[:4]:
        for table in sorted(path for path in folder.glob("*dseg.tsv") if path.is_file()):
            own = _entities(table)
            if {key: own.get(key, value) for key, value in wanted.items()} == wanted and _about(own, path):
                return _hint_of_table(table)
    return None


def _about(entities: Mapping[str, str], path: Path) -> bool:
    """Whether a table is about the subject and session of a file, or about all."""
    return all(_entities(path).get(key) == value for key, value in entities.items() if key in {"sub", "ses"})


def _hint_of_table(path: Path) -> Hint | None:
    """Scheme of the labels that a table names; none where it has other columns or unknown names."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line]
    if not lines or not {"index", "name"} <= set(lines[0]):
        return None
    index, name = lines[0].index("index"), lines[0].index("name")
    named = {row[name]: row[index] for row in lines[1:] if len(row) > max(index, name)}
    named = named if "0" in named.values() else {"background": "0", **named}
    schemes = hint_of({"labels": named}).schemes
    return Hint(schemes, f"{path.name} names the labels") if schemes else None


def _own_sidecar(images: Iterable[Path]) -> Path | None:
    """The metadata of an image that Glioforge wrote, which say where a computed case comes from."""
    paths = [path.with_name(f"{stem(path)}.json") for path in images]
    # Metadata of other tools may be damaged without harm, so they are not read as JSON.
    return next((path for path in paths if path.is_file() and NESTED.encode() in path.read_bytes()), None)


def _entities(path: Path) -> dict[str, str]:
    """Entities of a file name, such as `sub` and `ses`."""
    pairs = (part.partition("-") for part in stem(path).split("_")[:-1])
    return {key: value for key, sign, value in pairs if sign and key and value}


def _contrast(path: Path) -> str | None:
    """Contrast of a raw image."""
    name = stem(path)
    modality = _SUFFIXES.get(name.rpartition("_")[2])
    return "t1ce" if modality == "t1" and "ce" in _entities(path) else modality


def _derived(path: Path, entities: Mapping[str, str]) -> str | None:
    """What a file of a derivative holds: brain mask, tumour labels, a lesion's mask or tissue."""
    suffix = stem(path).rpartition("_")[2]
    about = f"{entities.get('label', '')} {entities.get('desc', '')}"
    if suffix == "mask" and "brain" in about.lower():
        return "brain"
    if suffix == "mask" and (_LESION.search(about) or entities.get("label") == "L"):
        return _MASK
    if is_share(path):
        return _SHARE
    if suffix == "dseg":
        return "labels" if _LESION.search(about) else _TISSUE
    return None
