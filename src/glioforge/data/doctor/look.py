"""Look at one case: open its files once, and note what is wrong, what they are like, and where things lie.

Places are checked for labels outside the brain or mirrored, for skulls and cut heads, and for lesions that a grid would
lose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from scipy import ndimage

from glioforge.core import GlioforgeError, LabelScheme, Mask, Modality, bounding_box, scheme_named, within
from glioforge.data import PLAUSIBLE_ML
from glioforge.data.doctor.contrasts import Coarse, alike_contrasts, coarse_images, swapped_contrasts
from glioforge.data.doctor.opened import Finding, Opened, Tile, finding_of, scaled, thumbnails
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


_TOUCHING = np.ones((3, 3, 3), dtype=bool)
_SPARSE_SHARE = 0.002
"""An image that differs from its background in fewer voxels shows no head."""


def brain_findings(case: Opened, case_id: str) -> list[Finding]:
    """Skulls, brains of an unlikely size, empty images, heads that touch the edge of the image."""
    findings = []
    path = str(next(iter(case.images.values())).path) if case.images else ""
    for modality, voxels in case.small_images.items():
        filled = np.count_nonzero(voxels != case.backgrounds[modality]) / voxels.size
        if filled < _SPARSE_SHARE:
            what = f"an image of which {filled:.2%} differ from its background"
            file = str(case.images[modality].path)
            findings.append(Finding("error", "image nearly empty", case_id, file, what, "export it again"))
    if not case.images:
        return findings
    share = min(_background_share(case, modality) for modality in case.images)
    volume = float(np.count_nonzero(case.small_brain) * _voxel_ml(case))
    if case.brain_file is None and share < 0.5:
        what = "no even background around the head: the scan is probably not skull-stripped"
        findings.append(Finding("warning", "skull present", case_id, path, what, "strip the skull, or add brain masks"))
    elif not PLAUSIBLE_ML[0] <= volume <= PLAUSIBLE_ML[1]:
        what = f"a brain of {volume:.0f} ml; expected {PLAUSIBLE_ML[0]:.0f} to {PLAUSIBLE_ML[1]:.0f} ml"
        remedy = "look whether the skull is present, the head is cut off, or the voxel size is wrong"
        findings.append(Finding("warning", "brain of unlikely size", case_id, path, what, remedy))
    return findings


def label_findings(case: Opened, case_id: str, spacing_mm: float | None) -> list[Finding]:
    """Empty maps, labels on background, mirrored labels, and lesions smaller than a planned voxel."""
    if case.labels is None or case.lesion is None:
        return []
    file = str(case.labels.path)
    lesion = case.lesion
    if not lesion.any():
        what = "a label map without tumour"
        return [Finding("remark", "no tumour", case_id, file, what, "right for healthy heads; else label it")]
    findings = []
    outside = _outside(case, lesion)
    if outside:
        share = outside / np.count_nonzero(lesion)
        findings.append(
            Finding(
                "warning" if share > 0.01 else "remark", "labels outside the brain", case_id, file,
                f"{outside} lesion voxels ({share:.1%}) where every image is background",
                "check that labels and images are of one case and on one grid",
            )
        )  # fmt: skip
    if _mirrored(case):
        findings.append(
            Finding(
                "warning", "left and right look swapped", case_id, file,
                "the mirrored label map fits the images better than the map itself",
                "compare left and right of labels and images; find out which tool flipped one of them",
            )
        )  # fmt: skip
    return [*findings, *_small_lesions(case, lesion, case_id, spacing_mm)]


def _voxel_ml(case: Opened) -> float:
    """Volume that one looked-at voxel stands for."""
    return float(case.geometry.voxel_volume * np.prod(case.step) / 1000)


def _background_share(case: Opened, modality: Modality) -> float:
    """Share of an image's faces that hold its background value."""
    voxels = case.small_images[modality]
    faces = [voxels.take(end, axis=axis).ravel() for axis in range(3) for end in (0, -1)]
    return float(np.mean(np.concatenate(faces) == case.backgrounds[modality]))


def _outside(case: Opened, lesion: Mask) -> int:
    """Lesion voxels outside the brain mask, or where every image has its background value."""
    if case.brain_file is not None:
        return int(np.count_nonzero(lesion & ~case.brain_file.mask()))
    if not case.images:
        return 0
    empty = np.ones(int(np.count_nonzero(lesion)), dtype=bool)
    for modality, scan in case.images.items():
        empty &= scaled(scan, scan.voxels[lesion]) == case.backgrounds[modality]
    return int(np.count_nonzero(empty))


def _mirrored(case: Opened) -> bool:
    """Whether the lesion is bright on FLAIR or T2 at its mirror image and not at its place."""
    inside = np.argwhere(case.small_brain)
    if case.lesion is None or not len(inside) or not case.z:
        return False
    place = case.small(case.lesion)
    middle = int(inside[:, 0].min() + inside[:, 0].max())
    where = np.argwhere(place)
    across = where.copy()
    across[:, 0] = middle - where[:, 0]
    kept = (across[:, 0] >= 0) & (across[:, 0] < place.shape[0])
    across = across[kept]
    there = np.zeros_like(place)
    there[tuple(across.T)] = True
    here, there = place & ~there, there & ~place & case.small_brain
    if min(np.count_nonzero(here), np.count_nonzero(there)) < 20:
        return False
    gaps = [
        float(np.median(case.z[m][there]) - np.median(case.z[m][here]))
        for m in (Modality.FLAIR, Modality.T2)
        if m in case.z
    ]
    return bool(gaps) and min(gaps) > 0.5


def _small_lesions(case: Opened, lesion: Mask, case_id: str, spacing_mm: float | None) -> list[Finding]:
    """Connected lesions that fill less than half a voxel of the planned grid."""
    box = bounding_box(lesion)
    if spacing_mm is None or case.labels is None or box is None:
        return []
    parts, count = ndimage.label(lesion[box], _TOUCHING)
    volumes = np.bincount(parts.ravel())[1:] * case.geometry.voxel_volume
    lost = volumes[volumes < spacing_mm**3 / 2]
    if not len(lost):
        return []
    what = (
        f"{len(lost)} of {count} connected lesions (at most {lost.max():.1f} mm³) fill less than half a voxel "
        f"of {spacing_mm:g} mm"
    )
    remedy = "keep grid.keep_lesions_mm3 at 0, which saves one voxel of each, or prepare at a finer spacing"
    return [Finding("remark", "small lesions", case_id, str(case.labels.path), what, remedy)]
