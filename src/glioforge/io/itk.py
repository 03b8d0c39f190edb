"""The one door to SimpleITK: images with their grids, in the RAS world that the rest of Glioforge uses.

SimpleITK never asks which way its world's axes point, so grids are handed over
in RAS millimetres, and transforms come back in RAS millimetres.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float64

from glioforge.core.errors import DependencyError
from glioforge.core.geometry import Affine, Geometry
from glioforge.core.volume import Voxels


def simple_itk(
    need: str = "registration and bias correction need", otherwise: str = "switch these steps off"
) -> ModuleType:
    """Import SimpleITK when it is first needed.

    Args:
        need: Subject and verb of the message.
        otherwise: What to do without it.

    Raises:
        DependencyError: It is not installed.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise DependencyError(
            f"{need} SimpleITK, which is not installed",
            remedy=f"pip install 'glioforge[registration]', or {otherwise}",
        ) from error
    module: ModuleType = SimpleITK
    return module


@contextmanager
def one_thread() -> Iterator[ModuleType]:
    """SimpleITK held to one thread: sums over several come out differently each time.

    Raises:
        DependencyError: It is not installed.
    """
    itk = simple_itk()
    before = itk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    itk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield itk
    finally:
        itk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def itk_image(voxels: Voxels, geometry: Geometry) -> Any:  # noqa: ANN401 - an image of a package without types
    """Voxels with their grid as SimpleITK's image; a sheared grid loses its shear."""
    image = simple_itk().GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    spacing = np.array(geometry.spacing)
    left, _, right = np.linalg.svd(geometry.affine[:3, :3] / spacing)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    image.SetDirection((left @ right).ravel().tolist())
    return image


def array_of(image: Any) -> Voxels:  # noqa: ANN401 - an image of a package without types
    """Voxels of SimpleITK's image as float32 `(i, j, k)`."""
    array = simple_itk().GetArrayFromImage(image).astype(np.float32)
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def matrix_of(transform: Any) -> Affine:  # noqa: ANN401 - a transform of a package without types
    """A rigid or affine transform as 4 x 4, from the fixed to the moving world in mm."""
    linear: Float64[np.ndarray, "3 3"] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, shift = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = centre + shift - linear @ centre
    return matrix
