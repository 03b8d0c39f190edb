"""What a reader sees of a case, encoded so that only its pixels depend on where it comes from.

Every stimulus of a study has the same type, shape, spacing and number of bytes, whatever the files of its cohort: the
brain is cut out and centred in one frame, each contrast is mapped to 8 bits by the same rule, and what lies outside the
brain is exactly 0.  Cases that are one voxel thick, as samplers of slices make them, are shown whole, in their own
plane.

Conventions
-----------
pixels     uint8 `(contrast, k, row, column)` in picture order, radiological: anterior is up, the patient's left is on
           the picture's right; one `k` for a slice, all for a stack.  Volumes are `(contrast, i, j, k)`, RAS
planes     axial; cases that are a single coronal or sagittal slice are shown in their own plane; with
           the top of the head up and the face on the left of a sagittal picture
levels     0 outside the brain; 1 to 255 inside, from the 0.5th to the 99.5th percentile within the brain of the case
turned     voxels with axes `(i, j, k)` so that `k` numbers the slices of the plane, `j` rises to the front of an axial
           slice and to the top of the others, and `i` rises to the right, of a sagittal slice to the front
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from glioforge.core import Case, CaseError, CaseRef, CohortError, Geometry, Modality, bounding_box
from glioforge.data import find_brain, thin_axis
from glioforge.io import image_bytes
from glioforge.reader.spec import ReaderSpec
from glioforge.report import upright, window_of

Pixels = UInt8[np.ndarray, "contrast _ _ _"]


MARGIN: Final = 3
"""Voxels left around the largest brain of a study."""


_SAME_MM: Final = 1e-2


Plane = Literal["axial", "coronal", "sagittal"]


@final
@dataclass(frozen=True, eq=False)
class Survey:
    """What choosing items needs to know of a case, without its voxels.

    Args:
        ref: The case.
        source: `real`, or the name of the method that made it.
        start: First voxel of the brain's box along each axis, as the case is turned for readers.
        size: Voxels of the brain's box along each axis.
        spacing: Voxel size in millimetres along the same axes.
        brain: Voxels of brain in each slice of the box.
        lesion: Voxels of tumour in each slice of the box; none where the case has no labels.
        plane: Plane of the slices.
    """

    ref: CaseRef
    source: str
    start: tuple[int, int, int]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    brain: Int[np.ndarray, " k"]
    lesion: Int[np.ndarray, " k"] | None
    plane: Plane = "axial"


@final
@dataclass(frozen=True)
class Frame:
    """The one grid of all stimuli of a study.

    Args:
        size: Voxels along right-left, back-front and foot-head; of another plane along its width, height and depth.
        spacing: Voxel size along the same axes, in millimetres.
        plane: Plane of its slices.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    plane: Plane = "axial"

    @property
    def sides(self) -> tuple[str, str]:
        """What lies on the left and on the right of a picture."""
        return ("A", "P") if self.plane == "sagittal" else ("R", "L")

    @property
    def geometry(self) -> Geometry:
        """Its grid in RAS order, centred at the origin of the world."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = [-s * (n - 1) / 2 for n, s in zip(self.size, self.spacing, strict=True)]
        return Geometry(self.size, affine)

    def shape(self, spec: ReaderSpec, contrasts: int) -> tuple[int, int, int, int]:
        """Shape of the pixels of one stimulus."""
        i, j, k = self.size
        return (contrasts, i, j, k) if spec.show == "volume" else (contrasts, 1 if spec.show == "slice" else k, j, i)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"size": list(self.size), "spacing": list(self.spacing), "plane": self.plane}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Frame":
        """Inverse of `to_json`."""
        (i, j, k), (x, y, z) = values["size"], values["spacing"]
        return cls((i, j, k), (x, y, z), values.get("plane", "axial"))


def survey(ref: CaseRef, source: str) -> Survey:
    """Measure the brain and the tumour of a case.

    Raises:
        CaseError: The case has no image, or no brain.
    """
    return survey_case(ref.load(), ref, source)


def survey_case(case: Case, ref: CaseRef, source: str) -> Survey:
    """Measure a loaded case; errors as `survey`."""
    if not case.images:
        raise CaseError("no image", "a case with images", "leave it out by --where", ref.case_id)
    mask = turned(find_brain(case), case.geometry)
    box = bounding_box(mask)
    if box is None:
        raise CaseError("no brain", "a case that shows one", "leave it out by --where", ref.case_id)
    brain = mask[box]
    lesion = None if case.labels is None else turned(case.labels.lesion, case.geometry)[box]
    return Survey(
        ref,
        source,
        (box[0].start, box[1].start, box[2].start),
        (brain.shape[0], brain.shape[1], brain.shape[2]),
        spacing_of(case.geometry),
        brain.sum(axis=(0, 1)),
        None if lesion is None else lesion.sum(axis=(0, 1)),
        plane_of(case.geometry),
    )


def common_frame(surveys: Sequence[Survey]) -> Frame:
    """Return the grid that holds the brain of every case.

    Args:
        surveys: At least one case.

    Raises:
        CohortError: Two cases have different voxel sizes, or are slices of different planes, which a reader would see.
    """
    first = surveys[0]
    for other in surveys[1:]:
        if other.plane != first.plane:
            raise CohortError(
                f"{first.plane} slices ({first.ref.case_id}) and {other.plane} slices ({other.ref.case_id})",
                "cohorts with slices of one plane, for a reader sees the difference",
                "cut real slices as the sampler's are, such as those that a study of samplers leaves in its folder",
            )
        if not np.allclose(first.spacing, other.spacing, atol=_SAME_MM):
            sizes = [" x ".join(f"{mm:.3g}" for mm in one.spacing) for one in (first, other)]
            raise CohortError(
                f"voxels of {sizes[0]} mm ({first.ref.case_id}) and of {sizes[1]} mm ({other.ref.case_id})",
                "cohorts with one voxel size, for a reader sees the difference",
                "prepare all cohorts with the same settings: glioforge prepare",
            )
    i, j, k = (max(one.size[axis] for one in surveys) + 2 * MARGIN for axis in range(3))
    return Frame((i, j, k), first.spacing, first.plane)


def encode(case: Case, known: Survey, contrasts: Sequence[Modality], frame: Frame, index: int | None) -> Pixels:
    """Return the voxels of a stimulus.

    Args:
        case: The loaded case.
        known: Its survey.
        contrasts: MRI contrasts, in the order shown.
        frame: Grid of the study.
        index: Slice of the box of the brain; none for all slices.

    Returns:
        uint8 voxels `(contrast, i, j, k)`, turned for readers: RAS where slices are axial; `k` is 1 for a slice.

    Raises:
        CaseError: The case lacks a contrast.
    """
    case.require_images(tuple(contrasts))
    brain = turned(find_brain(case), case.geometry)
    levels = [_levels(turned(case.images[m].voxels, case.geometry), brain) for m in contrasts]
    placed = np.stack([_placed(voxels, known, frame) for voxels in levels])
    if index is None:
        return placed
    place = slice_in(known, frame, index)
    return placed[..., place : place + 1]


def lesion_in(case: Case, known: Survey, frame: Frame, region: str | None = None) -> Bool[np.ndarray, "_ _ _"]:
    """Return where the tumour, or a region of it, lies in the frame; all false where it is absent or not labelled."""
    if case.labels is None or (region and region not in {*case.labels.scheme.regions, *case.labels.scheme.labels}):
        return np.zeros(frame.size, dtype=bool)
    mask = case.labels.lesion if region is None else case.labels.region(region)
    return _placed(turned(mask, case.geometry).astype(np.uint8), known, frame).astype(bool)


def slice_in(known: Survey, frame: Frame, index: int) -> int:
    """Return the slice of the frame in which a slice of the brain's box lies."""
    return int(np.clip(index + (frame.size[2] - known.size[2]) // 2, 0, frame.size[2] - 1))


def as_pictures(voxels: UInt8[np.ndarray, "... i j k"]) -> UInt8[np.ndarray, "... k row column"]:
    """Turn voxels in the order of readers into slices in picture order."""
    return np.moveaxis(voxels[..., ::-1, ::-1, :], (-1, -2, -3), (-3, -2, -1))


def packed(pixels: UInt8[np.ndarray, "..."]) -> bytes:
    """Compress pixels for the disk."""
    return zlib.compress(np.ascontiguousarray(pixels).tobytes(), 6)


def unpacked(data: bytes) -> bytes:
    """Return pixels as they are sent, from the disk."""
    return zlib.decompress(data)


def volume_file(pixels: bytes, frame: Frame, contrast: int) -> bytes:
    """Return one contrast of a volume as an uncompressed NIfTI file; header and length are the same for all."""
    count = int(np.prod(frame.size))
    voxels = np.frombuffer(pixels, np.uint8, count, contrast * count).reshape(frame.size)
    return image_bytes(voxels.astype(np.float32), frame.geometry)


def _levels(voxels: Float[np.ndarray, "i j k"], brain: Bool[np.ndarray, "i j k"]) -> UInt8[np.ndarray, "i j k"]:
    """Map intensities to 8 bits."""
    low, high = window_of(voxels, brain)
    shades = np.clip((voxels - low) / (high - low), 0, 1)
    return np.where(brain, 1 + np.rint(254 * shades), 0).astype(np.uint8)


def _placed(voxels: UInt8[np.ndarray, "i j k"], known: Survey, frame: Frame) -> UInt8[np.ndarray, "_ _ _"]:
    """Centre the box of the brain in the frame, in RAS order; what is larger than the frame is cut on both sides."""
    result = np.zeros(frame.size, dtype=np.uint8)
    source, target = [], []
    for start, size, whole in zip(known.start, known.size, frame.size, strict=True):
        kept, cut, free = min(size, whole), max(0, size - whole) // 2, max(0, whole - size) // 2
        source.append(slice(start + cut, start + cut + kept))
        target.append(slice(free, free + kept))
    result[tuple(target)] = voxels[tuple(source)]
    return result


ORDER: Final[Mapping[Plane, tuple[int, int, int]]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""Axes of a RAS volume in the order in which a plane's voxels are turned."""


_ACROSS: Final[tuple[Plane, ...]] = ("sagittal", "coronal", "axial")


def plane_of(geometry: Geometry) -> Plane:
    """Return the plane of a slice that is one voxel thick, and `axial` for any other case.

    Example:
        >>> plane_of(Geometry.isotropic((1, 64, 64))), plane_of(Geometry.isotropic((64, 64, 48)))
        ('sagittal', 'axial')
    """
    thin = thin_axis(geometry)
    return "axial" if thin is None else _ACROSS[geometry.canonical_axes()[0].index(thin)]


def turned(voxels: Shaped[np.ndarray, "_ _ _"], geometry: Geometry) -> Shaped[np.ndarray, "i j k"]:
    """Return voxels of a grid in the order in which readers see them."""
    return np.transpose(upright(voxels, geometry), ORDER[plane_of(geometry)])


def spacing_of(geometry: Geometry) -> tuple[float, float, float]:
    """Return the voxel size in millimetres along the axes of turned voxels."""
    axes, _ = geometry.canonical_axes()
    x, y, z = (geometry.spacing[axes[axis]] for axis in ORDER[plane_of(geometry)])
    return x, y, z
