"""Contact sheets: label maps before and after their edits, on the same slices, with heads and a legend."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from glioforge.core import Cohort, EditError, LabelMap, LabelVoxels, bounding_box
from glioforge.data import read_labels
from glioforge.io import write_atomically
from glioforge.lesions.patch import is_lesion
from glioforge.report import Pixels, label_rgb, upright

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

Row = tuple[str, LabelMap, LabelMap]
"""A title, the map before and the map after."""

_NARROWEST = 640
_SIDE, _GAP, _PAIR_GAP, _MARGIN = 190, 3, 14, 14
_HEAD, _CAPTION, _LEGEND = 22, 17, 26
_INK, _SOFT = (27, 36, 48), (95, 105, 118)


@final
@dataclass(frozen=True)
class _Pair:
    """The same slice before and after."""

    caption: str
    before: "Image"
    after: "Image"

    @property
    def width(self) -> int:
        """Width on the sheet."""
        return self.before.width + self.after.width + 2 * _GAP + _PAIR_GAP


def contact_sheet(rows: Iterable[Row], path: Path, slices: int = 3) -> None:
    """Draw maps before and after their edits as one PNG.

    Each row has a head with its title and the tumour's volume, and shows axial
    slices spread over the lesions of both maps and the coronal slice through
    the new lesion, each before and after, as radiologists see them.  A legend
    names the labels.

    Args:
        rows: Titles with maps; both maps of a row lie on one grid.
        path: PNG file to write.
        slices: Axial slices a row.

    Raises:
        EditError: There is no row.
        GeometryError: The maps of a row lie on different grids.
        OutputError: The file cannot be written.
    """
    from PIL import Image, ImageDraw

    sheet = list(rows)
    if not sheet:
        raise EditError("a contact sheet of nothing", "at least one edit")
    drawn = [_pairs(before, after, title, slices) for title, before, after in sheet]
    heights = [_HEAD + _CAPTION + max(pair.before.height for pair in pairs) + _MARGIN for pairs in drawn]
    width = max(sum(pair.width for pair in pairs) for pairs in drawn) + 2 * _MARGIN
    image = Image.new("RGB", (max(width, _NARROWEST), sum(heights) + _LEGEND + _MARGIN), "white")
    draw, top = ImageDraw.Draw(image), _MARGIN
    for (title, before, after), pairs, height in zip(sheet, drawn, heights, strict=True):
        head = f"{title}    tumour {before.volume_ml('WT'):.1f} → {after.volume_ml('WT'):.1f} ml"
        draw.text((_MARGIN, top), head, fill=_INK, font=_font(14))
        _paste(image, draw, pairs, top + _HEAD)
        top += height
    _draw_legend(draw, [labels for _, *maps in sheet for labels in maps], top)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())


def preview_cohort(parents: Cohort, edited: Cohort, out: Path, *, most: int = 8) -> None:
    """Contact sheet of the first edited cases beside the cases that they were made from.

    Args:
        parents: Cohort that was edited.
        edited: Cohort of edited label maps; its lineage names parents and edits.
        out: PNG file to write.
        most: Number of cases shown.

    Raises:
        CohortError: A parent is not in the cohort.
        EditError: There is no edited case.
        OutputError: The file cannot be written.
    """
    rows = []
    for ref in edited.cases[:most]:
        parent = next(p for p in ref.lineage.parents if ref.case_id.startswith(p))
        kinds = ", ".join(str(record["kind"]) for record in ref.lineage.edits) or "unchanged"
        title = f"{ref.case_id}    {ref.facts.get('recipe', 'edits')}: {kinds}"
        rows.append((title, read_labels(parents[parent]), read_labels(ref)))
    contact_sheet(rows, out)


def _pairs(before: LabelMap, after: LabelMap, title: str, slices: int) -> list[_Pair]:
    """The slices that a row shows, cut to the brain and a voxel around it."""
    before.geometry.require_same(after.geometry, title)
    maps = [upright(labels.voxels, labels.geometry) for labels in (before, after)]
    i, j, k = bounding_box((maps[0] > 0) | (maps[1] > 0), (1, 1, 1)) or (slice(0, n) for n in maps[0].shape)
    x, y, z = (before.geometry.spacing[axis] for axis in before.geometry.canonical_axes()[0])
    found = []
    for number in _axial_slices(maps, slices):
        tiles = [_tile(label_rgb(m[i, j, number], before.scheme), (x, y)) for m in maps]
        found.append(_Pair(f"axial {number}", tiles[0], tiles[1]))
    number = _coronal_slice(maps)
    tiles = [_tile(label_rgb(m[i, number, k], before.scheme), (x, z)) for m in maps]
    return [*found, _Pair(f"coronal {number}", tiles[0], tiles[1])]


def _tile(pixels: Pixels, pixel_mm: tuple[float, float]) -> "Image":
    """A slice with square pixels; its longer side has `_SIDE` of them."""
    from PIL import Image

    wide, high = pixels.shape[1] * pixel_mm[0], pixels.shape[0] * pixel_mm[1]
    scale = _SIDE / max(wide, high)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    return Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.NEAREST)


def _paste(image: "Image", draw: "ImageDraw", pairs: Sequence[_Pair], top: int) -> None:
    """Place the pairs of a row side by side, with captions above."""
    left = _MARGIN
    for pair in pairs:
        for word, tile in (("before", pair.before), ("after", pair.after)):
            draw.text((left, top), f"{pair.caption} {word}", fill=_SOFT, font=_font(11))
            image.paste(tile, (left, top + _CAPTION))
            left += tile.width + _GAP
        left += _PAIR_GAP


def _draw_legend(draw: "ImageDraw", maps: Sequence[LabelMap], top: int) -> None:
    """Name the colours of the labels that occur."""
    left = _MARGIN
    held = {(value, name): m for m in maps for name, value in m.scheme.labels.items() if (m.voxels == value).any()}
    for value, name in sorted(held):
        if value == 0:
            continue
        pixels = label_rgb(np.array([[value]], dtype=np.uint8), held[value, name].scheme)
        colour = tuple(pixels[0, 0].tolist())
        text = name.replace("_", " ")
        draw.rectangle((left, top + 3, left + 12, top + 15), fill=colour, outline=_SOFT)
        draw.text((left + 18, top + 2), text, fill=_INK, font=_font(12))
        left += round(18 + draw.textlength(text, font=_font(12)) + 18)


@cache
def _font(size: int) -> "FreeTypeFont":
    """The font that comes with matplotlib: Pillow's own lacks arrows, and letters of most languages."""
    import matplotlib as mpl
    from PIL import ImageFont

    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _axial_slices(maps: Sequence[LabelVoxels], count: int) -> list[int]:
    """Slices spread evenly over both lesions, or over the brain without any."""
    lesion = is_lesion(maps[0]) | is_lesion(maps[1])
    box = bounding_box(lesion if lesion.any() else maps[1] > 0)
    low, high = (box[2].start, box[2].stop) if box else (0, maps[0].shape[2])
    return [int(low + (n + 0.5) * (high - low) / count) for n in range(count)]


def _coronal_slice(maps: Sequence[LabelVoxels]) -> int:
    """Middle of the new lesion, else of the old one, else of the grid."""
    for voxels in reversed(maps):
        box = bounding_box(is_lesion(voxels))
        if box is not None:
            return int((box[1].start + box[1].stop) // 2)
    return int(maps[0].shape[1] // 2)
