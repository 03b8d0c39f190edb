"""The one door to SimpleITK: images with their grids, registration and N4 bias fields, in Glioforge's RAS world.

SimpleITK never asks which way its world's axes point, so grids are handed over
in RAS millimetres, and transforms come back in RAS millimetres.

Registration is rigid, affine or deformable, numpy in and numpy out.  Mattes'
mutual information on three resolutions with regular sampling (Mattes et al.
2003, IEEE Trans. Med. Imaging 22(1), 120-128) works across contrasts; demons
(Thirion 1998, Med. Image Anal. 2(3), 243-260) between images of one.  One
thread and a fixed seed: the same images give the same numbers.

Conventions
-----------
transform     4 x 4, from the world of the fixed image to the world of the moving one, RAS mm
displacement  float32 `(i, j, k, 3)`, in mm: where in the moving image a fixed voxel looks, minus the voxel

Source of the bias field: N4, Tustison et al. 2010, IEEE Trans. Med. Imaging 29(6), 1310-1320.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from glioforge.core import Affine, DependencyError, Geometry, Mask, Volume, Voxels


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


_SHRINK = (4, 2, 1)
_SAMPLES = 40_000
_SEED = 17


def register(fixed: Volume, moving: Volume, *, affine: bool = False, by_moments: bool = False) -> Affine:
    """Transform that brings a moving image onto a fixed one.

    Args:
        fixed: The image that stays.
        moving: The image to bring onto it, of any contrast and grid.
        affine: Allow scaling and shearing after the rigid step.
        by_moments: Start with the centres of mass on each other, for images of different subjects; otherwise the
            world of both counts as the same, as between the contrasts of one session.

    Raises:
        DependencyError: SimpleITK is not installed.
    """
    with one_thread() as itk:
        return matrix_of(_found(itk, fixed, moving, affine=affine, by_moments=by_moments))


def _found(itk: ModuleType, fixed: Volume, moving: Volume, *, affine: bool, by_moments: bool) -> Any:  # noqa: ANN401 - a package without types
    """Rigid or affine transform, as SimpleITK's own."""
    images = itk_image(fixed.voxels, fixed.geometry), itk_image(moving.voxels, moving.geometry)
    rigid = itk.Euler3DTransform()
    if by_moments:
        moments = itk.CenteredTransformInitializerFilter.MOMENTS
        rigid = itk.Euler3DTransform(itk.CenteredTransformInitializer(*images, rigid, moments))
    else:
        middle = (np.array(fixed.geometry.shape) - 1) / 2
        rigid.SetCenter(fixed.geometry.world_of(middle.tolist()))
    _optimise(itk, images, rigid, fixed.voxels.size)
    if not affine:
        return rigid
    free = itk.AffineTransform(3)
    free.SetCenter(rigid.GetCenter())
    free.SetMatrix(rigid.GetMatrix())
    free.SetTranslation(rigid.GetTranslation())
    _optimise(itk, images, free, fixed.voxels.size)
    return free


def deform(
    fixed: Volume, moving: Volume, *, rounds: int = 30, smoothing: float = 1.5
) -> Float32[np.ndarray, "i j k 3"]:
    """Displacement that brings a moving image of the same contrast onto a fixed one, by diffeomorphic demons.

    Args:
        fixed: The image that stays.
        moving: An image on the same grid, already affinely registered.
        rounds: Iterations.
        smoothing: Width of the Gaussian over the field after each, in voxels.

    Raises:
        DependencyError: SimpleITK is not installed.
        GeometryError: The grids differ.
    """
    fixed.geometry.require_same(moving.geometry, "moving image")
    with one_thread() as itk:
        demons = itk.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(rounds)
        demons.SetStandardDeviations(smoothing)
        field = demons.Execute(itk_image(fixed.voxels, fixed.geometry), itk_image(moving.voxels, fixed.geometry))
    array = itk.GetArrayFromImage(field).astype(np.float32)
    return np.ascontiguousarray(array.transpose(2, 1, 0, 3))


def _optimise(itk: ModuleType, images: tuple[Any, Any], transform: Any, voxels: int) -> None:  # noqa: ANN401 - as above
    """Move a transform to where mutual information is largest, from coarse to fine (changes `transform`)."""
    method = itk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    shares = [min(1.0, _SAMPLES * shrink**3 / voxels) for shrink in _SHRINK]
    method.SetMetricSamplingPercentagePerLevel(shares, _SEED)
    method.SetInterpolator(itk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 120, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(_SHRINK))
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(*images)


def bias_field(volume: Volume, mask: Mask, *, shrink: int = 4, rounds: Sequence[int] = (50, 50, 30)) -> Voxels:
    """Smooth gain by which the scanner multiplied an image; mean log 0 within the mask.

    Args:
        volume: Intensities above 0 within the mask.
        mask: Voxels that the field is fitted on; it is smooth and defined everywhere.
        shrink: The fit looks at every n-th voxel along each axis.
        rounds: Iterations at each resolution of the field, coarse to fine.

    Raises:
        DependencyError: SimpleITK is not installed.
    """
    factors = [max(1, min(shrink, n // 8)) for n in volume.geometry.shape]
    with one_thread() as itk:
        image = itk_image(volume.voxels, volume.geometry)
        region = itk.Cast(itk_image(mask.astype(np.float32), volume.geometry), itk.sitkUInt8)
        fit = itk.N4BiasFieldCorrectionImageFilter()
        fit.SetMaximumNumberOfIterations([int(n) for n in rounds])
        fit.Execute(itk.Shrink(image, factors), itk.Shrink(region, factors))
        log = array_of(fit.GetLogBiasFieldAsImage(image))
    return np.exp(log - log[mask].mean(dtype=np.float64)).astype(np.float32)
