"""Slices as pictures, in the way radiologists look at them, and grids of pictures.

Conventions
-----------
slice       two axes of a canonical (RAS) volume: `(i, j)` for an axial one,
            `(i, k)` for a coronal and `(j, k)` for a sagittal one
picture     `(row, column)`: anterior (or superior) is up and the patient's left
            is on the picture's right, as if seen from the feet; sagittal
            slices have the face on the picture's left
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from glioforge.core import GeometryError, LabelMap, LabelScheme, Modality, OutputError, Volume
from glioforge.report.style import INK, SOFT, in_words, png, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLANES: Final[Mapping[str, int]] = MappingProxyType({"axial": 2, "coronal": 1, "sagittal": 0})
"""Axis that each plane is cut across, in the order of galleries."""
CONVENTION: Final = (
    "Radiological display: anterior or superior is up, and the patient's left (L) is on the picture's right; sagittal "
    "slices show anterior (A) on the left."
)
"""Belongs into the caption of every grid of slices."""

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
        sides: What lies on its left and right.
        aspect: Height of a pixel over its width.
    """

    pixels: Pixels
    outlines: tuple[Outline, ...] = ()
    text: str = ""
    sides: tuple[str, str] = ("R", "L")
    aspect: float = 1.0

    @classmethod
    def blank(cls, like: "Picture") -> "Picture":
        """An empty cell: white, of the size of another picture; it is drawn without its sides."""
        return cls(np.full_like(like.pixels, 255), aspect=like.aspect)

    @property
    def is_blank(self) -> bool:
        """Whether it is white all over."""
        return bool((self.pixels == 255).all())

    @property
    def tallness(self) -> float:
        """Height over width."""
        return self.aspect * self.pixels.shape[0] / self.pixels.shape[1]


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
    for mask in (labels.lesion, labels.foreground):
        areas = mask.sum(axis=others)
        if areas.any():
            return int(areas.argmax())
    return labels.voxels.shape[axis] // 2


def shared_slice(first: LabelMap, second: LabelMap, axis: int = 2) -> int:
    """The slice that shows the lesions of two maps on one grid best; that of the second where no slice has both.

    Example:
        >>> from glioforge.core.geometry import Geometry
        >>> from glioforge.core.schemes import COMPLETE
        >>> voxels = np.zeros((2, 2, 5), np.uint8)
        >>> voxels[0, 0, 1:] = 1
        >>> moved = np.zeros((2, 2, 5), np.uint8)
        >>> moved[:, 1, 3] = 1
        >>> grid = Geometry.isotropic(voxels.shape)
        >>> shared_slice(LabelMap(voxels, grid, COMPLETE), LabelMap(moved, grid, COMPLETE))
        3
    """
    others = tuple(a for a in range(3) if a != axis)
    both = np.minimum(first.lesion.sum(axis=others), second.lesion.sum(axis=others))
    return int(both.argmax()) if both.any() else best_slice(second if second.lesion.any() else first, axis)


def seen_from(axis: int, spacing: Sequence[float]) -> tuple[tuple[str, str], float]:
    """What lies left and right in a slice across an axis, and the height of its pixels over their width."""
    across, along = (spacing[a] for a in range(3) if a != axis)
    return ("A", "P") if axis == 0 else ("R", "L"), along / across


def label_rgb(labels: UInt8[np.ndarray, "i j"], scheme: LabelScheme) -> Pixels:
    """Labels of a slice in the colours of their scheme; background black, grey where it names none."""
    table = np.zeros((256, 3), dtype=np.uint8)
    for name, colour in label_colours(scheme).items():
        table[scheme.value(name)] = colour
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
    *,
    axis: int = 2,
) -> tuple[Picture, ...]:
    """Label map and then every contrast of one slice.

    Args:
        labels: Labels in RAS order.
        images: Contrasts on the same grid.
        index: Number of the slice along the axis.
        windows: Grey window of each contrast; from the whole volume unless given.
        outlined: Labels or regions whose borders are drawn over the contrasts.
        axis: Axis that is cut across; axial unless given.

    Raises:
        GeometryError: The volume is not in RAS order, or there is no such slice.
    """
    if labels.geometry.orientation != "RAS" or not 0 <= index < labels.voxels.shape[axis]:
        raise GeometryError(
            f"slice {index} of a volume in {labels.geometry.orientation} order with {labels.voxels.shape[axis]} slices",
            "a slice of a RAS volume",
            "bring the case to canonical order first",
        )
    sides, aspect = seen_from(axis, labels.geometry.spacing)
    brain = labels.foreground if labels.scheme.is_complete else np.ones(labels.voxels.shape, dtype=bool)
    slice_, inside = (np.take(voxels, index, axis) for voxels in (labels.voxels, brain))
    borders = region_outlines(slice_, labels.scheme, outlined) if outlined else ()
    pictures = [Picture(label_rgb(slice_, labels.scheme), sides=sides, aspect=aspect)]
    for modality, volume in images.items():
        window = (windows or {}).get(modality) or window_of(volume.voxels, brain)
        shades = grey(np.take(volume.voxels, index, axis), inside, window)
        pictures.append(Picture(shades, borders, sides=sides, aspect=aspect))
    return tuple(pictures)


def picture_grid(
    rows: Sequence[tuple[str, Sequence[Picture]]], columns: Sequence[str], *, cell_inch: float = 1.75, banner: str = ""
) -> bytes:
    """Draw pictures in rows and columns as a PNG file, each row named, with the sides marked.

    Args:
        rows: Name and pictures of each row; a short row leaves cells empty.
        columns: Titles of the columns.
        cell_inch: Width of a cell.
        banner: Warning above the pictures.

    Raises:
        OutputError: There is no picture, or a row has more pictures than there are columns.
    """
    longest = max((len(pictures) for _, pictures in rows), default=0)
    if not longest or longest > len(columns):
        raise OutputError(f"a row of {longest} pictures for {len(columns)} column titles", "1 to as many as titles")
    heights = [max((picture.tallness for picture in pictures), default=1.0) for _, pictures in rows]
    figure = sheet(cell_inch * len(columns) + 0.5, cell_inch * sum(heights) + 0.3, gap_inch=0.02)
    grid = figure.subplots(len(rows), len(columns), squeeze=False, height_ratios=heights)
    for (name, pictures), line in zip(rows, grid, strict=True):
        for column, axes in enumerate(line):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if column < len(pictures):
                _show(axes, pictures[column])
        line[0].set_ylabel(name, fontsize=8.5, color=INK, visible=True)
    for axes, title in zip(grid[0], columns, strict=True):
        axes.set_title(title, fontsize=9, color=INK, pad=4)
    return png(figure, vector=False, banner=banner)


def legend(colours: Mapping[str, tuple[int, int, int]]) -> bytes:
    """Draw names with their colours in one line, as a PNG file."""
    figure = sheet(1.15 * len(colours), 0.35)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(0, len(colours))
    axes.set_ylim(-1, 1)
    for place, (name, colour) in enumerate(colours.items()):
        axes.plot([place + 0.08], [0], "s", color=np.array(colour) / 255, markeredgecolor=SOFT, markersize=9)
        axes.text(place + 0.2, 0, in_words(name), va="center", fontsize=8, color=INK)
    return png(figure, vector=False)


def label_colours(scheme: LabelScheme) -> dict[str, tuple[int, int, int]]:
    """Colour of each label of a scheme by its value, without the background."""
    names = sorted((name for name in scheme.labels if name != "background"), key=scheme.value)
    return {name: scheme.colours.get(name, (128, 128, 128)) for name in names}


def _show(axes: "Axes", picture: Picture) -> None:
    """Draw a picture with its outlines, its sides and its text."""
    axes.imshow(picture.pixels, interpolation="nearest", aspect=picture.aspect)
    for outline in picture.outlines:
        if not outline.mask.all() and min(outline.mask.shape) > 1:
            axes.contour(outline.mask.astype(float), [0.5], colors=[np.array(outline.colour) / 255], linewidths=0.9)
    if picture.is_blank:
        return
    small: dict[str, Any] = {"color": "#d8dee6", "fontsize": 6, "transform": axes.transAxes, "va": "center"}
    for place, side in zip((0.02, 0.98), picture.sides, strict=True):
        axes.text(place, 0.5, side, ha="left" if place < 0.5 else "right", **small)
    if picture.text:
        axes.text(0.5, 0.03, picture.text, ha="center", **{**small, "fontsize": 7.5})
