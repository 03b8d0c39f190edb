"""Outlines of truth and prediction over scans: the best, the median and the worst case.

Each column is a region on the contrast that shows it best; the slice is that
with the largest true lesion, or the largest predicted one where none is true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Shaped

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.modality import Modality
from glioforge.core.volume import Mask, Volume
from glioforge.io.tables import ResultRow
from glioforge.metrics.pair import Box, bounding_box
from glioforge.report.compare import with_mean_region
from glioforge.report.plots import picture_grid
from glioforge.report.slices import Outline, Picture, as_seen, grey, window_of
from glioforge.report.style import INK, png, sheet

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
        title: Name of its row.
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


def overlay_grid(overlays: Sequence[Overlay], regions: Sequence[str]) -> bytes:
    """A row a case, a column a region, with both outlines.

    Raises:
        OutputError: There is no case.
    """
    return picture_grid([(o.title, _pictures(o, regions)) for o in overlays], tuple(regions), cell_inch=2.7)


def outline_legend() -> bytes:
    """The two colours with their names."""
    figure = sheet(3.2, 0.3)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(0, 2)
    axes.set_ylim(-1, 1)
    for place, (name, colour) in enumerate((("truth", TRUTH), ("prediction", PREDICTION))):
        axes.plot([place + 0.05, place + 0.2], [0, 0], color=np.array(colour) / 255, linewidth=2.5)
        axes.text(place + 0.26, 0, name, va="center", fontsize=9, color=INK)
    return png(figure)


def extreme_cases(
    rows: Sequence[ResultRow], arm: str, regions: Sequence[str], metric: str = "dice"
) -> list[tuple[str, str]]:
    """Names `best`, `median` and `worst`, each with a case, by the mean over regions under the first seed.

    With two cases there is no median, with one only a `best`; none for no rows.
    """
    chosen = [row for row in rows if (row.arm, row.metric, row.seed) == (arm, metric, 0)]
    means = {row.case_id: row.value for row in with_mean_region(chosen, tuple(regions)) if row.region == "mean"}
    order = sorted(means, key=lambda case_id: (-means[case_id], case_id))
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    wanted = ("best", "median", "worst") if len(order) > 2 else ("best", "worst")[: len(order)]
    return [(name, order[places[name]]) for name in wanted]


def texts_of(rows: Sequence[ResultRow], arm: str, case_id: str, regions: Sequence[str]) -> dict[str, str]:
    """Dice of a case in each region under the first seed, as shown in its pictures."""
    return {
        row.region: f"{row.region} Dice {row.value:.3f}"
        for row in rows
        if (row.arm, row.case_id, row.metric, row.seed) == (arm, case_id, "dice", 0) and row.region in regions
    }


def _pictures(overlay: Overlay, regions: Sequence[str]) -> tuple[Picture, ...]:
    """One picture a region, all of one slice."""
    geometry = overlay.truth.geometry
    lesions = [upright(labels.lesion, geometry) for labels in (overlay.truth, overlay.prediction)]
    areas = next((mask.sum(axis=(0, 1)) for mask in lesions if mask.any()), None)
    index = lesions[0].shape[2] // 2 if areas is None else int(areas.argmax())
    box = _box(overlay, lesions[0] | lesions[1])
    return tuple(_picture(overlay, region, (*box[:2], index)) for region in regions)


def _picture(overlay: Overlay, region: str, place: tuple[slice, slice, int]) -> Picture:
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
    return Picture(shown, tuple(outlines), f"{overlay.texts.get(region, region)}{name}")


def _background(images: Mapping[Modality, Volume], region: str) -> Modality | None:
    """The contrast that shows a region best, of those there are."""
    wanted = (*_BACKGROUNDS.get(region, ()), *images)
    return next((modality for modality in wanted if modality in images), None)


def upright(voxels: Shaped[np.ndarray, "_ _ _"], geometry: Geometry) -> Shaped[np.ndarray, "_ _ _"]:
    """Voxels in the order nearest to RAS, whatever the grid's own is."""
    axes, flips = geometry.canonical_axes()
    turned = np.transpose(voxels, axes)
    return np.flip(turned, tuple(axis for axis, flip in enumerate(flips) if flip))


def _foreground(image: Shaped[np.ndarray, "_ _ _"]) -> Bool[np.ndarray, "_ _ _"]:
    """Where there is something; prepared and skull-stripped scans are exactly 0 elsewhere."""
    return np.asarray(image != 0)


def _box(overlay: Overlay, lesions: Mask) -> Box:
    """Box around the head, or around the lesions where no image shows one."""
    shown = [_foreground(upright(v.voxels, overlay.truth.geometry)) for v in overlay.images.values()]
    mask = np.logical_or.reduce([lesions, *shown])
    if not mask.any():
        return slice(None), slice(None), slice(None)
    return bounding_box(mask, MARGIN if shown else 4 * MARGIN)
