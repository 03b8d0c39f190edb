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
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

from glioforge.core import BRATS2017, Modality
from glioforge.io import LABELS, LAYOUTS, FoundCase, Hint, Layout, LayoutSpec, assemble, scan_files, stem

_AUTOMATIC = "automated_approx_segm"
_UNSTRIPPED = "_unstripped"
_NAME = re.compile(rf"(?P<case>UPENN-GBM-\d+_\d+)_(?P<what>(?:T1|T1GD|T2|FLAIR)(?:{_UNSTRIPPED})?|segm|{_AUTOMATIC})")
_HINT = Hint((BRATS2017.name,), "named as in UPENN-GBM")
_HOLDS: Mapping[str, str] = {
    "T1": Modality.T1,
    "T1GD": Modality.T1CE,
    "T2": Modality.T2,
    "FLAIR": Modality.FLAIR,
    "segm": LABELS,
}


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

    def matches(self, folder: Path) -> bool:
        """Whether some file has such a name."""
        return any(_NAME.fullmatch(stem(path)) for path in scan_files(folder, follow_links=self._spec.follow_links))

    def find(self, folder: Path) -> list[FoundCase]:
        """Cases by the id that their files begin with; which labels were taken is noted among the facts."""
        cases: defaultdict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
        for path in scan_files(folder, follow_links=self._spec.follow_links):
            match = _NAME.fullmatch(stem(path))
            if match:
                cases[match["case"]][match["what"]].append(path)
        return [self._assembled(case, files) for case, files in sorted(cases.items())]

    def _assembled(self, case: str, files: dict[str, list[Path]]) -> FoundCase:
        """The case with its labels chosen."""
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
        return assemble(case, roles, subject=self._spec.subject, hint=_HINT, facts=facts)
