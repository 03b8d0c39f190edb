"""Whole volumes from a generator of slices or patches, and the noise that they are drawn from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core import LabelMap
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.synthesis.method import Images
from glioforge.synthesis.patches import make_from_windows
from glioforge.synthesis.slices import make_volume

Make = Callable[[tuple[torch.Tensor, ...]], torch.Tensor]
_NOISE_WIDTH = 0.5
"""Blur of the noise between slices, in slices."""


@final
@dataclass(frozen=True)
class Painter:
    """How volumes are put together.

    Args:
        spec: Dimensions, axis, context, and slices or windows at a time.
        contrasts: Number of images.
        channels: Channels of the noise.
    """

    spec: ConditionalSpec
    contrasts: int
    channels: int = 1

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes that the network sees at once."""
        return tuple(axis for axis in range(3) if self.spec.dims == 3 or axis != self.spec.axis)

    def noise(self, labels: LabelMap, rng: np.random.Generator) -> Float32[np.ndarray, "channels i j k"]:
        """Draw the noise of a volume, of variance 1; between slices it is smooth."""
        fields = [self._field(labels.voxels.shape, rng) for _ in range(self.channels)]
        return np.stack(fields)

    def paint(
        self,
        make: Make,
        labels: LabelMap,
        means: Float32[torch.Tensor, "classes contrasts"],
        noise: Float32[np.ndarray, "channels i j k"],
    ) -> Images:
        """Return images of a label map as the network gives them, slice by slice or in windows.

        Args:
            make: Images for labels, frames, means and noise, as `LabelGenerator` takes them.
            labels: Label map of the volume.
            means: Class means of the volume's style.
            noise: Noise of the volume, on its grid.
        """
        spec = self.spec
        if spec.dims == 3:
            size = spec.size if spec.size is None or len(spec.size) == 3 else None
            return make_from_windows(make, labels, means, noise, contrasts=self.contrasts, size=size)
        return make_volume(
            make,
            labels,
            means,
            noise,
            contrasts=self.contrasts,
            context=spec.context,
            batch_size=spec.batch_size,
            axis=spec.axis,
        )

    def _field(self, shape: tuple[int, ...], rng: np.random.Generator) -> Float32[np.ndarray, "i j k"]:
        """One channel of noise."""
        field = rng.standard_normal(shape)
        if self.spec.dims == 2:
            field = ndimage.gaussian_filter1d(field, _NOISE_WIDTH, axis=self.spec.axis)
        scaled: np.ndarray = (field / max(float(field.std()), 1e-6)).astype(np.float32)
        return scaled
