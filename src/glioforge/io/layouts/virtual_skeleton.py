"""BRATS 2012 to 2016 as the Virtual Skeleton Database gave it out: MetaImage in nested folders.

    HG/0001/VSD.Brain.XX.O.MR_T1.684/VSD.Brain.XX.O.MR_T1.684.mha                             2012, 2013
    HGG/brats_tcia_pat123_0456/VSD.Brain.XX.O.MR_Flair.54512/VSD.Brain.XX.O.MR_Flair.54512.mha  2015
    .../VSD.Brain_3more.XX.O.OT.54517/VSD.Brain_3more.XX.O.OT.54517.mha                       labels

A case that is a mere number is named after its grade too, because both grades
count from 1.

Source: BRATS 2013 and 2015 (Menze et al. 2015).
"""

import re
from pathlib import Path
from typing import Any, Literal, final

from glioforge.core import BRATS2013
from glioforge.io import LAYOUTS, FoundCase, Hint, Layout, LayoutSpec, ScanFile

_NAME = re.compile(r"VSD\.Brain(_\dmore)?\.\w+\.\w+\.(?P<what>MR_T1c?|MR_T2|MR_Flair|OT)(\.\d+)?", re.IGNORECASE)
_HOLDS = {"mr_t1": "t1", "mr_t1c": "t1ce", "mr_t2": "t2", "mr_flair": "flair", "ot": "labels"}
_GRADES = {"HG": "HGG", "HGG": "HGG", "LG": "LGG", "LGG": "LGG"}


@final
class VirtualSkeletonSpec(LayoutSpec):
    """Folders of BRATS 2012 to 2016."""

    kind: Literal["virtual_skeleton"] = "virtual_skeleton"


@LAYOUTS.register(VirtualSkeletonSpec)
@final
class VirtualSkeletonLayout(Layout):
    """Finds cases by the names of the Virtual Skeleton Database."""

    hint = Hint((BRATS2013.name,), "named as in BRATS 2012-2015")

    def matches(self, folder: Path) -> bool:
        """Whether some file has such a name."""
        return any(_NAME.fullmatch(file.stem) for file in self.files(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """Folders that hold files of such names, directly or each in a folder of its own."""
        found = [
            self.case(_case_id(place, folder), files, facts=_facts(place.relative_to(folder)))
            for place, files in self.by_case(self.files(folder), _place).items()
        ]
        return sorted(found, key=lambda case: case.case_id)


def _place(file: ScanFile) -> tuple[Path, str] | None:
    """Folder of the case, and what the file holds."""
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return None
    own = file.path.parent.name.lower().startswith("vsd.")
    return file.path.parents[1 if own else 0], _HOLDS[match["what"].lower()]


def _case_id(place: Path, folder: Path) -> str:
    """Name of a case's folder; of a mere number with the folders above it."""
    name = place.name or place.resolve().name
    return "_".join(place.relative_to(folder).parts) or name if name.isdecimal() else name


def _facts(place: Path) -> dict[str, Any]:
    """Grade, from a folder above the case."""
    grades = [_GRADES[part.upper()] for part in place.parts if part.upper() in _GRADES]
    return {"grade": grades[-1]} if grades else {}
