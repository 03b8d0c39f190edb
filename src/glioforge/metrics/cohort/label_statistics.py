"""What a label map is made of: shares, areas, contacts and positions of its classes.

Conventions
-----------
share      voxels of a class over all labelled ones
area       largest axial area of a class, log2 of 1 + mm² / 100
contact    faces between voxels of two classes over all faces between two classes
position   centre of a class in the box of all labels, 0 to 1 along i, j and k; the box's centre for a class that
           is absent
"""

import numpy as np
from jaxtyping import Int64

from glioforge.core import LabelMap, bounding_box


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
