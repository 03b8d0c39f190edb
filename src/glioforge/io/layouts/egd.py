"""The Erasmus Glioma Database, preoperative gliomas of one hospital.

    .../EGD-0001/1_T1/NIFTI/T1.nii.gz, 2_T1GD/NIFTI/T1GD.nii.gz, 3_T2/..., 4_FLAIR/..., 5_MASK/NIFTI/MASK.nii.gz

Any folders may lie between a subject's and its files.  The mask is the whole
lesion as one label.

Source: EGD (van der Voort et al. 2021).
"""

import re
from pathlib import Path
from typing import Literal, final

from glioforge.io import LAYOUTS, FoundCase, Layout, LayoutSpec, ScanFile

_SUBJECT = re.compile(r"EGD-\d+")
_HOLDS = {"T1": "t1", "T1GD": "t1ce", "T2": "t2", "FLAIR": "flair", "MASK": "labels"}


@final
class EgdSpec(LayoutSpec):
    """Folders of the Erasmus Glioma Database."""

    kind: Literal["egd"] = "egd"


@LAYOUTS.register(EgdSpec)
@final
class EgdLayout(Layout):
    """Finds subjects by their folders."""

    def matches(self, folder: Path) -> bool:
        """Whether some subject has a file of such a name."""
        return bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """One case a subject."""
        cases = self.by_case(self.files(folder), _place)
        return [self.case(name, files, facts={"site": "EGD"}) for name, files in sorted(cases.items())]


def _place(file: ScanFile) -> tuple[str, str] | None:
    """Subject by a folder above a file, and what the file holds."""
    above = [part for part in file.parts[:-1] if _SUBJECT.fullmatch(part)]
    return (above[0], _HOLDS[file.stem]) if above and file.stem in _HOLDS else None
