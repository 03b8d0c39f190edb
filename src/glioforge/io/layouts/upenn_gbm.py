"""UPENN-GBM, glioblastomas of one hospital, some of them scanned twice.

    images_structural/UPENN-GBM-00001_11/UPENN-GBM-00001_11_{T1,T1GD,T2,FLAIR}.nii.gz
    images_segm/UPENN-GBM-00001_11_segm.nii.gz
    automated_segm/UPENN-GBM-00001_11_automated_approx_segm.nii.gz

Labels that were corrected by hand come before automatic ones.  The number
behind the subject is the visit: 11 before surgery, 21 later.  Images with
skull, in `images_structural_unstripped` as `..._T1_unstripped`, are taken where
a case has no stripped ones.

Source: UPENN-GBM (Bakas et al. 2022).
"""

import re
from pathlib import Path
from typing import Literal, final

from glioforge.core import BRATS2017
from glioforge.io import LAYOUTS, FoundCase, Hint, Layout, LayoutSpec, ScanFile

_AUTOMATIC = "automated_approx_segm"
_UNSTRIPPED = "_unstripped"
_NAME = re.compile(rf"(?P<case>UPENN-GBM-\d+_\d+)_(?P<what>(?:T1|T1GD|T2|FLAIR)(?:{_UNSTRIPPED})?|segm|{_AUTOMATIC})")
_HOLDS = {"T1": "t1", "T1GD": "t1ce", "T2": "t2", "FLAIR": "flair", "segm": "labels"}


@final
class UpennGbmSpec(LayoutSpec):
    """Folders of UPENN-GBM."""

    kind: Literal["upenn_gbm"] = "upenn_gbm"
    labels: Literal["best", "corrected", "automatic"] = "best"
    """Which label maps: corrected ones where there are any and else automatic ones, or one kind alone."""


@LAYOUTS.register(UpennGbmSpec)
@final
class UpennGbmLayout(Layout):
    """Finds cases by the names of UPENN-GBM."""

    hint = Hint((BRATS2017.name,), "named as in UPENN-GBM")

    def matches(self, folder: Path) -> bool:
        """Whether some file has such a name."""
        return any(_NAME.fullmatch(file.stem) for file in self.files(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases by the id that their files begin with; which labels were taken is noted among the facts."""
        return [self._chosen(name, files) for name, files in sorted(self.by_case(self.files(folder), _place).items())]

    def _chosen(self, name: str, named: list[tuple[str, Path]]) -> FoundCase:
        """The case with its labels chosen among files of the data set's names."""
        files = {what: [path for other, path in named if other == what] for what, _ in named}
        automatic = files.pop(_AUTOMATIC, [])
        if self._spec.labels == "automatic":
            files.pop("segm", None)
        facts = {"site": "UPENN"}
        with_skull = {what: paths for what, paths in files.items() if what.endswith(_UNSTRIPPED)}
        files = {what: paths for what, paths in files.items() if what not in with_skull}
        if with_skull and not set(files) - {"segm"}:
            files |= {what.removesuffix(_UNSTRIPPED): paths for what, paths in with_skull.items()}
            facts["skull"] = "present"
        if "segm" in files:
            facts["labels"] = "corrected"
        elif automatic and self._spec.labels != "corrected":
            files["segm"] = automatic
            facts["labels"] = "automatic"
        roles = [(_HOLDS[what], path) for what, paths in files.items() for path in paths]
        return self.case(name, roles, facts=facts)


def _place(file: ScanFile) -> tuple[str, str] | None:
    """Case, and what the data set calls the file."""
    match = _NAME.fullmatch(file.stem)
    return (match["case"], match["what"]) if match else None
