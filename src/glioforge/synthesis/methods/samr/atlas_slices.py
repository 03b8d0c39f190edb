"""Slices of a group-average brain as channels of a condition, looked up by the place in the brain's box.

Guo et al. 2020 give their generator, for every slice, the corresponding slice
of an average of each contrast and its two neighbours.  Brains differ in size
and place, so that slices correspond here by their place in the box around the
brain, in which the average is kept.  It is made of real training cases alone,
and kept with a model's weights: who has the model sees the average, which of a
handful of subjects still shows those subjects.

Conventions
-----------
images      float32 `(contrast, i, j, k)`, z-scores; the first and last voxel of each axis lie on the box's faces
alignment   `box` fits the boxes of brains and averages tissue, `affine` and `deformable` register
            (`data.preparation.atlas`), which needs SimpleITK and minutes
"""

from collections.abc import Sequence
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from scipy import ndimage
from torch import nn
from torch.nn import functional

from glioforge.core import Case, Cohort, CohortError, Modality, Progress
from glioforge.data import AtlasSpec, build_atlas
from glioforge.nn import Dims
from glioforge.synthesis import BrainBox, position_channels

Alignment = Literal["box", "affine", "deformable"]
Shape = tuple[int, int, int]
Average = Float32[np.ndarray, "contrast i j k"]
NEIGHBOURS = 3
"""Slices of the average for a slice: below, at and above it."""
DEMONS_ROUNDS = 30
"""Iterations of demons for a deformable average."""


@final
class AtlasSlices(nn.Module):
    """An average brain, and its slices or patches at the place of a sample; 0 outside the brain's box.

    Args:
        contrasts: Images of the average.
        shape: Grid of the average along i, j, k.
        dims: 2 for slices, which are given with both neighbours; 3 for patches, which have their own.
        axis: Axis that slices are cut along.
    """

    def __init__(self, contrasts: int, shape: Shape, *, dims: Dims = 2, axis: int = 2) -> None:
        super().__init__()
        self.channels = contrasts * (NEIGHBOURS if dims == 2 else 1)
        self.dims, self.axis = dims, axis
        self.images: torch.Tensor
        self.register_buffer("images", torch.zeros(contrasts, *shape))

    def forward(self, frame: Float[torch.Tensor, "b _"], grid: torch.Size) -> Float[torch.Tensor, "b channels ..."]:
        """Channels for samples: all contrasts of the slice below, then of the slice itself, then of the one above.

        Args:
            frame: See `synthesis.slices` and `synthesis.patches`.
            grid: Grid of the samples.
        """
        place = position_channels(frame, grid)
        places = self._adjacent(place) if self.dims == 2 else [place]
        return torch.cat([self._looked_up(points) for points in places], dim=1)  # (b, places * contrasts, *grid)

    def _adjacent(self, place: Float[torch.Tensor, "b 3 x y"]) -> list[torch.Tensor]:
        """Points on three slices of the average along i, j, k; the end slices are repeated."""
        across, along, height = place.unbind(dim=1)
        step = 2 / max(self.images.shape[1 + self.axis] - 1, 1)
        planes = []
        for offset in (-step, 0.0, step):
            axes = [across, along]
            axes.insert(self.axis, (height + offset).clamp(-1, 1))
            planes.append(torch.stack(axes, dim=1))
        return planes

    def _looked_up(self, points: Float[torch.Tensor, "b 3 *grid"]) -> Float[torch.Tensor, "b contrasts *grid"]:
        """The average at points along i, j, k."""
        listed = points.movedim(1, -1).flip(-1).reshape(1, 1, 1, -1, 3).float()
        found = functional.grid_sample(self.images[None], listed, align_corners=True)
        return found.view(len(self.images), len(points), *points.shape[2:]).movedim(0, 1)


def average_brain(
    train: Cohort,
    modalities: Sequence[Modality],
    shape: Shape,
    alignment: Alignment = "box",
    progress: Progress | None = None,
) -> Average:
    """Average of the real training cases within the box of the brain; each subject counts once.

    Args:
        train: Training cases; synthetic ones are left out.
        modalities: Contrasts, in this order.
        shape: Grid of the average.
        alignment: How brains are brought together; see the module's conventions.
        progress: Where progress is shown.

    Raises:
        CohortError: No real case is left, or registered cases differ in shape.
        CaseError: A case lacks labels, or a contrast where cases are registered.
        DependencyError: Registration is asked for without SimpleITK.
    """
    real = train.select([ref.case_id for ref in train if not ref.lineage.is_synthetic])
    if not len(real):
        raise CohortError(
            "no real training case to average",
            "at least one",
            "add real cases, or train without an atlas (atlas: false)",
            train.name,
        )
    if alignment == "box":
        return _box_average(real, tuple(modalities), shape)
    rounds = DEMONS_ROUNDS if alignment == "deformable" else 0
    case = build_atlas(real, AtlasSpec(demons_rounds=rounds), progress).case
    return _boxed(case.stack(tuple(modalities)), case.require_labels().foreground, shape)


def _box_average(train: Cohort, modalities: tuple[Modality, ...], shape: Shape) -> Average:
    """Mean over normal tissue, so that no lesion is left; 0 where fewer than half of the subjects have brain.

    A contrast that some cases lack is averaged over the others.
    """
    subjects = [ref.subject_id for ref in train]
    total, seen, brain = np.zeros((len(modalities), *shape)), np.zeros((len(modalities), *shape)), np.zeros(shape)
    for ref in train:
        case = ref.load()
        weight = 1 / subjects.count(ref.subject_id)
        known = [place for place, modality in enumerate(modalities) if modality in case.images]
        inside, tissue = case.require_labels().foreground, _tissue(case)
        images = case.stack(tuple(modalities[place] for place in known)) * tissue
        layers = weight * _boxed(np.concatenate([images, tissue[None], inside[None]]), inside, shape)
        total[known] += layers[:-2]
        seen[known] += layers[-2]
        brain += layers[-1]
    kept = (brain > len(set(subjects)) / 2) & (seen > 0)
    return np.where(kept, total / np.maximum(seen, 1e-6), 0).astype(np.float32)


def _tissue(case: Case) -> Bool[np.ndarray, "i j k"]:
    """Voxels of normal tissue."""
    labels = case.require_labels()
    return np.isin(labels.voxels, [labels.scheme.value(name) for name in labels.scheme.tissue])


def _boxed(
    layers: Float[np.ndarray, "layer _ _ _"], inside: Bool[np.ndarray, "_ _ _"], shape: Shape
) -> Float32[np.ndarray, "layer i j k"]:
    """Layers within the box of a mask, on a grid of a given shape."""
    box = BrainBox.of(inside)
    axes = [np.linspace(low, high, n) for low, high, n in zip(box.low, box.high, shape, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"))
    made = [ndimage.map_coordinates(layer.astype(np.float32), points, order=1, mode="nearest") for layer in layers]
    return np.stack(made).astype(np.float32)
