"""A group-average brain of training subjects: images of each contrast and the probability of each tissue.

Guo et al. 2020 feed their generator three adjacent slices of a group average
per contrast.  Their introduction says that it is generated from training data;
their section on data builds it, by multivariate templates, before it speaks of
the split.  Here it is built from the training cohort alone, by rounds of affine
registration to the average so far (after Guimond, Meunier and Thirion 2000,
Comput. Vis. Image Underst. 77(2), 192-210), with demons after the last if
asked for.  An atlas carries the subjects behind it, so that the
leakage firewall can be asked: `require_no_leak({"atlas": atlas.lineage}, test)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float32, Float64
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import (
    Affine,
    Case,
    Cohort,
    CohortError,
    Geometry,
    InputFileError,
    LabelMap,
    Lineage,
    Modality,
    Progress,
    Silent,
    Volume,
)
from glioforge.data import decode, encode, find_case, folder_of, hash_of, write_case
from glioforge.data.preparation.resample import resampled
from glioforge.io import deform, register, write_atomically

NAME = "atlas"
PRIOR = "prior.b2nd"
Layers = Float32[np.ndarray, "layer i j k"]


@final
class AtlasSpec(Spec):
    """How the average is made."""

    reference: Modality = Modality.T1
    """Contrast that is registered; the cohort's first where it lacks it."""
    rounds: int = Field(3, ge=1)
    """Rounds of registration to the average so far."""
    demons_rounds: int = Field(0, ge=0)
    """Iterations of demons after the last affine round; 0 for none."""


@final
@dataclass(frozen=True, eq=False)
class Atlas:
    """Average images, and how probable each tissue is.

    Args:
        case: Average of each contrast, the most probable labels, the brain, and the lineage.
        classes: Names of the tissues, in the order of `prior`.
        prior: Probability of each tissue; 0 outside the brain.
    """

    case: Case
    classes: tuple[str, ...]
    prior: Layers

    @property
    def lineage(self) -> Lineage:
        """Whose brains it was made from."""
        return self.case.lineage

    def adjacent_slices(self, k: int) -> Float32[np.ndarray, "channel i j"]:
        """Three adjacent axial slices of every contrast: below, at and above `k`; the end slices are repeated.

        Returns:
            All contrasts of the slice below in standard order, then of the slice itself, then of the one above.
        """
        images = self.case.stack(self.case.modalities)
        places = np.clip([k - 1, k, k + 1], 0, images.shape[3] - 1)
        return np.concatenate([images[..., int(n)] for n in places])

    def save(self, folder: Path) -> None:
        """Write it as an entry of a store at `folder`.

        Raises:
            OutputError: The folder cannot be written.
        """
        steps = np.rint(self.prior * 255).astype(np.uint8)
        data = encode(np.ascontiguousarray(steps.transpose(3, 0, 1, 2)))
        write_atomically(folder / NAME / PRIOR, data)
        facts = {"classes": list(self.classes), "prior": hash_of(data)}
        case = self.case
        images, lineage = case.images, case.lineage
        entry = Case(NAME, NAME, images, lineage, case.labels, case.brain, facts={"atlas": facts})
        write_case(folder, entry)

    @classmethod
    def load(cls, folder: Path) -> "Atlas":
        """Inverse of `save`; probabilities to 1/510, intensities to 1/8192.

        Raises:
            InputFileError: There is no atlas, or it is damaged.
        """
        ref = find_case(folder, NAME)
        if ref is None or "atlas" not in ref.facts:
            raise InputFileError("no atlas", "a folder that `Atlas.save` wrote", "build the atlas again", folder)
        facts = ref.facts["atlas"]
        steps = decode(folder_of(ref) / PRIOR, facts["prior"])
        prior = np.ascontiguousarray(steps.transpose(1, 2, 3, 0)).astype(np.float32) / np.float32(255)
        return cls(ref.load(), tuple(facts["classes"]), prior)


def build_atlas(train: Cohort, spec: AtlasSpec | None = None, progress: Progress | None = None) -> Atlas:
    """Average the prepared cases of training subjects; each subject counts once.

    Args:
        train: Prepared training cases of one shape.
        spec: Defaults unless given.
        progress: Where to show progress.

    Raises:
        CohortError: The cohort is empty, holds synthetic cases, or its cases differ in shape.
        CaseError: A case has no labels.
        DependencyError: SimpleITK is not installed.
    """
    spec = spec or AtlasSpec()
    cases = _training_cases(train)
    grid = Geometry(cases[0].geometry.shape, np.diag([*cases[0].geometry.spacing, 1.0]))
    reference = train.modalities.index(spec.reference) if spec.reference in train.modalities else 0
    tissues = tuple(n for n in train.scheme.labels if n in train.scheme.tissue)
    layers = [_layers(case, train.modalities, tissues) for case in cases]
    counts = [sum(c.subject_id == case.subject_id for c in cases) for case in cases]
    weights = np.array([1 / n for n in counts])
    start = [_moved(a, c.geometry, grid, _centred(c, grid)) for a, c in zip(layers, cases, strict=True)]
    average = _mean(start, weights)
    for number in (progress or Silent()).track(range(spec.rounds), "averaging brains"):
        ways = _drift_free([_way(average, a, c, grid, reference) for a, c in zip(layers, cases, strict=True)], grid)
        moved = [_moved(a, c.geometry, grid, way) for a, c, way in zip(layers, cases, ways, strict=True)]
        average = _mean(moved, weights)
        if number == spec.rounds - 1 and spec.demons_rounds:
            average = _mean([_bent(average, one, grid, reference, spec.demons_rounds) for one in moved], weights)
    return _atlas(average, grid, train, tissues)


def _training_cases(train: Cohort) -> list[Case]:
    """Cases of a cohort that an atlas may be made from."""
    synthetic = [ref.case_id for ref in train if ref.lineage.is_synthetic]
    if synthetic or not len(train):
        raise CohortError(
            f"synthetic cases {synthetic[:5]}" if synthetic else "no cases",
            "prepared real training cases",
            "build the atlas from the real training cohort",
            train.name,
        )
    cases = [ref.load() for ref in train]
    shapes = sorted({case.geometry.shape for case in cases})
    if len(shapes) > 1:
        raise CohortError(f"cases of shapes {shapes}", "one shape", "prepare the cohort first", train.name)
    return cases


def _layers(case: Case, modalities: Sequence[Modality], tissues: Sequence[str]) -> Layers:
    """Images, tissue masks and brain of a case, stacked; the tumour is no tissue."""
    labels = case.require_labels()
    masks = [labels.region(name) for name in tissues] + [labels.foreground]
    return np.concatenate([case.stack(tuple(modalities)), np.stack(masks).astype(np.float32)])


def _mean(stacks: Sequence[Layers], weights: Float64[np.ndarray, "n"]) -> Layers:
    """Weighted mean; images over the brains that reach a voxel, masks over all."""
    total = np.sum([np.float32(w) * s for w, s in zip(weights, stacks, strict=True)], axis=0)
    share = total[-1:]
    return np.asarray(np.concatenate([total[:-1] / np.maximum(share, 1e-3), share / weights.sum()]), dtype=np.float32)


def _moved(layers: Layers, source: Geometry, grid: Geometry, transform: Affine) -> Layers:
    """All layers on the atlas's grid."""
    return np.stack([resampled(layer, source, grid, transform) for layer in layers])


def _centred(case: Case, grid: Geometry) -> Affine:
    """Shift that puts the middle of a brain into the middle of the grid."""
    middle = case.geometry.world_of(ndimage.center_of_mass(case.require_labels().foreground))
    transform = np.eye(4)
    transform[:3, 3] = np.array(middle) - grid.world_of(((np.array(grid.shape) - 1) / 2).tolist())
    return transform


def _way(average: Layers, layers: Layers, case: Case, grid: Geometry, reference: int) -> Affine:
    """Affine transform from the average's world to a case's, found on intensities lifted above the background."""
    modality = Modality.T1
    fixed = Volume(_lifted(average, reference), grid, modality)
    moving = Volume(_lifted(layers, reference), case.geometry, modality)
    return register(fixed, moving, affine=True, by_moments=True)


def _lifted(layers: Layers, reference: int) -> Float32[np.ndarray, "i j k"]:
    """The reference contrast with the brain at 6 above the background, so that centres of mass are the brain's."""
    return np.ascontiguousarray((layers[reference] + 6) * (layers[-1] > 0.5), dtype=np.float32)


def _drift_free(ways: Sequence[Affine], grid: Geometry) -> list[Affine]:
    """Transforms whose mean neither turns nor scales, so that the average keeps the mean size of its brains."""
    mean = np.mean([way[:3, :3] for way in ways], axis=0)
    middle = np.array(grid.world_of(((np.array(grid.shape) - 1) / 2).tolist()))
    back = np.eye(4)
    back[:3, :3] = np.linalg.inv(mean)
    back[:3, 3] = middle - back[:3, :3] @ middle
    return [np.asarray(way @ back) for way in ways]


def _bent(average: Layers, layers: Layers, grid: Geometry, reference: int, rounds: int) -> Layers:
    """A brain on the grid bent onto the average by demons."""
    fixed = Volume(_lifted(average, reference), grid, Modality.T1)
    field = deform(fixed, Volume(_lifted(layers, reference), grid, Modality.T1), rounds=rounds)
    steps = np.moveaxis(field, -1, 0) / np.array(grid.spacing)[:, None, None, None]
    places = np.indices(grid.shape) + steps
    return np.stack([ndimage.map_coordinates(layer, places, order=1) for layer in layers])


def _atlas(average: Layers, grid: Geometry, train: Cohort, tissues: tuple[str, ...]) -> Atlas:
    """The average as an atlas: images within the mean brain, probabilities that sum to 1 there."""
    count = len(train.modalities)
    brain = average[-1] > 0.5
    shares = average[count:-1]
    total = shares.sum(axis=0)
    prior = np.where(brain & (total > 0), shares / np.maximum(total, 1e-6), 0).astype(np.float32)
    values = np.array([train.scheme.value(name) for name in tissues], dtype=np.uint8)
    labels = np.where(brain, values[prior.argmax(axis=0)], 0).astype(np.uint8)
    images = {
        m: Volume(np.where(brain, average[n], 0).astype(np.float32), grid, m) for n, m in enumerate(train.modalities)
    }
    lineage = Lineage.synthetic("group atlas", {ref.case_id: ref.lineage for ref in train}, seed=0)
    return Atlas(Case(NAME, NAME, images, lineage, LabelMap(labels, grid, train.scheme), brain), tissues, prior)
