"""Grades of a tissue map: is it that of a plausible brain?

grey_to_white    volume of grey over that of white matter; 0.9 to 1.8 is plausible
csf_share        fluid over the brain without tumour; 0.04 to 0.4 is plausible
ring             thin grey matter, where the average brain expects white matter or fluid, over the ventricles' surface;
                 up to 0.25 is plausible
islands          connected parts of a tissue with fewer than 20 voxels (on grids coarser than 2 mm,
                 of less than their volume there) that border on another tissue; fewer than 15
                 are plausible; unlabelled pockets within a tumour are none
symmetry         smallest ratio of a tissue's volume in one half of the brain to that in the other, voxels left out
                 whose mirror image or self is tumour; from 0.75 on it is plausible
deep_grey        share of grey matter where the average brain has deep grey matter; from 0.5 on it is plausible
cerebellum       grey over white matter in the cerebellum; 0.8 to 8 is plausible (the average brain has 3.9)
absent           a grade that cannot be given: no white matter, no aligned average brain, no ventricles, no voxels

A map that is graded is not a map that is right: the grades find gross errors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from glioforge.core import COMPLETE, Mask, bounding_box
from glioforge.data.preparation.neighbours import least_part, thin_grey, ventricles_of
from glioforge.data.preparation.tissue import CLASSES, TissueMap

LEAST_VOXELS: Final = 20
_CROSS = ndimage.generate_binary_structure(3, 1)
_CSF, _GREY, _WHITE = (COMPLETE.value(name) for name in CLASSES)
_DEEP = 0.5

PLAUSIBLE: Final[Mapping[str, tuple[float, float]]] = {
    "grey_to_white": (0.9, 1.8),
    "csf_share": (0.04, 0.4),
    "ring": (0.0, 0.25),
    "islands": (0, 14),
    "symmetry": (0.75, 1.0),
    "deep_grey": (0.5, 1.0),
    "cerebellum": (0.8, 8.0),
}
"""Least and greatest value of each grade that raises no warning."""
TITLES: Final[Mapping[str, str]] = {
    "grey_to_white": "grey over white matter",
    "csf_share": "share of fluid in the brain",
    "ring": "share of the ventricles' surface under thin grey matter",
    "islands": "specks of a tissue within another",
    "symmetry": "symmetry of the halves",
    "deep_grey": "share of grey matter where deep grey matter lies",
    "cerebellum": "grey over white matter in the cerebellum",
}
"""Name of each grade on the screen."""
_WORDS: Final[Mapping[str, str]] = {
    "grey_to_white": "grey matter has {} times the volume of white matter",
    "csf_share": "fluid is {} of the brain's volume",
    "ring": "thin grey matter covers {} of the surface of the ventricles",
    "islands": "{} specks of a tissue lie within another",
    "symmetry": "a tissue has in one half of the brain {} times the volume that it has in the other",
    "deep_grey": "grey matter is {} of where deep grey matter lies",
    "cerebellum": "in the cerebellum, grey matter has {} times the volume of white matter",
}
"""What each grade says of a map, for warnings."""


@final
@dataclass(frozen=True)
class Grades:
    """Grades of one map; none where a grade cannot be given."""

    grey_to_white: float | None
    csf_share: float | None
    ring: float | None
    islands: int
    symmetry: float | None
    deep_grey: float | None
    cerebellum: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, rounded to four digits."""
        return {k: v if v is None or isinstance(v, int) else round(v, 4) for k, v in asdict(self).items()}

    @property
    def warnings(self) -> list[str]:
        """What is implausible, in words, and how to look at it."""
        lines = []
        for name, value in asdict(self).items():
            low, high = PLAUSIBLE[name]
            if value is not None and not low <= value <= high:
                said = _WORDS[name].format(f"{value:.3g}")
                lines.append(f"{said} (expected {low:g} to {high:g}): look at the tissue map, prepare ... --qc FOLDER")
        return lines


def grade(found: TissueMap, brain: Mask, spacing: tuple[float, float, float]) -> Grades:
    """Grade a complete map.

    Args:
        found: The map, and the aligned average brain if there is one.
        brain: Brain mask on its RAS grid.
        spacing: Voxel size in mm.
    """
    labels = found.labels
    counts = {value: int(np.count_nonzero(labels == value)) for value in (_CSF, _GREY, _WHITE)}
    tissue = sum(counts.values())
    return Grades(
        grey_to_white=_ratio(counts[_GREY], counts[_WHITE]),
        csf_share=_ratio(counts[_CSF], tissue),
        ring=_ring(found, brain, spacing),
        islands=islands(labels, least_part(LEAST_VOXELS, spacing)),
        symmetry=_symmetry(labels, brain),
        deep_grey=_deep_grey(found),
        cerebellum=_cerebellum(found),
    )


def islands(labels: UInt8[np.ndarray, "i j k"], least: int = LEAST_VOXELS) -> int:
    """Count the connected parts (by faces) of each tissue with fewer than `least` voxels that border on another tissue.

    Example:
        >>> labels = np.full((9, 9, 9), COMPLETE.value("white_matter"), dtype=np.uint8)
        >>> labels[4, 4, 4] = COMPLETE.value("csf")
        >>> islands(labels)
        1
    """
    total = 0
    for value in (_CSF, _GREY, _WHITE):
        parts, count = ndimage.label(labels == value, _CROSS)
        others = [v for v in (_CSF, _GREY, _WHITE) if v != value]
        beside = ndimage.binary_dilation(np.isin(labels, others), _CROSS)
        bordering = np.bincount(parts[beside], minlength=count + 1)[1:] > 0
        total += int(np.count_nonzero(bordering & (np.bincount(parts.ravel(), minlength=count + 1)[1:] < least)))
    return total


def summary(graded: Iterable[Mapping[str, float | int | None]]) -> dict[str, dict[str, float]]:
    """Median, least and greatest value of each grade over cases; grades that no case has are absent."""
    cases = list(graded)
    result = {}
    for name in PLAUSIBLE:
        values = [float(v) for case in cases if (v := case.get(name)) is not None]
        if values:
            low, high = PLAUSIBLE[name]
            result[name] = {
                "median": round(float(np.median(values)), 3),
                "min": round(min(values), 3),
                "max": round(max(values), 3),
                "plausible": sum(low <= v <= high for v in values),
                "cases": len(values),
            }
    return result


def _ratio(above: float, below: float) -> float | None:
    """A ratio; none to nothing."""
    return float(above / below) if below else None


def _ring(found: TissueMap, brain: Mask, spacing: tuple[float, float, float]) -> float | None:
    """Share of the ventricles' surface that thin grey matter covers where none is expected."""
    if found.prior is None:
        return None
    labels = found.labels
    ventricles = ventricles_of(labels == _CSF, found.prior[0] > _DEEP, brain, spacing)
    surface = ndimage.binary_dilation(ventricles, _CROSS) & ~ventricles & brain
    grey = (labels == _GREY) & (found.prior[1] + found.prior[3] < _DEEP)
    ring = surface & grey & thin_grey(labels == _GREY, spacing)
    return _ratio(int(np.count_nonzero(ring)), int(np.count_nonzero(surface)))


def _symmetry(labels: UInt8[np.ndarray, "i j k"], brain: Mask) -> float | None:
    """Least ratio of volumes of a tissue in both halves, mirrored about the brain's middle along the first axis."""
    box = bounding_box(brain)
    if box is None:
        return None
    inside = labels[box[0]]
    half = len(inside) // 2
    left, right = inside[:half], inside[::-1][:half]
    tissue = (_CSF, _GREY, _WHITE)
    both = ~(((left > 0) & ~np.isin(left, tissue)) | ((right > 0) & ~np.isin(right, tissue)))
    ratios = []
    for value in tissue:
        one, other = np.count_nonzero((left == value) & both), np.count_nonzero((right == value) & both)
        if max(one, other):
            ratios.append(min(one, other) / max(one, other))
    return min(ratios, default=None)


def _deep_grey(found: TissueMap) -> float | None:
    """Share of grey matter where the average brain has deep grey matter, tumour left out."""
    if found.prior is None:
        return None
    region = (found.prior[3] > _DEEP) & np.isin(found.labels, (_CSF, _GREY, _WHITE))
    return _ratio(int(np.count_nonzero(found.labels[region] == _GREY)), int(np.count_nonzero(region)))


def _cerebellum(found: TissueMap) -> float | None:
    """Grey over white matter in the cerebellum."""
    if found.cerebellum is None:
        return None
    inside = found.labels[found.cerebellum]
    return _ratio(int(np.count_nonzero(inside == _GREY)), int(np.count_nonzero(inside == _WHITE)))
