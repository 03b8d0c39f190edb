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
such as `run-1` and `run-2`, is told; `entities` picks one.

Source: BIDS 1.8 (Gorgolewski et al. 2016).
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

from glioforge.core.modality import Modality
from glioforge.core.schemes import BIDS_TISSUE, LESION
from glioforge.io.found_case import BRAIN, LABELS, FoundCase, assemble, scan_files
from glioforge.io.layout import LAYOUTS, Layout, LayoutSpec
from glioforge.io.nifti import stem
from glioforge.io.scheme_hint import Hint
from glioforge.io.tissue_shares import is_share

_SUFFIXES: Mapping[str, str] = {"T1w": Modality.T1, "T2w": Modality.T2, "FLAIR": Modality.FLAIR}
_LESION = re.compile("tumou?r|lesion|glioma", re.IGNORECASE)
_MASK = "lesion mask"
_TISSUE = "tissue"
_SHARE = "tissue probability"
_HINTS: Mapping[str, Hint] = {
    LABELS: Hint((), "a tumour's labels in a BIDS derivative"),
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

    def __init__(self, spec: BidsSpec) -> None:
        self._spec = spec

    def matches(self, folder: Path) -> bool:
        """Whether some raw image is named as in BIDS and lies in its subject's folder."""
        return any(
            path.name.startswith("sub-") and path.name.split("_")[0] in path.parts and _contrast(path)
            for path in scan_files(folder, follow_links=self._spec.follow_links)
        )

    def find(self, folder: Path) -> list[FoundCase]:
        """One case a session, or a subject without sessions."""
        cases: defaultdict[str, list[Found]] = defaultdict(list)
        for path in scan_files(folder, follow_links=self._spec.follow_links):
            role = self._role(path, path.relative_to(folder).parts)
            if role:
                entities = _entities(path)
                name = f"sub-{entities['sub']}" + (f"_ses-{entities['ses']}" if "ses" in entities else "")
                cases[name].append((role, path))
        return [
            self._assembled(name, found)
            for name, found in sorted(cases.items())
            if {role for role, _ in found} - {BRAIN, *_HINTS}
        ]

    def _role(self, path: Path, parts: tuple[str, ...]) -> str | None:
        """What a file holds, if it is wanted."""
        entities = _entities(path)
        if "sub" not in entities:
            return None
        if "derivatives" in parts:
            place = parts[parts.index("derivatives") + 1]
            return _derived(path, entities) if self._spec.derivative in {None, place} else None
        wanted = all(entities.get(key, value) == value for key, value in self._spec.entities.items())
        return _contrast(path) if wanted else None

    def _assembled(self, name: str, found: list[Found]) -> FoundCase:
        """The case, with the best of what can stand for its labels."""
        here = {role for role, _ in found}
        best = next((role for role in _HINTS if role in here), LABELS)
        labels = sorted(path for role, path in found if role == best)
        roles = [(role, path) for role, path in found if role not in _HINTS]
        roles += [(LABELS, path) for path in (labels[:1] if best == _SHARE else labels)]
        return assemble(name, roles, subject=self._spec.subject, hint=_HINTS[best])


def _entities(path: Path) -> dict[str, str]:
    """Entities of a file name, such as `sub` and `ses`."""
    pairs = (part.partition("-") for part in stem(path).split("_")[:-1])
    return {key: value for key, sign, value in pairs if sign and key and value}


def _contrast(path: Path) -> str | None:
    """Contrast of a raw image."""
    name = stem(path)
    modality = _SUFFIXES.get(name.rpartition("_")[2])
    return Modality.T1CE if modality == Modality.T1 and "ce" in _entities(path) else modality


def _derived(path: Path, entities: Mapping[str, str]) -> str | None:
    """What a file of a derivative holds: brain mask, tumour labels, a lesion's mask or tissue."""
    suffix = stem(path).rpartition("_")[2]
    about = f"{entities.get('label', '')} {entities.get('desc', '')}"
    if suffix == "mask" and "brain" in about.lower():
        return BRAIN
    if suffix == "mask" and (_LESION.search(about) or entities.get("label") == "L"):
        return _MASK
    if is_share(path):
        return _SHARE
    if suffix == "dseg":
        return LABELS if _LESION.search(about) else _TISSUE
    return None
