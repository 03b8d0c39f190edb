"""UCSF-PDGM, preoperative diffuse gliomas of one hospital.

    UCSF-PDGM-0004_nifti/UCSF-PDGM-0004_{T1,T1c,T2,FLAIR,brain_segmentation,tumor_segmentation}.nii.gz

Bias-corrected, diffusion and perfusion images next to them are passed over.
Follow-up scans (`UCSF-PDGM-0429_FU003d`) are sessions of their subject.  The
grade is read from `UCSF-PDGM-metadata*.csv`.

Source: UCSF-PDGM (Calabrese et al. 2022).
"""

import re
from pathlib import Path
from typing import Literal, final

from glioforge.core import BRATS2017
from glioforge.io import LAYOUTS, FoundCase, Hint, Layout, LayoutSpec, ScanFile, read_csv

_NAME = re.compile(r"(?P<case>UCSF-PDGM-(?P<number>\d+)(_FU\w+?)?)_(?P<what>T1c?|T2|FLAIR|(brain|tumor)_segmentation)")
_HOLDS = {
    "T1": "t1",
    "T1c": "t1ce",
    "T2": "t2",
    "FLAIR": "flair",
    "brain_segmentation": "brain",
    "tumor_segmentation": "labels",
}


@final
class UcsfPdgmSpec(LayoutSpec):
    """Folders of UCSF-PDGM."""

    kind: Literal["ucsf_pdgm"] = "ucsf_pdgm"


@LAYOUTS.register(UcsfPdgmSpec)
@final
class UcsfPdgmLayout(Layout):
    """Finds cases by the names of UCSF-PDGM."""

    hint = Hint((BRATS2017.name,), "named as in UCSF-PDGM")

    def matches(self, folder: Path) -> bool:
        """Whether some file has such a name."""
        return any(_NAME.fullmatch(file.stem) for file in self.files(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases by the id that their files begin with."""
        cases, grades = self.by_case(self.files(folder), _place), _grades(folder)
        return [
            self.case(name, files, facts={"site": "UCSF", **grades.get(number, {})})
            for (name, number), files in sorted(cases.items())
        ]


def _place(file: ScanFile) -> tuple[tuple[str, int], str] | None:
    """Case with the number of its subject, and what the file holds."""
    match = _NAME.fullmatch(file.stem)
    return ((match["case"], int(match["number"])), _HOLDS[match["what"]]) if match else None


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
