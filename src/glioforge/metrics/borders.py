"""How like a real image a made one is along the borders of its label map: error and sharpness in a narrow band.

Most voxels of a brain lie away from borders, so that a mean over the brain hardly shows whether a tumour looks pasted
in.  These numbers are over the voxels at borders alone, on both sides of each.  They compare with the one real image
that has the same labels.

Conventions
-----------
border      where two voxels of the brain that share a face differ in class; the surface of the brain is none
band        voxels of the brain with another class of the brain at most `voxels` steps through faces away: for 1 the
            two voxels on either side of a border
brain       region of the borders between all classes
lesion      region of the borders of the lesion, with what surrounds it and between its own classes; normal tissue
            counts as one class
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
from jaxtyping import Int16
from scipy import ndimage

from glioforge.core import GeometryError, LabelError, LabelMap, Mask, SpecError, bounding_box
from glioforge.metrics.base import DEFINED, AnyImage, AnyMask, Direction, ImagePair, Metric, MetricRow
from glioforge.metrics.similarity import PREPARED_RANGE, mae
from glioforge.metrics.texture import mean_step

Spacing = tuple[float, float, float]

BAND_VOXELS: Final = 1
"""Width of the band on each side of a border."""
_ABOVE: Final = 256
"""More than any label."""
_LEAST: Final = 1e-6


def border_band(
    labels: LabelMap, *, voxels: int = BAND_VOXELS, lesion: bool = False, brain: AnyMask | None = None
) -> Mask:
    """Return the band about the borders between classes; all false where there is no border.

    Args:
        labels: A label map.
        voxels: Width on each side of a border, at least 1.
        lesion: Only borders of the lesion.
        brain: Where borders are looked for; the foreground of a complete map unless given.

    Raises:
        GeometryError: The brain mask has another shape.
        LabelError: The map labels the tumour alone, and no brain mask is given.
        SpecError: The width is below 1.
    """
    if voxels < 1:
        raise SpecError(f"a band of {voxels} voxels", "at least 1 voxel on each side of a border")
    inside = _brain_of(labels) if brain is None else brain
    if inside.shape != labels.voxels.shape:
        raise GeometryError(f"brain mask of shape {inside.shape}", f"shape {labels.voxels.shape}, the label map's")
    tumour = labels.lesion if lesion else None
    band = np.zeros(inside.shape, dtype=bool)
    box = bounding_box(inside if tumour is None else tumour & inside, voxels)
    if box is None:
        return band
    classes = labels.voxels if tumour is None else np.where(tumour, labels.voxels, 0)
    band[box] = inside[box] & _differs_nearby(classes[box].astype(np.int16), inside[box], voxels)
    return band


def border_mae(pair: ImagePair) -> float:
    """Mean absolute error inside the band, which is the pair's mask.

    Example:
        >>> real = np.zeros((1, 1, 4), dtype=np.float32)
        >>> band = np.array([[[False, True, True, False]]])
        >>> border_mae(ImagePair(real + np.float32([9, 1, 3, 9]), real, band, 10.0))
        2.0
    """
    return mae(pair)


def border_sharpness(pair: ImagePair, spacing: Spacing = (1.0, 1.0, 1.0)) -> float:
    """Mean absolute gradient inside the band, which is the pair's mask, made over real.

    More than 1 says that borders are harder than real ones, less that they are blurred.  Noise has gradients too: both
    images should have it, or neither.

    Args:
        pair: Made and real image with the band as mask.
        spacing: Voxel size in mm.

    Returns:
        The sum over axes of the mean absolute difference in a mm of neighbours that both lie in the band, made over
        real; 1 where neither image differs between neighbours, or the band has none.

    Example:
        >>> real = np.array([[[0, 1, 2, 3]]], dtype=np.float32)
        >>> band = np.array([[[False, True, True, False]]])
        >>> border_sharpness(ImagePair(real * np.float32(3), real, band, 10.0))
        3.0
    """
    made, real = (
        sum(mean_step(image, pair.mask, axis) / spacing[axis] for axis in range(3))
        for image in (pair.image, pair.reference)
    )
    return made / max(real, _LEAST) if max(made, real) > _LEAST else 1.0


def borders(spacing: Spacing) -> tuple[Metric[ImagePair], ...]:
    """Return the metrics of a band for images with this voxel size in mm."""
    sharpness = partial(border_sharpness, spacing=spacing)
    return (
        Metric("border_mae", "intensity", Direction.LOWER, border_mae, DEFINED, "MAE at borders"),
        Metric("border_sharpness", "1", Direction.ONE, sharpness, DEFINED, "Gradient at borders, made over real"),
    )


BORDERS: Final = borders((1.0, 1.0, 1.0))
"""Metrics of the band about borders, for voxels of 1 mm."""


def compare_borders(
    image: AnyImage, reference: AnyImage, labels: LabelMap, *, voxels: int = BAND_VOXELS, brain: AnyMask | None = None
) -> list[MetricRow]:
    """Compare a made image with the real one at the borders of their label map.

    Args:
        image: The made image, `(i, j, k)`.
        reference: The real one, on the same grid.
        labels: Label map of both.
        voxels: Width of the band on each side, at least 1.
        brain: As in `border_band`.

    Returns:
        Rows of both metrics in the regions `brain` and `lesion`; a region without a border has none.

    Raises:
        GeometryError: Shapes differ.
        LabelError: The map labels the tumour alone, and no brain mask is given.
        SpecError: The width is below 1.
    """
    metrics = borders(labels.geometry.spacing)
    return [
        MetricRow(region, metric.name, metric.function(pair), metric.unit)
        for region, pair in _pairs(image, reference, labels, voxels, brain)
        for metric in metrics
    ]


def _pairs(
    image: AnyImage, reference: AnyImage, labels: LabelMap, voxels: int, brain: AnyMask | None
) -> Iterator[tuple[str, ImagePair]]:
    """Name and pair of each region with a border, cut to its band."""
    shapes = {image.shape, reference.shape, labels.voxels.shape}
    if len(shapes) > 1:
        raise GeometryError(f"image, reference and label map of shapes {sorted(shapes)}", "one shape")
    for region in ("brain", "lesion"):
        band = border_band(labels, voxels=voxels, lesion=region == "lesion", brain=brain)
        if band.any():
            yield region, ImagePair(image, reference, band, PREPARED_RANGE).cut(0)


def _brain_of(labels: LabelMap) -> Mask:
    """Foreground of a complete map."""
    if not labels.scheme.is_complete:
        raise LabelError(
            f"labels in scheme {labels.scheme.name!r}, which names no normal tissue",
            "a complete label map, or a brain mask: the border of a tumour has brain on its other side",
            "give `brain`, or complete the map with `glioforge prepare`",
        )
    return labels.foreground


def _differs_nearby(classes: Int16[np.ndarray, "i j k"], inside: Mask, steps: int) -> Mask:
    """Whether a voxel of another class lies inside the brain, at most `steps` steps through faces away."""
    reach = ndimage.iterate_structure(ndimage.generate_binary_structure(3, 1), steps)
    most = ndimage.maximum_filter(np.where(inside, classes, -1), footprint=reach, mode="constant", cval=-1)
    least = ndimage.minimum_filter(np.where(inside, classes, _ABOVE), footprint=reach, mode="constant", cval=_ABOVE)
    differs: Mask = most != least
    return differs
