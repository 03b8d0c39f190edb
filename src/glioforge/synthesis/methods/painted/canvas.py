"""One volume being painted in a drawn style: subclasses, texture and scanner on the box of the brain.

Subclasses lie in a class by a field: in part the brightness of the classes
around a voxel, as partial volume has it, and in part smooth random patches.
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from scipy import ndimage, special

from glioforge.core import LabelScheme, Modality
from glioforge.synthesis.methods.painted.spec import PaintedSpec, ScannerSpec, blurred_and_shifted, with_bias
from glioforge.synthesis.methods.painted.subclasses import rim_as_fluid, surroundings

Classes = Int64[np.ndarray, "i j k"]


@final
@dataclass(frozen=True, eq=False)
class Style:
    """A drawn style; tables have a row for each class.

    Args:
        modalities: Contrasts.
        means: Mean of each subclass.
        deviations: Standard deviation within each.
        shares: Share of each in its class.
        noise: Standard deviation of the noise in each contrast.
        centres: Class means of the average training case, which say what is bright around a voxel.
        directions: Direction along which the voxels of a class differ.
        followed: How closely their brightness follows that of the classes around them.
    """

    modalities: tuple[Modality, ...]
    means: Float64[np.ndarray, "class subclass contrast"]
    deviations: Float64[np.ndarray, "class subclass contrast"]
    shares: Float64[np.ndarray, "class subclass"]
    noise: Float64[np.ndarray, "contrast"]
    centres: Float64[np.ndarray, "class contrast"]
    directions: Float64[np.ndarray, "class contrast"]
    followed: Float64[np.ndarray, "class"]

    def in_scheme(self, shown: LabelScheme, own: LabelScheme, rng: np.random.Generator) -> "Style":
        """The style with a row for each class of the scheme that is painted; the background is painted as CSF.

        Args:
            shown: Scheme of the map, with distractors perhaps.
            own: Scheme of this style.
            rng: Draws how bright distractors are.
        """
        style = self if shown == own else self._with_distractors(shown, own, rng)
        return replace(style, means=rim_as_fluid(style.means, shown), centres=rim_as_fluid(style.centres, shown))

    def _with_distractors(self, shown: LabelScheme, own: LabelScheme, rng: np.random.Generator) -> "Style":
        """Rows of the classes that this style has for those of another scheme, and mixed ones for distractors."""
        names, values = sorted(shown.labels, key=shown.value), sorted(own.labels.values())
        rank = {name: values.index(own.value(name)) for name in own.labels}
        table = shown.table_to(own)
        source = [values.index(int(table[shown.value(name)])) for name in names]
        rows = {name: getattr(self, name)[source] for name in _ROWS}
        for name, looks in _looks_of_distractors(self.modalities, rng).items():
            place = names.index(name)
            for contrast, weights in enumerate(looks):
                rows["means"][place, :, contrast] = sum(
                    w * self.means[rank[n], :, contrast] for n, w in weights.items()
                )
        return replace(self, **rows)


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


_ROWS = ("means", "deviations", "shares", "centres", "directions", "followed")


def _looks_of_distractors(
    modalities: tuple[Modality, ...], rng: np.random.Generator
) -> dict[str, list[dict[str, float]]]:
    """What a distractor looks like in each contrast, as weights of classes.

    Caps of the ventricles are as bright as oedema in part; vessels enhance and have no signal in spin echoes.
    """
    wet, lit = float(rng.uniform(0.4, 0.9)), float(rng.uniform(0.7, 1.1))
    cap = {"oedema": wet, "white_matter": 1 - wet}
    enhanced, dark = {"enhancing": lit, "white_matter": 1 - lit}, {"csf": 1.0}
    void = {Modality.T1CE: enhanced, Modality.T1: dark, Modality.FLAIR: dark}
    vessel = [void.get(m, {"white_matter": 1.0}) for m in modalities]
    return {"ventricle_cap": [cap] * len(modalities), "vessel_spot": vessel}
