"""LUMIERE, glioblastomas followed over weeks.

    Imaging/Patient-001/week-000-1/{T1,CT1,T2,FLAIR}.nii.gz

A week is a session of its subject.  The automatic segmentations below a week
lie on grids of their own and are passed over.

Source: LUMIERE (Suter et al. 2022).
"""

import re
from pathlib import Path
from typing import Literal, final

from glioforge.io import LAYOUTS, FoundCase, Layout, LayoutSpec, ScanFile

_PLACE = re.compile(r"(?P<subject>Patient-\d+)/(?P<week>week-[\w-]+)")
_HOLDS = {"T1": "t1", "CT1": "t1ce", "T2": "t2", "FLAIR": "flair"}


@final
class LumiereSpec(LayoutSpec):
    """Folders of LUMIERE."""

    kind: Literal["lumiere"] = "lumiere"


@LAYOUTS.register(LumiereSpec)
@final
class LumiereLayout(Layout):
    """Finds weeks by the folders of their subjects."""

    def matches(self, folder: Path) -> bool:
        """Whether some week holds a file of such a name."""
        return bool(self.find(folder))

    def find(self, folder: Path) -> list[FoundCase]:
        """One case a week."""
        return [self.case(name, files) for name, files in sorted(self.by_case(self.files(folder), _place).items())]


def _place(file: ScanFile) -> tuple[str, str] | None:
    """Subject and week by the folders above a file, and what the file holds."""
    place = _PLACE.fullmatch("/".join(file.parts[-3:-1]))
    return (f"{place['subject']}_{place['week']}", _HOLDS[file.stem]) if place and file.stem in _HOLDS else None
