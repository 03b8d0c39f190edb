"""Rigid, affine and deformable registration through SimpleITK: numpy in, numpy out.

Mattes' mutual information on three resolutions with regular sampling (Mattes
et al. 2003, IEEE Trans. Med. Imaging 22(1), 120-128) works across contrasts;
demons (Thirion 1998, Med. Image Anal. 2(3), 243-260) between images of one.
One thread and a fixed seed: the same images give the same numbers.

Conventions
-----------
transform     4 x 4, from the world of the fixed image to the world of the moving one, RAS mm
displacement  float32 `(i, j, k, 3)`, in mm: where in the moving image a fixed voxel looks, minus the voxel
"""

from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float32

from glioforge.core.geometry import Affine
from glioforge.core.volume import Volume
from glioforge.io.itk import itk_image, matrix_of, one_thread

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
