"""Views of a head: a network sees stacks of slices along the last axis, whichever way the head is cut.

Conventions
-----------
axial       slices along z; the tensor's axes are x, y, z
coronal     slices along y; x, z, y
sagittal    slices along x; y, z, x
"""

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from glioforge.data import AugmentSpec

if TYPE_CHECKING:
    import numpy as np
    import torch

View = Literal["axial", "coronal", "sagittal"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
ORDER: Final[dict[View, tuple[int, int, int]]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""Axes of the head in the order of a tensor's axes; the last one is cut."""


def seen(voxels: "np.ndarray", view: View) -> "np.ndarray":
    """Voxels `(..., i, j, k)` with the axes of a view."""
    return voxels.transpose(*_axes(voxels.ndim, ORDER[view]))


def put_back(voxels: "np.ndarray", view: View) -> "np.ndarray":
    """Inverse of `seen`."""
    return voxels.transpose(*_axes(voxels.ndim, _inverse(view)))


def seen_batch(batch: "torch.Tensor", view: View) -> "torch.Tensor":
    """Patches `(..., i, j, k)` with the axes of a view."""
    return batch.permute(*_axes(batch.ndim, ORDER[view]))


def own_size(size: tuple[int, int, int], view: View) -> tuple[int, int, int]:
    """Size along the head's own axes of a patch of this size in a view."""
    first, second, third = (size[axis] for axis in _inverse(view))
    return first, second, third


def augment_for(spec: AugmentSpec, view: View) -> AugmentSpec:
    """Augmentation whose flips are about the same axes of the head in every view."""
    chances = (spec.flip_x, spec.flip_y, spec.flip_z)
    first, second, third = (chances[axis] for axis in ORDER[view])
    changed: dict[str, Any] = {"flip_x": first, "flip_y": second, "flip_z": third}
    return spec.model_copy(update=changed)


def _axes(count: int, order: tuple[int, int, int]) -> tuple[int, ...]:
    """All axes of an array, the last three in another order."""
    return (*range(count - 3), *(count - 3 + axis for axis in order))


def _inverse(view: View) -> tuple[int, int, int]:
    """Order that undoes a view's."""
    order = ORDER[view]
    return order.index(0), order.index(1), order.index(2)
