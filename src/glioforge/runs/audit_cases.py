"""Describe cases for an audit: once each, kept below the folder of the result, in processes where asked.

Conventions
-----------
brain     ranks within the brain on a grid of 8 mm, a channel a contrast and then a channel a tissue
lesion    ranks within the lesion in a cube of 64 mm around its middle on a grid of 4 mm; a channel a contrast,
          and then how many nested regions hold each cell; 0 without a lesion
coarse    contrasts of the brain on a grid of 16 mm
mask      share of lesion in cells of 24 mm around the middle of the brain
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, final

import numpy as np
from scipy import ndimage
from scipy.stats import rankdata

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import Case, CaseRef, LabelMap, Modality, Progress, Silent, bounding_box, stream
from glioforge.io import write_atomically
from glioforge.metrics import HEAD, PICTURED_REGIONS, Head, halved, head_of, laid_on
from glioforge.privacy import Disguise, disguised, transplanted

BRAIN: Final = (HEAD[0] // 2, HEAD[1] // 2, HEAD[2] // 2)
LESION: Final = (16, 16, 16)
_STEP_MM: Final = 4.0
_MASK: Final = (8, 8, 8)
_MASK_MM: Final = 24.0
_MARGIN: Final = 1
_HELD: Final = 0.25
"""Share of lesion from which on a cell is compared as lesion."""
_VERSION: Final = 2


@final
@dataclass(frozen=True, eq=False)
class Sighted:
    """What an audit sees of a case.

    Args:
        brain: float16 `(channel, 24, 28, 24)`.
        lesion: float16 `(channel, 16, 16, 16)`.
        coarse: float32 `(contrast, cell)`.
        mask: float32 `(cell,)`.
        volume_ml: Volume of the whole lesion.
        right: Share of the lesion right of the middle of the brain; 0.5 without a lesion.
    """

    brain: np.ndarray
    lesion: np.ndarray
    coarse: np.ndarray
    mask: np.ndarray
    volume_ml: float
    right: float

    def to_bytes(self) -> bytes:
        """Contents of a file."""
        buffer = io.BytesIO()
        np.savez(buffer, **vars(self))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sighted":
        """Inverse of `to_bytes`."""
        with np.load(io.BytesIO(data)) as held:
            values = dict(held)
        return cls(
            values["brain"],
            values["lesion"],
            values["coarse"],
            values["mask"],
            float(values["volume_ml"]),
            float(values["right"]),
        )


@final
@dataclass(frozen=True)
class Planted:
    """A planted copy to be made.

    Args:
        kind: The disguise.
        source: Case of a training subject.
        host: Case of a control subject, which gives what the disguise does not copy.
        seed: Of its draws.
    """

    kind: Disguise
    source: CaseRef
    host: CaseRef
    seed: int


def sighted(
    refs: Sequence[CaseRef],
    modalities: tuple[Modality, ...],
    folder: Path,
    *,
    title: str,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> list[Sighted]:
    """Describe cases, or read what is kept.

    Args:
        refs: Prepared cases with these contrasts; labels where there are any.
        modalities: Contrasts to describe.
        folder: Where descriptions are kept.
        title: Of the progress bar.
        parallel: One process unless given.
        progress: Where to show progress.

    Raises:
        CaseError: A case lacks a contrast.
    """
    work = partial(_kept, modalities=modalities, folder=folder)
    return list(fan_out(work, refs, parallel, title=title, progress=progress or Silent()))


def planted(
    copies: Sequence[Planted],
    modalities: tuple[Modality, ...],
    folder: Path,
    *,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> list[Sighted]:
    """Make planted copies and describe them as any other case, or read what is kept; arguments as `sighted`."""
    work = partial(_kept_copy, modalities=modalities, folder=folder)
    return list(fan_out(work, copies, parallel, title="planting copies", progress=progress or Silent()))


def describe(case: Case, modalities: tuple[Modality, ...]) -> Sighted:
    """Describe one case; errors as `sighted`."""
    case.require_images(modalities)
    shown = replace(case, images={m: case.images[m] for m in modalities})
    head = halved(head_of(shown))
    empty = np.zeros(BRAIN, np.float32)
    contrasts = [head.get(str(m), empty) for m in modalities]
    labels = case.labels
    tissue: list[np.ndarray] = []
    if labels is not None and labels.scheme.tissue:
        bare = halved(_of_labels(case, labels))
        tissue = [bare.get(f"tissue {name}", empty) for name in labels.scheme.tissue]
    lesion, mask, volume, right = _lesion_of(case, labels, modalities)
    return Sighted(
        np.stack([*contrasts, *tissue]).astype(np.float16),
        lesion.astype(np.float16),
        np.stack([_coarser(one) for one in contrasts]).astype(np.float32),
        mask.astype(np.float32),
        volume,
        right,
    )


def copy_of(copy: Planted, modalities: tuple[Modality, ...]) -> Case:
    """Make a planted copy: what is not copied is the host's, and labels are shown only where they are copied."""
    source, host = copy.source.load(), copy.host.load()
    rng = stream(copy.seed, "planted", copy.kind, source.case_id)
    if copy.kind == "labels":
        images, labels = host.stack(modalities), source.labels
        if labels is None or labels.voxels.shape != host.geometry.shape:
            return _with(host, images, modalities, None)
        return _with(host, images, modalities, LabelMap(labels.voxels[::-1].copy(), host.geometry, labels.scheme))
    if copy.kind == "lesion" and source.labels is not None and source.geometry.shape == host.geometry.shape:
        return _with(host, *_transplant(source, host, source.labels, modalities))
    images = disguised(source.stack(modalities), source.brain_mask, copy.kind, rng)
    return _with(source, images, modalities, None)


def _transplant(
    source: Case, host: Case, labels: LabelMap, modalities: tuple[Modality, ...]
) -> tuple[np.ndarray, tuple[Modality, ...], LabelMap]:
    """Images and label map of a host with the lesion of the source, where its own is, or in the middle of its brain."""
    theirs = host.labels or LabelMap(np.zeros_like(labels.voxels), host.geometry, labels.scheme)
    tissue = theirs.voxels[host.brain_mask & ~theirs.lesion]
    bare = np.where(theirs.lesion, np.bincount(tissue).argmax() if tissue.size else 0, theirs.voxels)
    place = ndimage.center_of_mass(theirs.lesion if theirs.lesion.any() else host.brain_mask)
    heads = ((host, bare), (source, labels.voxels))
    ours, given = (np.concatenate([one.stack(modalities), v[None].astype(np.float32)]) for one, v in heads)
    lesion = ndimage.binary_dilation(labels.lesion, iterations=_MARGIN)
    mixed, _ = transplanted(ours, given, lesion, tuple(round(float(p)) for p in place), host.brain_mask)
    return mixed[:-1], modalities, theirs.with_voxels(mixed[-1].astype(labels.voxels.dtype))


def _with(case: Case, images: np.ndarray, modalities: tuple[Modality, ...], labels: LabelMap | None) -> Case:
    """A case with other images, a brain found anew, and labels that are shown or not."""
    volumes = {
        m: replace(case.images[m], voxels=image.astype(np.float32)) for m, image in zip(modalities, images, strict=True)
    }
    return replace(case, images=volumes, labels=labels, brain=None)


def _kept(ref: CaseRef, *, modalities: tuple[Modality, ...], folder: Path) -> Sighted:
    """Description of a case, from its file if it is there."""
    path = folder / f"{_name([ref.digest, list(modalities)])}.npz"
    if not path.is_file():
        write_atomically(path, describe(ref.load(), modalities).to_bytes())
    return Sighted.from_bytes(path.read_bytes())


def _kept_copy(copy: Planted, *, modalities: tuple[Modality, ...], folder: Path) -> Sighted:
    """Description of a planted copy, from its file if it is there."""
    key = [copy.kind, copy.source.digest, copy.host.digest, copy.seed, list(modalities)]
    path = folder / f"{_name(key)}.npz"
    if not path.is_file():
        write_atomically(path, describe(copy_of(copy, modalities), modalities).to_bytes())
    return Sighted.from_bytes(path.read_bytes())


def _name(key: list[object]) -> str:
    """Name of a file by what decides its contents."""
    return hashlib.blake2b(json.dumps([_VERSION, *key], default=str).encode(), digest_size=16).hexdigest()


def _of_labels(case: Case, labels: LabelMap) -> Head:
    """The head as its label map shows it."""
    return head_of(replace(case, images={}, labels=labels, brain=labels.foreground))


def _coarser(picture: np.ndarray) -> np.ndarray:
    """A picture on a grid of half the resolution, as a vector."""
    i, j, k = (n // 2 for n in picture.shape)
    return picture.reshape(i, 2, j, 2, k, 2).mean(axis=(1, 3, 5)).ravel()


def _lesion_of(
    case: Case, labels: LabelMap | None, modalities: tuple[Modality, ...]
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The lesion's cube, its coarse mask in the brain, its volume in ml, and the share of it on the right."""
    cube = np.zeros((len(modalities) + 1, *LESION), np.float32)
    lesion = None if labels is None else labels.lesion
    box = None if lesion is None else bounding_box(lesion)
    brain = bounding_box(case.brain_mask)
    if labels is None or lesion is None or box is None or brain is None:
        return cube, np.zeros(np.prod(_MASK)), 0.0, 0.5
    geometry = case.geometry
    middle = np.array(ndimage.center_of_mass(lesion))
    inside = laid_on(lesion.astype(np.float32), geometry, middle.copy(), _STEP_MM, LESION) >= _HELD
    for n, modality in enumerate(modalities):
        laid = laid_on(case.images[modality].voxels, geometry, middle.copy(), _STEP_MM, LESION)
        if inside.any() and np.ptp(laid[inside]) > 0:
            cube[n][inside] = (rankdata(laid[inside]) - 0.5) / inside.sum() - 0.5
    nested = [labels.region(name) for name in PICTURED_REGIONS if labels.scheme.regions.get(name)] or [lesion]
    cube[-1] = sum(laid_on(one.astype(np.float32), geometry, middle.copy(), _STEP_MM, LESION) for one in nested)
    centre = np.array(ndimage.center_of_mass(case.brain_mask))
    mask = laid_on(lesion.astype(np.float32), geometry, centre.copy(), _MASK_MM, _MASK)
    total = max(float(mask.sum()), 1e-9)
    volume = float(np.count_nonzero(lesion) * geometry.voxel_volume / 1000)
    return cube, mask.ravel(), volume, float(mask[_MASK[0] // 2 :].sum()) / total
