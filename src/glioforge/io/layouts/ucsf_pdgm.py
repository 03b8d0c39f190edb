"""UCSF-PDGM, preoperative diffuse gliomas of one hospital.

    UCSF-PDGM-0004_nifti/UCSF-PDGM-0004_{T1,T1c,T2,FLAIR,brain_segmentation,tumor_segmentation}.nii.gz

Bias-corrected, diffusion and perfusion images next to them are passed over.
Follow-up scans (`UCSF-PDGM-0429_FU003d`) are sessions of their subject.  The
grade is read from `UCSF-PDGM-metadata*.csv`.

Source: UCSF-PDGM (Calabrese et al. 2022).
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from glioforge.core import BRATS2017, Modality
from glioforge.io import (
    BRAIN,
    LABELS,
    LAYOUTS,
    FoundCase,
    Hint,
    Layout,
    LayoutSpec,
    assemble,
    read_csv,
    scan_files,
    stem,
)

_NAME = re.compile(r"(?P<case>UCSF-PDGM-(?P<number>\d+)(_FU\w+?)?)_(?P<what>T1c?|T2|FLAIR|(brain|tumor)_segmentation)")
_HINT = Hint((BRATS2017.name,), "named as in UCSF-PDGM")
_HOLDS: Mapping[str, str] = {
    "T1": Modality.T1,
    "T1c": Modality.T1CE,
    "T2": Modality.T2,
    "FLAIR": Modality.FLAIR,
    "brain_segmentation": BRAIN,
    "tumor_segmentation": LABELS,
}


@final
class UcsfPdgmSpec(LayoutSpec):
    """Folders of UCSF-PDGM."""

    kind: Literal["ucsf_pdgm"] = "ucsf_pdgm"


@LAYOUTS.register(UcsfPdgmSpec)
@final
class UcsfPdgmLayout(Layout):
    """Finds cases by the names of UCSF-PDGM."""

    def matches(self, folder: Path) -> bool:
        """Whether some file has such a name."""
        return any(_NAME.fullmatch(stem(path)) for path in scan_files(folder, follow_links=self._spec.follow_links))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases by the id that their files begin with."""
        cases: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
        numbers: dict[str, int] = {}
        for path in scan_files(folder, follow_links=self._spec.follow_links):
            match = _NAME.fullmatch(stem(path))
            if match:
                cases[match["case"]].append((_HOLDS[match["what"]], path))
                numbers[match["case"]] = int(match["number"])
        grades = _grades(folder)
        found = []
        for case, roles in sorted(cases.items()):
            facts: dict[str, Any] = {"site": "UCSF", **grades.get(numbers[case], {})}
            found.append(assemble(case, roles, subject=self._spec.subject, hint=_HINT, facts=facts))
        return found


def _grades(folder: Path) -> dict[int, dict[str, str]]:
    """Grade by the number of the subject, whose zeros differ between table and folders."""
    grades: dict[int, dict[str, str]] = {}
    for path in sorted(folder.glob("UCSF-PDGM-metadata*.csv")):
        for row in read_csv(path):
            number = re.search(r"(\d+)$", row.get("ID", "").split("_")[0])
            grade = row.get("WHO CNS Grade", "")
            if number and grade:
                grades[int(number[1])] = {"grade": grade}
    return grades
