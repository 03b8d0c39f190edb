"""Describe the cases of two cohorts for `runs.fidelity`: once each, kept, and in processes where asked.

Conventions
-----------
kept        `described/<hash>.npz` below the folder of the result; the hash is that of the case's files and of
            everything that decides its description
slices      the axial ones at `SLICES` even steps through the brain; patches of 7 × 7 have their centres in it
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final

import numpy as np

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import Case, CaseError, CaseRef, LabelMap, Modality, Progress, Silent, stream
from glioforge.features import Space
from glioforge.io import write_atomically
from glioforge.metrics import (
    checkerboard,
    consistency,
    descriptors,
    label_statistics,
    lesion_geometry,
    roughness,
    shortcut_traits,
    spectrum,
)

SLICES: Final = 8
"""Slices of a case that patches are cut from."""
PATCHES: Final = 32
"""Patches of a slice and level."""
TRAITS: Final = ("spectrum", "checkerboard", "roughness", "consistency", "labels", "lesion")
"""Spaces of few named entries."""
SHORTCUTS: Final = "shortcuts"
"""Space of traits of files, which only the two-sample test sees."""
_VERSION: Final = 1


@final
@dataclass(frozen=True, eq=False)
class Described:
    """What is known of one case.

    Args:
        spaces: Entries of each space by name.
        patches: Descriptors `(patch, channel, 49)` of images and labels, by what and level: `patches/0`.
        middle: Axial slice with most brain of each contrast.
    """

    spaces: dict[str, dict[str, float]]
    patches: dict[str, np.ndarray]
    middle: np.ndarray

    def to_bytes(self) -> bytes:
        """Contents of a file."""
        buffer = io.BytesIO()
        np.savez(buffer, spaces=np.array(json.dumps(self.spaces)), middle=self.middle, **self.patches)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Described":
        """Inverse of `to_bytes`."""
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        spaces = json.loads(str(arrays.pop("spaces")))
        middle = arrays.pop("middle")
        return cls(spaces, arrays, middle)


def describe_cases(
    refs: Sequence[CaseRef],
    spaces: Sequence[Space],
    modalities: tuple[Modality, ...],
    folder: Path,
    *,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> list[Described]:
    """Describe cases, or read what is kept.

    Args:
        refs: Prepared cases with complete labels, all with these contrasts.
        spaces: Features to extract.
        modalities: Contrasts to describe.
        folder: Where descriptions are kept.
        parallel: One process unless given.
        progress: Where to show progress.

    Raises:
        CaseError: A case has an empty brain, no label map, or lacks a contrast.
    """
    described = partial(_kept, spaces=tuple(spaces), modalities=modalities, folder=folder)
    return list(fan_out(described, refs, parallel, title="describing cases", progress=progress or Silent()))


def describe(case: Case, spaces: Sequence[Space], modalities: tuple[Modality, ...]) -> Described:
    """Describe one case; errors as `describe_cases`."""
    labels, brain = case.require_labels(), case.brain_mask
    case.require_images(modalities)
    if not brain.any():
        raise CaseError("an empty brain", "a prepared case", "leave the case out", case.case_id)
    images = {m: case.images[m].voxels for m in modalities}
    found = {space.extractor.name: space.features(case, modalities) for space in spaces}
    found |= {
        "spectrum": spectrum(images, brain),
        "checkerboard": checkerboard(images, brain),
        "roughness": roughness(images, brain),
        "consistency": consistency(images, brain),
        "labels": label_statistics(labels),
        "lesion": lesion_geometry(labels),
        SHORTCUTS: shortcut_traits(images, brain),
    }
    stack = case.stack(modalities)
    areas = brain.sum(axis=(0, 1))
    patches = _patches("patches", stack, brain) | _patches("label_patches", _one_hot(labels), brain)
    return Described(found, patches, np.ascontiguousarray(stack[..., int(areas.argmax())]))


def _kept(ref: CaseRef, *, spaces: Sequence[Space], modalities: tuple[Modality, ...], folder: Path) -> Described:
    """Description of one case, from its file if it is there."""
    key = [_VERSION, ref.digest, ref.lineage.to_json(), list(modalities), [s.extractor.digest for s in spaces]]
    name = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=16).hexdigest()
    path = folder / f"{name}.npz"
    if path.is_file():
        return Described.from_bytes(path.read_bytes())
    found = describe(ref.load(), spaces, modalities)
    write_atomically(path, found.to_bytes())
    return found


def _patches(what: str, stack: np.ndarray, brain: np.ndarray) -> dict[str, np.ndarray]:
    """Descriptors of each level of evenly spaced slices; the same places for every case."""
    areas = brain.sum(axis=(0, 1))
    room = np.flatnonzero(areas >= areas.max() / 2)
    chosen = room[np.linspace(0, len(room) - 1, SLICES).round().astype(int)]
    images = np.ascontiguousarray(np.moveaxis(stack[..., chosen], 3, 0), dtype=np.float32)
    inside = np.moveaxis(brain[..., chosen], 2, 0)
    levels = descriptors(images, stream(0, what), count=PATCHES, inside=inside)
    return {f"{what}/{level}": patches for level, patches in enumerate(levels)}


def _one_hot(labels: LabelMap) -> np.ndarray:
    """A channel for each class but the background, `(class, i, j, k)`, in the order of their values."""
    values = sorted(value for name, value in labels.scheme.labels.items() if name != "background")
    return np.stack([labels.voxels == value for value in values]).astype(np.float32)
