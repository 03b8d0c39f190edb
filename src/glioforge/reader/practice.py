"""Practice items: phantoms in the frame of the study, so that readers learn the page without seeing a case."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np

from glioforge.core import Case, CaseRef, Modality
from glioforge.data import FIELD_OF_VIEW_MM, PhantomSpec, make_phantom
from glioforge.reader.items import Item, Stimulus
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import Frame, survey_case

PHANTOM: Final = "phantom"
_SEED: Final = 977


@final
@dataclass(frozen=True)
class _Made:
    """Gives a phantom that was computed."""

    case: Case

    def __call__(self, _ref: CaseRef, /) -> Case:
        """Return it."""
        return self.case


def practice_items(spec: ReaderSpec, contrasts: Sequence[Modality], frame: Frame) -> tuple[tuple[Item, ...], str]:
    """Compute the practice items of a study.

    Args:
        spec: The study.
        contrasts: MRI contrasts of the study.
        frame: Grid of the study, whose voxel size phantoms take.

    Returns:
        The items, and a sentence that says why there are none, empty where there are.
    """
    if not spec.practice:
        return (), ""
    if Modality.APTW in contrasts or not all(0.5 <= mm <= 16 for mm in frame.spacing):
        return (), "no practice items: phantoms have T1, T1ce, T2 and FLAIR, and voxels of 0.5 to 16 mm"
    if frame.plane != "axial":
        return (), "no practice items: phantoms are shown in axial slices"
    panels = 2 if spec.paired else 1
    shape = tuple(math.ceil(view / mm) for view, mm in zip(FIELD_OF_VIEW_MM, frame.spacing, strict=True))
    phantom = PhantomSpec(shape=(shape[0], shape[1], shape[2]), spacing_mm=frame.spacing, orientation="RAS")
    items = []
    for number in range(spec.practice):
        shown = tuple(contrasts) if spec.together else (contrasts[number % len(contrasts)],)
        stimuli = tuple(
            _stimulus(make_phantom(_SEED, panels * number + panel, phantom).case, shown, spec)
            for panel in range(panels)
        )
        items.append(Item(f"practice{number + 1:02}", stimuli, PHANTOM, PHANTOM if spec.paired else ""))
    return tuple(items), ""


def _stimulus(case: Case, contrasts: tuple[Modality, ...], spec: ReaderSpec) -> Stimulus:
    """What a panel shows of a phantom."""
    images = {modality: Path(case.case_id) for modality in case.images}
    ref = CaseRef(
        case.case_id, case.subject_id, images, case.require_labels().scheme.name, case.lineage, "", _Made(case)
    )
    known = survey_case(case, ref, PHANTOM)
    lesion = known.lesion if known.lesion is not None else known.brain
    return Stimulus(known, contrasts, int(np.argmax(lesion)) if spec.show == "slice" else None)
