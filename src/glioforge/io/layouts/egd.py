"""The Erasmus Glioma Database, preoperative gliomas of one hospital.

    .../EGD-0001/1_T1/NIFTI/T1.nii.gz, 2_T1GD/NIFTI/T1GD.nii.gz, 3_T2/..., 4_FLAIR/..., 5_MASK/NIFTI/MASK.nii.gz

Any folders may lie between a subject's and its files.  The mask is the whole
lesion as one label.

Source: EGD (van der Voort et al. 2021).
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

from glioforge.core import Modality
from glioforge.io import LABELS, LAYOUTS, FoundCase, Layout, LayoutSpec, assemble, scan_files, stem

_SUBJECT = re.compile(r"EGD-\d+")
_HOLDS: Mapping[str, str] = {
    "T1": Modality.T1,
    "T1GD": Modality.T1CE,
    "T2": Modality.T2,
    "FLAIR": Modality.FLAIR,
    "MASK": LABELS,
}


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
        cases: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
        for path in scan_files(folder, follow_links=self._spec.follow_links):
            above = [part for part in path.parent.relative_to(folder).parts if _SUBJECT.fullmatch(part)]
            if above and stem(path) in _HOLDS:
                cases[above[0]].append((_HOLDS[stem(path)], path))
        return [
            assemble(case, roles, subject=self._spec.subject, facts={"site": "EGD"})
            for case, roles in sorted(cases.items())
        ]
