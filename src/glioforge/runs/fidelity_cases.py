"""Describe the cases of two cohorts for `runs.fidelity`, and compare synthetic images with the scan of their label map.

Cases are described once each, kept, and in processes where asked.

Synthetic images are compared with the scan of the same label map by MSE, MAE, PSNR and
SSIM in brain, lesion and outside.  Only cases count whose label map was not edited,
because a lesion that was moved has no scan to be compared with.  The numbers'
identities are checked: MAE ≤ RMSE, and PSNR is that of the MSE.

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
from typing import Any, Final, final

import numpy as np

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import Case, CaseError, CaseRef, Cohort, LabelMap, MetricError, Modality, Progress, Silent, stream
from glioforge.features import Space
from glioforge.io import write_atomically
from glioforge.metrics import (
    PREPARED_RANGE,
    SIMILARITY,
    MetricRow,
    checkerboard,
    compare_images,
    consistency,
    descriptors,
    label_statistics,
    lesion_geometry,
    psnr_of,
    roughness,
    shortcut_traits,
    spectrum,
)
from glioforge.statistics import Interval, estimate_by_seed

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


METRICS: Final = ("mse", "mae", "psnr", "ssim")
"""Numbers that are shown."""
_SLACK: Final = 1e-6


@final
@dataclass(frozen=True)
class Pair:
    """Mean of one number over subjects.

    Args:
        contrast: Name of the contrast.
        region: `brain`, `lesion`, or `outside`: the brain without its lesion.
        metric: Name of the number.
        unit: Its unit.
        interval: Mean over subjects with its interval.
    """

    contrast: str
    region: str
    metric: str
    unit: str
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; no interval is null."""
        ends = {"low": self.interval.low, "high": self.interval.high} if self.interval.known else {}
        named = {name: getattr(self, name) for name in ("contrast", "region", "metric", "unit")}
        known = {"value": self.interval.estimate, "subjects": self.interval.count}
        return {**named, **known, "low": None, "high": None, **ends}


def reconstruction(synthetic: Cohort, real: Cohort, modalities: tuple[Modality, ...]) -> tuple[Pair, ...]:
    """Compare unedited synthetic cases with the scans of their label maps; none give nothing.

    Raises:
        GeometryError: Grids differ.
        MetricError: Numbers of a case contradict each other.
    """
    values: dict[tuple[str, str, str, str], dict[str, list[float]]] = {}
    for made, scan in _pairs(synthetic, real):
        for contrast, row in pair_rows(made.load(), scan.load(), modalities):
            if row.metric in METRICS:
                key = (contrast, row.region, row.metric, row.unit)
                values.setdefault(key, {}).setdefault(scan.subject_id, []).append(row.value)
    found = []
    for key, subjects in values.items():
        means = np.array([[np.mean(numbers)] for _, numbers in sorted(subjects.items())])
        found.append(Pair(*key, estimate_by_seed(means, seed=1).interval()))
    return tuple(found)


def pair_rows(made: Case, scan: Case, modalities: tuple[Modality, ...]) -> list[tuple[str, MetricRow]]:
    """Numbers of one case, by contrast and region; an empty region is left out.

    Raises:
        GeometryError: Grids differ.
        MetricError: Numbers contradict each other.
    """
    scan.geometry.require_same(made.geometry, made.case_id)
    brain, lesion = scan.brain_mask, scan.require_labels().lesion
    regions = {"brain": brain, "lesion": lesion & brain, "outside": brain & ~lesion}
    found = []
    for modality in modalities:
        images = made.images[modality].voxels, scan.images[modality].voxels
        for region, mask in regions.items():
            if mask.any():
                rows = compare_images(*images, mask, data_range=PREPARED_RANGE, region=region, metrics=SIMILARITY)
                require_likeness(rows, made.case_id)
                found += [(str(modality), row) for row in rows]
    return found


def require_likeness(rows: list[MetricRow], where: str) -> None:
    """Refuse MSE, MAE, RMSE and PSNR of one pair of images that contradict each other.

    Raises:
        MetricError: Names the identity that doesn't hold.
    """
    value = {row.metric: row.value for row in rows}
    root = float(np.sqrt(value["mse"]))
    checks = {
        "RMSE = √MSE": abs(value["rmse"] - root) <= _SLACK,
        "MAE ≤ RMSE": value["mae"] <= root + _SLACK,
        "PSNR of the MSE": abs(value["psnr"] - psnr_of(value["mse"], PREPARED_RANGE)) <= _SLACK,
        "SSIM ≤ 1": value["ssim"] <= 1 + _SLACK,
    }
    for name, holds in checks.items():
        if not holds:
            raise MetricError(f"numbers that break {name}: {value}", name, "report this with the case", where)


def _pairs(synthetic: Cohort, real: Cohort) -> list[tuple[CaseRef, CaseRef]]:
    """Unedited synthetic cases with the scan of their one parent."""
    scans = {ref.case_id: ref for ref in real}
    return [
        (ref, scans[ref.lineage.parents[0]])
        for ref in synthetic
        if ref.lineage.is_synthetic
        and not ref.lineage.edits
        and len(ref.lineage.parents) == 1
        and ref.lineage.parents[0] in scans
    ]
