"""Slices as pictures, in the way radiologists look at them.

Conventions
-----------
slice       two axes of a canonical (RAS) volume: `(i, j)` for an axial one
picture     `(row, column)`: anterior (or superior) is up and the patient's left
            is on the picture's right, as if seen from the feet; pixels are square
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from glioforge.core.errors import GeometryError
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.modality import Modality
from glioforge.core.volume import Volume

Pixels = UInt8[np.ndarray, "row column 3"]
SliceMask = Bool[np.ndarray, "i j"]
Window = tuple[float, float]


@final
@dataclass(frozen=True, eq=False)
class Outline:
    """Border of a region.

    Args:
        mask: The region in picture order.
        colour: RGB, 0-255.
    """

    mask: Bool[np.ndarray, "row column"]
    colour: tuple[int, int, int]


@final
@dataclass(frozen=True, eq=False)
class Picture:
    """One cell of a grid of pictures.

    Args:
        pixels: RGB in picture order.
        outlines: Borders drawn over it.
        text: Small text in its lower corner; empty for none.
    """

    pixels: Pixels
    outlines: tuple[Outline, ...] = ()
    text: str = ""

    @classmethod
    def blank(cls, like: "Picture") -> "Picture":
        """An empty cell: white, of the size of another picture; it is drawn without its sides."""
        return cls(np.full_like(like.pixels, 255))

    @property
    def is_blank(self) -> bool:
        """Whether it is white all over."""
        return bool((self.pixels == 255).all())


def as_seen(slice_: Shaped[np.ndarray, "i j"]) -> Shaped[np.ndarray, "row column"]:
    """Turn a slice of a RAS volume into picture order.

    Example:
        >>> as_seen(np.array([["right back", "right front"], ["more right, back", "more right, front"]]))[0, 0].item()
        'more right, front'
    """
    return slice_[::-1, ::-1].T


def best_slice(labels: LabelMap, axis: int = 2) -> int:
    """The slice with the largest lesion; with the most labels where there is none, else the middle one.

    Example:
        >>> from glioforge.core.geometry import Geometry
        >>> from glioforge.core.schemes import COMPLETE
        >>> voxels = np.zeros((2, 2, 5), np.uint8)
        >>> voxels[0, 0, 3] = 1
        >>> best_slice(LabelMap(voxels, Geometry.isotropic(voxels.shape), COMPLETE))
        3
    """
    others = tuple(a for a in range(3) if a != axis)
    for mask in (labels.lesion, labels.voxels > 0):
        areas = mask.sum(axis=others)
        if areas.any():
            return int(areas.argmax())
    return labels.voxels.shape[axis] // 2


def label_rgb(labels: UInt8[np.ndarray, "i j"], scheme: LabelScheme) -> Pixels:
    """Labels of a slice in the colours of their scheme; background black, grey where it names none."""
    table = np.zeros((256, 3), dtype=np.uint8)
    for name, value in scheme.labels.items():
        if name != "background":
            table[value] = scheme.colours.get(name, (128, 128, 128))
    return table[as_seen(labels)]


def window_of(image: Float[np.ndarray, "..."], brain: Bool[np.ndarray, "..."]) -> Window:
    """Grey window of an image: 0.5th to 99.5th percentile inside the brain; `(0, 1)` without a brain.

    Use one subject's real window for its synthetic images too, so that they can be compared by eye.
    """
    if not brain.any():
        return (0.0, 1.0)
    low, high = np.percentile(image[brain], (0.5, 99.5))
    return (float(low), float(high) if high > low else float(low) + 1.0)


def grey(image: Float[np.ndarray, "i j"], brain: SliceMask | None = None, window: Window | None = None) -> Pixels:
    """A slice of an image in grey, black outside the brain.

    Args:
        image: Intensities.
        brain: Where to show it; everywhere unless given.
        window: Intensities of black and white; from the slice itself unless given.
    """
    inside = np.ones(image.shape, dtype=bool) if brain is None else brain
    low, high = window or window_of(image, inside)
    shades = np.clip((image - low) / (high - low), 0, 1)
    levels = np.where(inside, np.rint(25 + 230 * shades) if brain is not None else np.rint(255 * shades), 0)
    return np.repeat(as_seen(levels.astype(np.uint8))[:, :, None], 3, axis=2)


def region_outlines(
    labels: UInt8[np.ndarray, "i j"], scheme: LabelScheme, names: Iterable[str] | None = None
) -> tuple[Outline, ...]:
    """Borders of labels or regions present in a slice; of all tumour labels unless named."""
    found = []
    for name in names or scheme.lesion:
        mask = np.isin(labels, scheme.region_values(name))
        if mask.any():
            colour = scheme.colours.get(name, (86, 180, 233))
            found.append(Outline(as_seen(mask), colour))
    return tuple(found)


def case_pictures(
    labels: LabelMap,
    images: Mapping[Modality, Volume],
    index: int,
    windows: Mapping[Modality, Window] | None = None,
    outlined: Sequence[str] = (),
) -> tuple[Picture, ...]:
    """Label map and then every contrast of one axial slice.

    Args:
        labels: Labels in RAS order.
        images: Contrasts on the same grid.
        index: Number of the slice along k.
        windows: Grey window of each contrast; from the whole volume unless given.
        outlined: Labels or regions whose borders are drawn over the contrasts.

    Raises:
        GeometryError: The volume is not in RAS order, or there is no such slice.
    """
    if labels.geometry.orientation != "RAS" or not 0 <= index < labels.voxels.shape[2]:
        raise GeometryError(
            f"slice {index} of a volume in {labels.geometry.orientation} order with {labels.voxels.shape[2]} slices",
            "a slice of a RAS volume",
            "bring the case to canonical order first",
        )
    brain = labels.voxels > 0 if labels.scheme.is_complete else np.ones(labels.voxels.shape, dtype=bool)
    slice_ = labels.voxels[:, :, index]
    borders = region_outlines(slice_, labels.scheme, outlined) if outlined else ()
    pictures = [Picture(label_rgb(slice_, labels.scheme))]
    for modality, volume in images.items():
        window = (windows or {}).get(modality) or window_of(volume.voxels, brain)
        pictures.append(Picture(grey(volume.voxels[:, :, index], brain[:, :, index], window), borders))
    return tuple(pictures)
