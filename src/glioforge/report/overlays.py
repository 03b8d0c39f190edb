"""Outlines of truth and prediction over scans: the best, the median and the worst case.

Each column is a region on the contrast that shows it best, each row a plane;
slices are those with the largest true lesion, or the largest predicted one
where none is true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Shaped

from glioforge.core import Box, Geometry, LabelMap, Mask, Modality, Volume, bounding_box
from glioforge.report.page import Figure
from glioforge.report.scores import ResultTable
from glioforge.report.slices import (
    CONVENTION,
    PLANES,
    Outline,
    Picture,
    as_seen,
    grey,
    legend,
    picture_grid,
    seen_from,
    window_of,
)
from glioforge.report.style import banner_of

TRUTH: Final = (86, 180, 233)
"""Colour of true outlines, sky blue of Okabe & Ito (2008)."""
PREDICTION: Final = (230, 159, 0)
"""Colour of predicted outlines, orange of Okabe & Ito (2008)."""
MARGIN: Final = 6
"""Voxels left around what is shown."""
_BACKGROUNDS: Final[Mapping[str, tuple[Modality, ...]]] = {
    "WT": (Modality.FLAIR, Modality.T2),
    "TC": (Modality.T1CE,),
    "ET": (Modality.T1CE,),
}


@final
@dataclass(frozen=True, eq=False)
class Overlay:
    """One case with what was predicted for it.

    Args:
        title: What it stands for, and its name.
        images: Its contrasts; may be empty, and then outlines stand on grey.
        truth: True labels on the same grid.
        prediction: Predicted labels on the same grid.
        texts: Text for each region, such as its Dice.
    """

    title: str
    images: Mapping[Modality, Volume]
    truth: LabelMap
    prediction: LabelMap
    texts: Mapping[str, str]


def overlay_figure(overlay: Overlay, regions: Sequence[str]) -> Figure:
    """One case in three planes with both outlines."""
    rows = [(plane, _pictures(overlay, regions, axis)) for plane, axis in PLANES.items()]
    caption = f"{overlay.title}. Slices with the largest true lesion, else the largest predicted one. {CONVENTION}"
    png = picture_grid(rows, tuple(regions), cell_inch=2.2, banner=banner_of([overlay.title]))
    return Figure(png, caption, f"{overlay.title}: outlines of truth and prediction over the images")


def outline_legend() -> Figure:
    """The two colours with their names."""
    png = legend({"truth": TRUTH, "prediction": PREDICTION})
    return Figure(png, "Colours of the outlines.", "Legend of the outlines' colours")


def extreme_cases(
    table: ResultTable, arm: str, regions: Sequence[str], metric: str = "dice"
) -> list[tuple[str, str, dict[str, str]]]:
    """The `best`, `median` and `worst` case by the mean over regions under the first seed.

    Returns:
        Name, case id, and the text of each region.  With two cases there is no median, with one only a `best`; none
        for no rows.
    """
    found: dict[str, dict[str, float]] = {}
    for region in regions:
        for row in table.of(arm, region, metric):
            if row.seed == 0:
                found.setdefault(row.case_id, {})[region] = row.value
    means = {case_id: np.mean(list(v.values())) for case_id, v in found.items() if len(v) == len(regions)}
    order = sorted(means, key=lambda case_id: (-means[case_id], case_id))
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    wanted = ("best", "median", "worst") if len(order) > 2 else ("best", "worst")[: len(order)]
    chosen = [(name, order[places[name]]) for name in wanted]
    return [(n, c, {r: f"{r} Dice {value:.3f}" for r, value in found[c].items()}) for n, c in chosen]


def upright(voxels: Shaped[np.ndarray, "_ _ _"], geometry: Geometry) -> Shaped[np.ndarray, "_ _ _"]:
    """Return voxels in the order nearest to RAS, whatever the grid's own is."""
    axes, flips = geometry.canonical_axes()
    turned = np.transpose(voxels, axes)
    return np.flip(turned, tuple(axis for axis, flip in enumerate(flips) if flip))


def _pictures(overlay: Overlay, regions: Sequence[str], axis: int) -> tuple[Picture, ...]:
    """One picture a region, all of one slice."""
    geometry = overlay.truth.geometry
    lesions = [upright(labels.lesion, geometry) for labels in (overlay.truth, overlay.prediction)]
    others = tuple(a for a in range(3) if a != axis)
    areas = next((mask.sum(axis=others) for mask in lesions if mask.any()), None)
    index = lesions[0].shape[axis] // 2 if areas is None else int(areas.argmax())
    place: list[slice | int] = list(_box(overlay, lesions[0] | lesions[1]))
    place[axis] = index
    return tuple(_picture(overlay, region, tuple(place), axis) for region in regions)


def _picture(overlay: Overlay, region: str, place: tuple[slice | int, ...], axis: int) -> Picture:
    """One region on its contrast."""
    geometry = overlay.truth.geometry
    outlines = []
    for labels, colour in ((overlay.truth, TRUTH), (overlay.prediction, PREDICTION)):
        known = region in labels.scheme.regions or region in labels.scheme.labels
        mask = upright(labels.region(region), geometry)[place] if known else np.zeros(1, dtype=bool)
        if mask.any():
            outlines.append(Outline(as_seen(mask), colour))
    contrast = _background(overlay.images, region)
    if contrast is None:
        shown = grey(np.full(upright(overlay.truth.lesion, geometry)[place].shape, 0.25, np.float32), window=(0.0, 1.0))
    else:
        image = upright(overlay.images[contrast].voxels, geometry)
        shown = grey(image[place], window=window_of(image, _foreground(image)))
    name = "" if contrast is None else f", {contrast.title}"
    turned, _ = geometry.canonical_axes()
    sides, aspect = seen_from(axis, [geometry.spacing[a] for a in turned])
    return Picture(shown, tuple(outlines), f"{overlay.texts.get(region, region)}{name}", sides, aspect)


def _background(images: Mapping[Modality, Volume], region: str) -> Modality | None:
    """The contrast that shows a region best, of those there are."""
    wanted = (*_BACKGROUNDS.get(region, ()), *images)
    return next((modality for modality in wanted if modality in images), None)


def _foreground(image: Shaped[np.ndarray, "_ _ _"]) -> Bool[np.ndarray, "_ _ _"]:
    """Where there is something; prepared and skull-stripped scans are exactly 0 elsewhere."""
    return np.asarray(image != 0)


def _box(overlay: Overlay, lesions: Mask) -> Box:
    """Box around the head, or around the lesions where no image shows one."""
    shown = [_foreground(upright(v.voxels, overlay.truth.geometry)) for v in overlay.images.values()]
    mask = np.logical_or.reduce([lesions, *shown])
    return bounding_box(mask, MARGIN if shown else 4 * MARGIN) or (slice(None), slice(None), slice(None))
