"""What the page shows of one loaded case: NIfTI bytes made afresh, grey windows, labels with their volumes.

Nothing of the case's own files is sent but voxels and grid: the headers are
newly written, without texts and times.

Conventions
-----------
outside  background that a grey window would show as grey, as the 0 of z-scores, is sent as a value below the window
window   1st to 99th percentile of a contrast within the brain; without a brain mask, of all voxels that differ from
         the background (`data.preparation.brain`)
centre   world millimetres (RAS) in the axial slice with most lesion; without lesion, the middle of the labelled or
         bright voxels
"""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Shaped

from glioforge.core import Case, Geometry, LabelMap, LabelScheme, Voxels
from glioforge.data import background_value, not_background
from glioforge.io import image_bytes, label_bytes

LABELS = "labels"
"""Name of the label map among the files of a case."""
PERCENTILES = (1.0, 99.0)
"""Ends of the grey window."""


@final
@dataclass(frozen=True, eq=False)
class Shown:
    """Voxels of a case, ready to be sent.

    Args:
        geometry: The one grid.
        images: Voxels of each image by its title.
        brain: Mask in which grey windows are measured, `(i, j, k)`.
        labels: Label map, if any.
    """

    geometry: Geometry
    images: Mapping[str, Voxels]
    brain: Bool[np.ndarray, "i j k"]
    labels: LabelMap | None = None

    @classmethod
    def of_case(cls, case: Case) -> "Shown":
        """Return what is shown of a case: all contrasts in standard order, and its labels."""
        if case.brain is not None:
            brain = case.brain
        elif case.images:
            brain = not_background(case.images)
        else:
            brain = case.require_labels().foreground
        images = {modality.title: case.images[modality].voxels for modality in case.modalities}
        return cls(case.geometry, images, brain, case.labels)

    @classmethod
    def of_image(cls, title: str, voxels: Voxels, geometry: Geometry) -> "Shown":
        """Return what is shown of a single image."""
        return cls(geometry, {title: voxels}, voxels != background_value(voxels))

    @classmethod
    def of_labels(cls, labels: LabelMap) -> "Shown":
        """Return what is shown of a single label map."""
        return cls(labels.geometry, {}, labels.foreground, labels)

    def file(self, name: str) -> bytes | None:
        """Contents of a `.nii` file: an image by its number, or `labels`; none for another name."""
        if name == LABELS:
            return None if self.labels is None else label_bytes(self.labels)
        numbered = dict(zip(map(str, range(len(self.images))), self.images.values(), strict=True))
        return image_bytes(self._darkened(numbered[name]), self.geometry) if name in numbered else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for the page: windows of the images, labels with colours and volumes, grid and centre."""
        return {
            "grid": self.geometry.describe(),
            "centre": self._centre(),
            "images": [
                {"file": str(number), "title": title, "window": window, "outside": _below(window)}
                for number, (title, window) in enumerate(self._windows().items())
            ],
            "labels": None if self.labels is None else label_table(self.labels),
        }

    def _windows(self) -> dict[str, tuple[float, float]]:
        """Grey window of each image."""
        return {title: grey_window(voxels, self.brain) for title, voxels in self.images.items()}

    def _darkened(self, voxels: Voxels) -> Voxels:
        """The image, with a background that lies within its grey window moved below it."""
        background, window = background_value(voxels), grey_window(voxels, self.brain)
        if background <= window[0]:
            return voxels
        return np.where((voxels == background) & ~self.brain, np.float32(_below(window)), voxels)

    def _centre(self) -> tuple[float, float, float]:
        """World position that is shown first."""
        lesion = None if self.labels is None else self.labels.lesion
        mask = lesion if lesion is not None and lesion.any() else self.brain
        if not mask.any():
            return self.geometry.world_of([n // 2 for n in self.geometry.shape])
        axis = self.geometry.world_axes.index(2)
        others = tuple(a for a in range(3) if a != axis)
        number = int(mask.sum(axis=others).argmax()) if mask is lesion else int(np.nonzero(mask)[axis].mean())
        index = [0.0, 0.0, 0.0]
        index[axis] = number
        for other, along in zip(others, np.nonzero(np.take(mask, number, axis=axis)), strict=True):
            index[other] = float(along.mean()) if len(along) else self.geometry.shape[other] / 2
        return self.geometry.world_of(index)


def grey_window(voxels: Voxels, mask: Bool[np.ndarray, "i j k"]) -> tuple[float, float]:
    """Return the 1st and 99th percentile within a mask, of all voxels where it is empty.

    An image of one value gets a window of width 1 from that value.

    Example:
        >>> ramp = np.arange(101, dtype=np.float32).reshape(101, 1, 1)
        >>> grey_window(ramp, ramp >= 0)
        (1.0, 99.0)
    """
    values: Shaped[np.ndarray, " n"] = voxels[mask] if mask.any() else voxels.ravel()
    low, high = (float(value) for value in np.percentile(values, PERCENTILES))
    return (low, high) if high > low else (low, low + 1)


def _below(window: tuple[float, float]) -> float:
    """A value that stays black in any window near this one."""
    return window[0] - 2 * (window[1] - window[0])


def label_table(labels: LabelMap) -> dict[str, Any]:
    """Describe the labels that a map holds: value, name, colour and volume of each, and volumes of the regions."""
    scheme = labels.scheme
    counts = np.bincount(labels.voxels.ravel(order="K"), minlength=256)
    ml = counts * labels.geometry.voxel_volume / 1000
    present = [(name, value) for name, value in scheme.labels.items() if value and counts[value]]
    return {
        "scheme": scheme.name,
        "items": [
            {
                "value": value,
                "name": name.replace("_", " "),
                "rgb": colour_of(scheme, name),
                "lesion": name in scheme.lesion,
                "ml": float(ml[value]),
            }
            for name, value in sorted(present, key=lambda pair: pair[0] not in scheme.lesion)
        ],
        "regions": [
            {"name": region, "ml": float(ml[list(scheme.region_values(region))].sum())} for region in scheme.regions
        ],
    }


def colour_of(scheme: LabelScheme, name: str) -> tuple[int, int, int]:
    """Return the scheme's colour of a label, else one by its value that differs from its neighbours'."""
    if name in scheme.colours:
        return scheme.colours[name]
    turns = 0.618034 * scheme.labels[name]  # golden ratio: neighbouring values lie far apart on the circle of hues
    red, green, blue = colorsys.hsv_to_rgb(turns % 1, 0.65, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)
