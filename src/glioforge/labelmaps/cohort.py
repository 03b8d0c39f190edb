"""A cohort of drawn label maps, each written as soon as it is drawn, and a contact sheet of it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import COMPLETE_DISTRACTORS, Case, CaseRef, Cohort, CohortError, Progress, Silent
from glioforge.data import find_case, write_case
from glioforge.io import Step, write_atomically, write_cohort
from glioforge.labelmaps.engine import LabelEngine
from glioforge.report import as_seen, label_rgb, upright

if TYPE_CHECKING:
    from PIL.Image import Image

CACHE = "cache"
"""Folder of hosts and growths below that of a cohort."""


@final
@dataclass(frozen=True)
class _Job:
    """Draws and stores one map; picklable."""

    engine: LabelEngine = field(repr=False)
    out: Path

    def __call__(self, number: int) -> CaseRef:
        """Reference of the map of a number, from the store where it is there."""
        return find_case(self.out, f"drawn-{number:06d}") or write_case(self.out, self.engine.draw(number).case())


def draw_label_maps(
    engine: LabelEngine,
    out: Path,
    *,
    count: int,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Draw the first maps of an engine and write them as a cohort in scheme `complete_distractors`.

    Args:
        engine: Draws them.
        out: Folder of the cohort; maps that it already holds are kept. A larger `count` adds to the folder.
        count: Number of maps, at least 1.
        parallel: How the work is spread; the bytes do not depend on it.
        progress: Where to show progress.

    Raises:
        CohortError: `count` is below 1.
        OutputError: The folder holds maps of other sources, settings or another seed, or cannot be written.
    """
    if count < 1:
        raise CohortError(f"{count} label maps", "at least one")
    progress = progress or Silent()
    with Step(out, engine.key) as step:
        missing = [n for n in range(count) if find_case(out, f"drawn-{n:06d}") is None]
        hosts = engine.needed(missing)
        for _ in fan_out(engine.prepare, hosts, parallel, title="hosts and growths", progress=progress):
            pass
        job = _Job(engine, out)
        refs = tuple(fan_out(job, range(count), parallel, title="label maps", progress=progress))
        cohort = Cohort(f"{engine.sources.train.name}-labels", refs, COMPLETE_DISTRACTORS)
        write_cohort(cohort, out)
        if not step.done:
            step.finish({"cases": len(cohort), "fingerprint": cohort.fingerprint})
    return cohort


_SIDE, _GAP, _HEAD, _MARGIN = 110, 2, 16, 10
_INK = (27, 36, 48)
_DARKEST, _BRIGHTEST = -2.5, 3.0


def preview_maps(cohort: Cohort, out: Path, *, most: int = 24, across: int = 3) -> None:
    """Draw the first maps of a cohort as one PNG.

    Args:
        cohort: Label maps, with images or without.
        out: File to write.
        most: Number of cases shown.
        across: Cases side by side.

    Raises:
        CohortError: There is no case.
        OutputError: The file cannot be written.
    """
    if not len(cohort):
        raise CohortError("a contact sheet of no case", "at least one", where=cohort.where)
    sheet([ref.load() for ref in cohort.cases[:most]], out, across=across)


def sheet(cases: Sequence[Case], out: Path, *, across: int = 3) -> None:
    """Draw cases as one PNG, `across` side by side; raises `OutputError` where it cannot be written."""
    from PIL import Image, ImageDraw

    strips = [_strip(case) for case in cases]
    width, height = strips[0].width + _MARGIN, strips[0].height + _HEAD + _GAP
    rows = -(-len(strips) // across)
    page = Image.new("RGB", (across * width + _MARGIN, rows * height + _MARGIN), "white")
    draw = ImageDraw.Draw(page)
    for place, (case, strip) in enumerate(zip(cases, strips, strict=True)):
        left, top = _MARGIN + place % across * width, place // across * height
        draw.text((left, top + 2), _title(case), fill=_INK)
        page.paste(strip, (left, top + _HEAD))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    write_atomically(out, buffer.getvalue())


def _title(case: Case) -> str:
    """Number of the case and what it is made of."""
    facts = case.facts
    parts = [case.case_id, str(facts.get("lesion", "")), f"{facts.get('tumour_ml', 0):.0f} ml"]
    parts += [str(facts["distractor"]).replace("_", " ")] if facts.get("distractor") else []
    return "  ".join(filter(None, parts))


def _strip(case: Case) -> "Image":
    """Three planes of the labels, then of each image."""
    from PIL import Image

    labels = case.require_labels()
    voxels = upright(labels.voxels, labels.geometry)
    lesion = upright(labels.lesion.astype(np.uint8), labels.geometry) > 0
    inside = np.nonzero(lesion if lesion.any() else voxels > 0)
    at = [int(line.mean()) if len(line) else n // 2 for line, n in zip(inside, voxels.shape, strict=True)]
    tiles = [label_rgb(cut, labels.scheme) for cut in _cuts(voxels, at)]
    for modality in case.modalities:
        image = upright(case.images[modality].voxels, labels.geometry)
        tiles += [_grey(cut) for cut in _cuts(image, at)]
    strip = Image.new("RGB", (len(tiles) * (_SIDE + _GAP), _SIDE), "black")
    for place, tile in enumerate(tiles):
        scale = _SIDE / max(tile.shape[:2])
        size = (max(1, round(tile.shape[1] * scale)), max(1, round(tile.shape[0] * scale)))
        picture = Image.fromarray(np.ascontiguousarray(tile)).resize(size, Image.Resampling.NEAREST)
        strip.paste(picture, (place * (_SIDE + _GAP) + (_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2))
    return strip


def _cuts(volume: np.ndarray, at: Sequence[int]) -> list[np.ndarray]:
    """Axial, coronal and sagittal slice."""
    i, j, k = at
    return [volume[:, :, k], volume[:, j, :], volume[i, :, :]]


def _grey(cut: np.ndarray) -> np.ndarray:
    """Pixels of a slice of z-scores, as `label_rgb` turns slices of labels; black outside the brain, where it is 0."""
    seen = as_seen(cut)
    scaled = np.clip((seen - _DARKEST) / (_BRIGHTEST - _DARKEST), 0, 1) * 255 * (seen != 0)
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=-1)
