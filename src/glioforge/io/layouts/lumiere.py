"""LUMIERE, glioblastomas followed over weeks.

    Imaging/Patient-001/week-000-1/{T1,CT1,T2,FLAIR}.nii.gz

A week is a session of its subject.  The automatic segmentations below a week
lie on grids of their own and are passed over.

Source: LUMIERE (Suter et al. 2022).
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

from glioforge.core import Modality
from glioforge.io import LAYOUTS, FoundCase, Layout, LayoutSpec, assemble, scan_files, stem

_PLACE = re.compile(r"(?P<subject>Patient-\d+)/(?P<week>week-[\w-]+)")
_HOLDS: Mapping[str, str] = {
    "T1": Modality.T1,
    "CT1": Modality.T1CE,
    "T2": Modality.T2,
    "FLAIR": Modality.FLAIR,
}


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
        cases: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
        for path in scan_files(folder, follow_links=self._spec.follow_links):
            place = _PLACE.fullmatch("/".join(path.parent.relative_to(folder).parts[-2:]))
            if place and stem(path) in _HOLDS:
                cases[f"{place['subject']}_{place['week']}"].append((_HOLDS[stem(path)], path))
        return [assemble(case, roles, subject=self._spec.subject) for case, roles in sorted(cases.items())]
