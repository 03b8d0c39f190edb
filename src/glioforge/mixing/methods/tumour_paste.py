"""Copy the tumour of another subject, turned, scaled, bent and changed in contrast, to another place of the brain.

Source: Yang et al. 2021, arXiv:2107.09843 (TumorCP): rotation, scaling,
elastic deformation, gamma and blur, each with a chance of its own.
Deviations: lengths are in millimetres instead of voxels; the
place keeps a share of the tumour within the brain; the tumour may be mirrored.

The tumour is carried as the donor's voxels within its lesion mask; nothing of
the donor's healthy brain is pasted.  It is blended into its surroundings: hard,
over a soft edge, or in the gradient domain (Pérez, Gangnet & Blake 2003, "Poisson
image editing", ACM Transactions on Graphics 22(3), equation 4: the correction is the
membrane that takes the difference between host and part on the border, and has no
Laplacian inside).

Conventions
-----------
part   z-scores of what is pasted, on the host's grid
mask   voxels that are pasted; never empty
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from pydantic import Field
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

from glioforge.core import EditError, bounding_box, stream
from glioforge.mixing import MIXINGS, Mixed, MixingSpec, Scan

Blend: TypeAlias = Literal["hard", "soft", "poisson", "soft_poisson"]
"""How a part meets its surroundings."""


@final
class TumourPasteSpec(MixingSpec):
    """Settings of a pasted tumour."""

    alone: ClassVar[bool] = True
    """A subject's own tumour may be pasted elsewhere in its brain, as the paper also does."""
    kind: Literal["tumour_paste"] = "tumour_paste"
    """Name of the mixing."""
    scale: tuple[float, float] = (0.85, 1.25)
    """Smallest and largest linear factor."""
    turn_degrees: float = Field(180.0, ge=0, le=180)
    """Largest rotation about each axis."""
    mirror: bool = True
    """Whether the tumour may be mirrored from left to right."""
    elastic_mm: float = Field(3.0, ge=0)
    """Standard deviation of the elastic displacement."""
    elastic_width_mm: float = Field(12.0, gt=0)
    """Smoothness of the elastic displacement."""
    gamma: tuple[float, float] = (0.7, 1.5)
    """Smallest and largest exponent of the tumour's intensities between its own minimum and maximum."""
    blur_mm: tuple[float, float] = (0.0, 1.5)
    """Smallest and largest width of a Gaussian blur."""
    chance: float = Field(0.5, ge=0, le=1)
    """Chance of each change: rotation, scaling, elastic deformation, gamma, blur."""
    blend: Blend = "soft"
    """Edge: `hard`, `soft`, `poisson` or `soft_poisson`."""
    edge_mm: float = Field(3.0, ge=0)
    """Width of a soft edge."""
    inside_share: float = Field(0.9, gt=0, le=1)
    """Least share of the tumour that lies in the host's brain; what lies outside is cut off."""
    attempts: int = Field(50, ge=1)
    """Places tried."""


@MIXINGS.register(TumourPasteSpec)
@final
@dataclass(frozen=True)
class TumourPaste:
    """Paste a tumour; record: its changes, and the first voxel of the box that carries it as `place`."""

    spec: TumourPasteSpec

    def draw(self, host: Scan, donor: Scan, rng: np.random.Generator) -> dict[str, Any]:
        """Draw changes and a place.

        Raises:
            EditError: The donor has no lesion, or no place holds enough of it.
        """
        if not donor.lesion.any():
            raise EditError("a donor without lesion", "at least one lesion voxel", "leave the donor out")
        spec = self.spec

        def some() -> bool:
            return bool(rng.random() < spec.chance)

        values: dict[str, Any] = {
            "scale": round(float(rng.uniform(*spec.scale)), 4) if some() else 1.0,
            "turns": [round(float(a), 2) for a in rng.uniform(-1, 1, 3) * spec.turn_degrees] if some() else [0.0] * 3,
            "mirror": bool(spec.mirror and rng.random() < 0.5),
            "elastic": int(rng.integers(1, 2**31)) if some() and spec.elastic_mm else 0,
            "gamma": round(float(rng.uniform(*spec.gamma)), 4) if some() else 1.0,
            "blur_mm": round(float(rng.uniform(*spec.blur_mm)), 4) if some() else 0.0,
        }
        return {**values, "place": self._place(host, donor, values, rng)}

    def apply(self, host: Scan, donor: Scan, values: Mapping[str, Any]) -> Mixed:
        """Carry the tumour over, blend its images and paste its labels."""
        images, labels = _carried(self.spec, donor, values)
        here, there = _overlap(labels.shape, values["place"], host.labels.shape)
        mask = np.zeros(host.brain.shape, dtype=bool)
        mask[there] = labels[here] > 0
        mask &= host.brain
        part, pasted = host.images.copy(), host.labels.copy()
        part[:, *there] = images[:, *here]
        pasted[there] = labels[here]
        mixed = blended(host.images, part, mask, host.spacing, self.spec.blend, self.spec.edge_mm)
        return host.with_part(mask, mixed, pasted, host.brain)

    def _place(self, host: Scan, donor: Scan, values: Mapping[str, Any], rng: np.random.Generator) -> list[int]:
        """First voxel of the carried box, so that enough of the tumour lies in the brain."""
        _, labels = _carried(self.spec, donor, values, images=False)
        tumour, count = labels > 0, int(np.count_nonzero(labels))
        brain = np.argwhere(host.brain)
        if not count or not len(brain):
            raise EditError("an empty tumour or a case without brain", "both", "leave the case out")
        middle = np.rint(np.argwhere(tumour).mean(axis=0)).astype(int)
        for centre in brain[rng.integers(len(brain), size=self.spec.attempts)]:
            start = [int(c) for c in centre - middle]
            here, there = _overlap(labels.shape, start, host.labels.shape)
            if np.count_nonzero(tumour[here] & host.brain[there]) >= self.spec.inside_share * count:
                return start
        raise EditError(
            f"no place in {self.spec.attempts} tries that holds {self.spec.inside_share:.0%} of the tumour",
            "one",
            "lower inside_share or scale, or allow more attempts",
        )


def _carried(
    spec: TumourPasteSpec, donor: Scan, values: Mapping[str, Any], *, images: bool = True
) -> tuple[Float32[np.ndarray, "contrast a b c"], UInt8[np.ndarray, "a b c"]]:
    """Images and labels of the changed tumour in a box of its own; labels are 0 around it, no images unless asked."""
    box = bounding_box(donor.lesion, 1)
    if box is None:
        raise EditError("a donor without lesion", "at least one lesion voxel", "leave the donor out")
    labels = np.where(donor.lesion[box], donor.labels[box], 0).astype(np.uint8)
    places = _sources(labels.shape, donor.spacing, spec, values)
    moved = ndimage.map_coordinates(labels, places, order=0, mode="constant")
    if not images:
        return np.zeros((0, *moved.shape), dtype=np.float32), moved
    carried = [ndimage.map_coordinates(image[box], places, order=1, mode="nearest") for image in donor.images]
    width = [values["blur_mm"] / s for s in donor.spacing]
    return np.stack([_contrast(image, moved > 0, values["gamma"], width) for image in carried]), moved


def _contrast(
    image: Float32[np.ndarray, "a b c"], mask: Bool[np.ndarray, "a b c"], gamma: float, width: list[float]
) -> Float32[np.ndarray, "a b c"]:
    """Blur an image, and raise the intensities within a mask, between their extremes, to an exponent."""
    image = ndimage.gaussian_filter(image, width) if any(width) else image
    if gamma == 1 or not mask.any():
        return image
    low, high = float(image[mask].min()), float(image[mask].max())
    scaled = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    return np.asarray(low + (high - low) * scaled**gamma, dtype=np.float32)


def _sources(
    shape: tuple[int, ...], spacing: tuple[float, float, float], spec: TumourPasteSpec, values: Mapping[str, Any]
) -> Float64[np.ndarray, "3 a b c"]:
    """Voxel of the tumour's box from which each voxel of the carried box is taken."""
    room = 2 * float(spec.elastic_mm) if values["elastic"] else 0.0
    # A cube of the box's diagonal holds every rotation of it.
    length = np.linalg.norm([n * s for n, s in zip(shape, spacing, strict=True)]) * values["scale"] + room
    size = [int(np.ceil(length / s)) + 1 for s in spacing]
    # As odd or even as the box, so that their centres agree to the voxel and a tumour that is not changed stays exact.
    size = [n + (n - m) % 2 for n, m in zip(size, shape, strict=True)]
    grid = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in size), indexing="ij"))
    points = grid * np.reshape(spacing, (3, 1, 1, 1))
    if values["elastic"]:
        noise = stream(values["elastic"], "elastic").normal(size=points.shape)
        width = [spec.elastic_width_mm / s for s in spacing]
        bend = np.stack([ndimage.gaussian_filter(axis, width) for axis in noise])
        points = points + bend * (spec.elastic_mm / max(float(bend.std()), 1e-9))
    points = np.tensordot(_rotation(values["turns"]).T / values["scale"], points, axes=1)
    if values["mirror"]:
        points[0] = -points[0]
    centre = np.reshape([(n - 1) / 2 for n in shape], (3, 1, 1, 1))
    return np.asarray(points / np.reshape(spacing, (3, 1, 1, 1)) + centre)


def _rotation(turns: list[float]) -> Float64[np.ndarray, "3 3"]:
    """Rotation about the three axes in turn."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(turns)):
        a, b = [n for n in range(3) if n != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def _overlap(
    size: tuple[int, ...], start: list[int], shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Part of a box that lies on a grid: in the box, and on the grid; empty slices where none does."""
    low = [max(0, -s) for s in start]
    high = [max(a, min(n, m - s)) for a, n, s, m in zip(low, size, start, shape, strict=True)]
    here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    # A box wholly outside still gives two empty slices of one length.
    there = tuple(slice(max(0, a + s), max(0, a + s) + b - a) for a, b, s in zip(low, high, start, strict=True))
    return here, there


Images = Float32[np.ndarray, "contrast i j k"]


Mask = Bool[np.ndarray, "i j k"]


_TOLERANCE = 1e-3


def blended(
    host: Images, part: Images, mask: Mask, spacing: tuple[float, float, float], how: Blend, edge_mm: float
) -> Images:
    """Return the host with a part pasted.

    `soft_poisson` takes half of the membrane's correction, so that a lesion
    keeps half of its own brightness.

    Args:
        host: What is pasted into.
        part: What is pasted.
        mask: Where.
        spacing: Voxel size in mm.
        how: Kind of edge.
        edge_mm: Width of a soft edge, inside the mask.
    """
    if how == "hard":
        return np.where(mask, part, host)
    if how == "soft":
        inside = ndimage.distance_transform_edt(mask, spacing)
        share = np.clip(inside / max(edge_mm, 1e-6), 0, 1).astype(np.float32)
        return np.asarray(host + share * (part - host), dtype=np.float32)
    strength = np.float32(1.0 if how == "poisson" else 0.5)
    return np.where(mask, part + strength * _membrane(host - part, mask), host)


def _membrane(difference: Images, mask: Mask) -> Images:
    """Smooth field that equals the difference just outside a mask, and 0 further away.

    Where the mask reaches the edge of the array there is no border, and the field has no slope.
    """
    box = bounding_box(mask, 1)
    result = np.zeros_like(difference)
    if box is None:
        return result
    inner = mask[box]
    numbers = np.full(inner.shape, -1, dtype=np.int64)
    count = int(inner.sum())
    numbers[inner] = np.arange(count)
    system, border = _laplacian(numbers, count)
    outer = np.where(inner, 0.0, difference[:, *box]).reshape(len(difference), -1).astype(np.float64)
    for field, values in zip(result[:, *box], outer, strict=True):
        right = border @ values
        # The mean of the border is exact for a constant difference, and near the solution otherwise.
        touched = np.asarray(border.sum(axis=0)).ravel() > 0
        start = np.full(count, values[touched].mean() if touched.any() else 0.0)
        found, _ = cg(system, right, x0=start, rtol=_TOLERANCE, maxiter=500)
        field[inner] = found
    return result


def _laplacian(numbers: np.ndarray, count: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Seven-point Laplacian of the masked voxels, and the matrix that brings in the values around them."""
    rows, columns, around_rows, around_columns = [], [], [], []
    flat = np.arange(numbers.size).reshape(numbers.shape)
    degree = np.zeros(count)
    for axis in range(3):
        ends = [[slice(None)] * 3 for _ in range(2)]
        ends[0][axis], ends[1][axis] = slice(1, None), slice(None, -1)
        for here, there in (ends, ends[::-1]):
            mine, other, place = numbers[tuple(here)], numbers[tuple(there)], flat[tuple(there)]
            inside = mine >= 0
            degree += np.bincount(mine[inside], minlength=count)
            both = inside & (other >= 0)
            rows.append(mine[both])
            columns.append(other[both])
            rim = inside & (other < 0)
            around_rows.append(mine[rim])
            around_columns.append(place[rim])
    row, column = np.concatenate(rows), np.concatenate(columns)
    neighbours = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(count, count))
    row, column = np.concatenate(around_rows), np.concatenate(around_columns)
    border = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(count, numbers.size))
    # The smallest shift keeps the matrix invertible where a mask fills the array and nothing is known of its border.
    return (sparse.diags(degree + 1e-9) - neighbours).tocsr(), border
