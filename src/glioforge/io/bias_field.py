"""N4 bias-field correction through SimpleITK (Tustison et al. 2010, IEEE Trans. Med. Imaging 29(6), 1310-1320)."""

from collections.abc import Sequence

import numpy as np

from glioforge.core.volume import Mask, Volume, Voxels
from glioforge.io.itk import array_of, itk_image, one_thread


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
