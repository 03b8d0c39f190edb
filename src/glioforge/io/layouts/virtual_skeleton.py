"""BRATS 2012 to 2016 as the Virtual Skeleton Database gave it out: MetaImage in nested folders.

    HG/0001/VSD.Brain.XX.O.MR_T1.684/VSD.Brain.XX.O.MR_T1.684.mha                             2012, 2013
    HGG/brats_tcia_pat123_0456/VSD.Brain.XX.O.MR_Flair.54512/VSD.Brain.XX.O.MR_Flair.54512.mha  2015
    .../VSD.Brain_3more.XX.O.OT.54517/VSD.Brain_3more.XX.O.OT.54517.mha                       labels

A case that is a mere number is named after its grade too, because both grades
count from 1.

Source: BRATS 2013 and 2015 (Menze et al. 2015).
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from glioforge.core import BRATS2013, Modality
from glioforge.io import LABELS, LAYOUTS, FoundCase, Hint, Layout, LayoutSpec, assemble, scan_files, stem

_NAME = re.compile(r"VSD\.Brain(_\dmore)?\.\w+\.\w+\.(?P<what>MR_T1c?|MR_T2|MR_Flair|OT)(\.\d+)?", re.IGNORECASE)
_HINT = Hint((BRATS2013.name,), "named as in BRATS 2012-2015")
_HOLDS: Mapping[str, str] = {
    "mr_t1": Modality.T1,
    "mr_t1c": Modality.T1CE,
    "mr_t2": Modality.T2,
    "mr_flair": Modality.FLAIR,
    "ot": LABELS,
}
_GRADES = {"HG": "HGG", "HGG": "HGG", "LG": "LGG", "LGG": "LGG"}


@final
class VirtualSkeletonSpec(LayoutSpec):
    """Folders of BRATS 2012 to 2016."""

    kind: Literal["virtual_skeleton"] = "virtual_skeleton"


@LAYOUTS.register(VirtualSkeletonSpec)
@final
class VirtualSkeletonLayout(Layout):
    """Finds cases by the names of the Virtual Skeleton Database."""

    def matches(self, folder: Path) -> bool:
        """Whether some file has such a name."""
        return any(_NAME.fullmatch(stem(path)) for path in scan_files(folder, follow_links=self._spec.follow_links))

    def find(self, folder: Path) -> list[FoundCase]:
        """Folders that hold files of such names, directly or each in a folder of its own."""
        cases: defaultdict[Path, list[tuple[str, Path]]] = defaultdict(list)
        for path in scan_files(folder, follow_links=self._spec.follow_links):
            match = _NAME.fullmatch(stem(path))
            if match:
                own = path.parent.name.lower().startswith("vsd.")
                cases[path.parent.parent if own else path.parent].append((_HOLDS[match["what"].lower()], path))
        found = []
        for place, roles in cases.items():
            facts = _facts(place.relative_to(folder))
            name = _case_id(place.name or place.resolve().name, place, folder)
            found.append(assemble(name, roles, subject=self._spec.subject, hint=_HINT, facts=facts))
        return sorted(found, key=lambda case: case.case_id)


def _case_id(name: str, place: Path, folder: Path) -> str:
    """Name of a case's folder; of a mere number with the folders above it."""
    return "_".join(place.relative_to(folder).parts) or name if name.isdecimal() else name


def _facts(place: Path) -> dict[str, Any]:
    """Grade, from a folder above the case."""
    grades = [_GRADES[part.upper()] for part in place.parts if part.upper() in _GRADES]
    return {"grade": grades[-1]} if grades else {}
