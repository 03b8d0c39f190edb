"""From labels, place, style and noise to images: a network, how often it is called, and whole volumes from it.

A generator of a GAN or a regression is called once.  Flow matching learns the
velocity at which noise moves to images (Lipman et al. 2023, arXiv:2210.02747)
and is integrated in steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from scipy import ndimage
from torch import nn

from glioforge.core import LabelMap, SpecError
from glioforge.synthesis.condition import Condition
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.synthesis.method import Images
from glioforge.synthesis.patches import make_from_windows
from glioforge.synthesis.slices import make_volume


@runtime_checkable
class Passes(Protocol):
    """How noise becomes images."""

    @property
    def channels(self) -> int:
        """Channels of the noise."""
        ...

    def __call__(
        self,
        network: nn.Module,
        condition: Float[torch.Tensor, "b inputs *grid"],
        noise: Float[torch.Tensor, "b channels *grid"],
    ) -> Float[torch.Tensor, "b contrasts *grid"]:
        """Return images for noise of variance 1."""
        ...


@final
class LabelGenerator(nn.Module):
    """A generator of images with the inputs that it is conditioned on.

    Args:
        generator: What `passes` calls with the condition and noise.
        condition: Labels, place and style to channels.
        cases: Training cases: rows of the table of grain, which is kept with the weights, as the widths of the
            smoothing across slices are.
        span: Largest absolute output, by tanh; none leaves it linear.
        passes: How noise becomes images: by one call of the generator, or by several.
    """

    def __init__(
        self,
        generator: nn.Module,
        condition: Condition,
        cases: int,
        *,
        span: float | None = None,
        passes: Passes | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.condition, self.span = generator, condition, span
        self.passes: Passes = passes or OnePass()
        self.extras = condition.extras
        self.grain: torch.Tensor
        self.register_buffer("grain", torch.zeros(cases, condition.contrasts))
        self.smoothing: torch.Tensor
        self.register_buffer("smoothing", torch.zeros(condition.contrasts))

    def forward(
        self,
        labels: Int64[torch.Tensor, "b planes *grid"],
        frame: Float[torch.Tensor, "b _"],
        means: Float[torch.Tensor, "b classes contrasts"],
        noise: Float[torch.Tensor, "b channels *grid"],
    ) -> Float[torch.Tensor, "b contrasts *grid"]:
        """Images in z-scores.

        Args:
            labels: Classes of the slice (in the middle) and its neighbours, or of a patch (one plane).
            frame: Place of the sample in the brain's box.
            means: Class means of each sample's style.
            noise: Of variance 1, with as many channels as `passes` takes.

        Raises:
            SpecError: The network gives images of another shape, which would be broadcast.
        """
        painted = self.condition.painted(means, labels)  # (b, contrasts, *grid)
        made = self.passes(self.generator, self.condition(labels, frame, painted), noise).float()
        expected = (len(labels), self.condition.contrasts, *labels.shape[2:])
        if made.shape != expected:
            raise SpecError(
                f"a network whose images have the shape {tuple(made.shape)}",
                f"(batch, contrasts, grid) = {tuple(expected)}, the shape of what it is trained on",
                "mend `build`",
            )
        if self.span is not None:
            made = self.span * torch.tanh(made)
        return made + painted if self.condition.style else made


@final
@dataclass(frozen=True)
class OnePass:
    """One call of `network(condition, noise)`."""

    channels: int = 1

    def __call__(self, network: nn.Module, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return what the network makes."""
        made: torch.Tensor = network(condition, noise)
        return made


@final
@dataclass(frozen=True)
class EulerPasses:
    """Integrate a velocity from noise at time 0 to images at time 1, in equal steps (Euler's method).

    The network is called as `network(condition, images, time)`, with a time for each sample `(b,)`.

    Args:
        channels: Contrasts; noise has as many channels as the images.
        steps: Calls of the network, at least 1.
    """

    channels: int
    steps: int

    def __call__(self, network: nn.Module, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the images at time 1."""
        images = noise
        for step in range(self.steps):
            time = images.new_full((len(images),), step / self.steps)
            images = images + network(condition, images, time) / self.steps
        return images


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
