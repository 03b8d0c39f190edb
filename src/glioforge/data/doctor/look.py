"""Look at one case: open its files once, and note what is wrong and what they are like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np

from glioforge.core import GlioforgeError, LabelScheme, Modality, scheme_named, within
from glioforge.data.doctor.contrasts import alike_contrasts, swapped_contrasts
from glioforge.data.doctor.finding import Finding, finding_of
from glioforge.data.doctor.opened import Opened
from glioforge.data.doctor.places import brain_findings, label_findings
from glioforge.data.doctor.thumbnail import Tile, thumbnails
from glioforge.data.doctor.twins import Coarse, coarse_images
from glioforge.io import BRAIN, LABELS, CheckedCase, FoundCase, Scan, check_case, detect_scheme, evidence_of

DAMAGED = "file cannot be used"


@final
@dataclass(frozen=True, eq=False)
class CaseLook:
    """What was seen of one case; small, so that thousands fit into memory.

    Args:
        checked: Problems, hashes and label counts, as `ingest` has them.
        findings: What is wrong or remarkable.
        shape: Shape of the grid; none where no file could be read.
        spacing: Voxel size in mm.
        orientation: Axis codes of the grid.
        brain_ml: Volume of the brain as far as the images tell.
        tiles: A small picture of each image.
        coarse: A coarse picture of each image, to be compared with other cases'.
    """

    checked: CheckedCase
    findings: tuple[Finding, ...]
    shape: tuple[int, int, int] | None = None
    spacing: tuple[float, float, float] | None = None
    orientation: str = ""
    brain_ml: float = 0.0
    tiles: Mapping[Modality, Tile] = field(default_factory=dict)
    coarse: Mapping[Modality, Coarse] = field(default_factory=dict)

    @property
    def case_id(self) -> str:
        """Id of the case."""
        return self.checked.found.case_id


def look_at(found: FoundCase, root: Path, scheme: str | None = None, spacing_mm: float | None = None) -> CaseLook:
    """Open every file of a case once and look at it; nothing is raised for what the files hold.

    Args:
        found: The case as a layout found it.
        root: Folder that the files must lie in, resolved.
        scheme: Name of the label scheme; as far as this case tells unless given.
        spacing_mm: Planned voxel size, for the account of small lesions.
    """
    scans: dict[str, Scan] = {}
    checked = check_case(found, root, scans.__setitem__)
    findings = [finding_of(error, found.case_id, DAMAGED) for error in checked.problems]
    remedy = "nothing; saving the labels as integers without a scale factor keeps them exact"
    findings += [Finding("remark", "scaled labels", found.case_id, "", note, remedy) for note in checked.notes]
    if not scans:
        return CaseLook(checked, tuple(findings))
    images = {m: scans[str(m)] for m in found.images if str(m) in scans}
    case = Opened(images, scans.get(LABELS), scans.get(BRAIN), _scheme(checked, root, scheme))
    with np.errstate(all="ignore"):
        findings += brain_findings(case, found.case_id)
        findings += label_findings(case, found.case_id, spacing_mm)
        findings += alike_contrasts(case, found.case_id) or swapped_contrasts(case, found.case_id)
        findings += _grid_findings(case, found.case_id)
        brain_ml = np.count_nonzero(case.small_brain) * case.geometry.voxel_volume * np.prod(case.step) / 1000
        return CaseLook(
            checked,
            tuple(findings),
            case.geometry.shape,
            case.geometry.spacing,
            case.geometry.orientation,
            float(brain_ml),
            thumbnails(case),
            coarse_images(case),
        )


def _scheme(checked: CheckedCase, root: Path, stated: str | None) -> LabelScheme | None:
    """The scheme that is stated, or that the case alone speaks for, if it does."""
    evidence = evidence_of([checked], root)
    if not evidence and stated is None:
        return None
    try:
        return scheme_named(detect_scheme(evidence, stated).scheme)
    except GlioforgeError:
        return None


def _grid_findings(case: Opened, case_id: str) -> list[Finding]:
    """Thick slices."""
    spacing = case.geometry.spacing
    if not within(3 * min(spacing), max(spacing)):
        return []
    what = f"voxels of {' x '.join(f'{length:.3g}' for length in spacing)} mm"
    remedy = "nothing, or prepare at a spacing that suits two-dimensional methods"
    return [Finding("remark", "thick slices", case_id, "", what, remedy)]
