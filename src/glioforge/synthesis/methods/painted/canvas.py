"""One volume being painted: subclasses, texture and scanner on the box of the brain.

Subclasses lie in a class by a field: in part the brightness of the classes
around a voxel, as partial volume has it, and in part smooth random patches.
"""

from typing import final

import numpy as np
from jaxtyping import Int64
from scipy import ndimage, special

from glioforge.synthesis.methods.painted.scanner import ScannerSpec, blurred_and_shifted, with_bias
from glioforge.synthesis.methods.painted.spec import PaintedSpec
from glioforge.synthesis.methods.painted.style import Style
from glioforge.synthesis.methods.painted.subclasses import surroundings

Classes = Int64[np.ndarray, "i j k"]


@final
class Canvas:
    """One volume being painted: the box of the brain and the draws that all contrasts share."""

    def __init__(
        self, spec: PaintedSpec, spacing: tuple[float, float, float], classes: Classes, rng: np.random.Generator
    ) -> None:
        self.spec, self.spacing, self.classes, self.rng = spec, spacing, classes, rng

    def paint(self, style: Style) -> np.ndarray:
        """Paint one contrast after the other."""
        spec = self.spec
        rows = self._subclasses(style)
        painted = []
        for contrast in range(len(style.modalities)):
            image = style.means[..., contrast].astype(np.float32).ravel()[rows]
            if spec.texture:
                rest = style.deviations[..., contrast] ** 2 - (style.noise[contrast] ** 2 if spec.scanner else 0)
                strength = spec.texture * np.sqrt(np.maximum(rest, 0)).astype(np.float32).ravel()
                image += strength[rows] * self._field(spec.texture_mm)
            painted.append(image if spec.scanner is None else self._scanned(image, spec.scanner, style.noise[contrast]))
        return np.stack(painted)

    def _scanned(self, image: np.ndarray, scanner: ScannerSpec, noise: float) -> np.ndarray:
        """Blur, shift, noise and bias."""
        image = blurred_and_shifted(image, self.spacing, scanner, self.rng)
        grain = self.rng.standard_normal(image.shape, dtype=np.float32)
        image += np.float32(scanner.noise * noise) * grain
        return with_bias(image, scanner, self.rng)

    def _subclasses(self, style: Style) -> np.ndarray:
        """Row of every voxel in the tables of all subclasses."""
        count = self.spec.subclasses
        if count == 1:
            return np.asarray(self.classes)
        field = self._field(float(self.rng.uniform(*self.spec.patch_mm)))
        field += np.float32(0.5) * self.rng.standard_normal(field.shape, dtype=np.float32)
        followed = style.followed.astype(np.float32)
        field *= (np.sqrt(1 - followed**2) / np.float32(np.sqrt(1.25)))[self.classes]
        field += followed[self.classes] * self._brightness_around(style)
        edges = special.ndtri(np.clip(np.cumsum(style.shares, axis=1)[:, :-1], 1e-6, 1 - 1e-6)).astype(np.float32)
        rows = self.classes * count
        for edge in edges.T:
            rows += field > edge[self.classes]
        return np.asarray(rows)

    def _brightness_around(self, style: Style) -> np.ndarray:
        """Brightness of the classes around each voxel, along the direction of its own, standardised in each class."""
        near = surroundings(self.classes, style.centres, self.spacing)
        directions = style.directions.astype(np.float32)
        line = sum(image * column[self.classes] for image, column in zip(near, directions.T, strict=True))
        count = np.maximum(np.bincount(self.classes.ravel(), minlength=len(directions)), 1)
        mean, square = (
            np.bincount(self.classes.ravel(), weights=power.ravel(), minlength=len(directions)) / count
            for power in (line, line**2)
        )
        scale = np.sqrt(np.maximum(square - mean**2, 1e-6))
        return (line - mean.astype(np.float32)[self.classes]) / scale.astype(np.float32)[self.classes]

    def _field(self, width_mm: float) -> np.ndarray:
        """Smooth Gaussian field of mean 0 and variance 1."""
        field: np.ndarray = self.rng.standard_normal(self.classes.shape, dtype=np.float32)
        field = ndimage.gaussian_filter(field, [width_mm / s for s in self.spacing], mode="wrap", truncate=2.5)
        return field / np.float32(max(float(field.std()), 1e-6))
