"""How bright each class is in each training subject, which gives one label map many images; and unseen classes.

A subject's style is its class means and within-class deviations in every
contrast.  A drawn style is a mixture of two subjects, with a little of the spread
between subjects added, so that it is nobody's own.

Label maps with classes that no training case had are refused, or painted as a class
that is named for them.  A generator that never saw enhancing tumour knows no intensity
for it.  What it would paint there is arbitrary (for a style of class means it would be
0), and nothing in the image would show that.

Conventions
-----------
means       float64 `(subject, class, contrast)`, z-score; `nan` where a subject lacks the class or the contrast
class       by the rank of its integer in the scheme, whatever the order its names are listed in; background
            first, all 0
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Integer

from glioforge.core import Case, LabelError, LabelMap, LabelScheme, Modality, SpecError

Table = Float64[np.ndarray, "class contrast"]

_FEWEST_VOXELS = 8


@final
@dataclass(frozen=True, eq=False)
class Style:
    """Appearance of one scan.

    Args:
        means: Mean of each class in each contrast.
        deviations: Standard deviation within each class.
    """

    means: Table
    deviations: Table


@final
@dataclass(frozen=True, eq=False)
class Appearance:
    """Class statistics of every training case.

    Args:
        means: See the module's conventions.
        deviations: Standard deviation within each class, as `means`.
    """

    means: Float64[np.ndarray, "subject class contrast"]
    deviations: Float64[np.ndarray, "subject class contrast"]

    @classmethod
    def of(cls, cases: Iterable[Case], modalities: Sequence[Modality], scheme: LabelScheme) -> "Appearance":
        """Measure cases with labels; at least one case.

        A class of fewer than eight voxels counts as absent where another case has more of it, and so does a contrast
        that a case lacks.
        """
        values = np.array(sorted(scheme.labels.values()))
        measured = [_measured(case, tuple(modalities), values) for case in cases]
        means, deviations = (np.stack([row[place] for row in measured]) for place in (0, 1))
        few = np.stack([row[2] for row in measured])[..., None] < _FEWEST_VOXELS
        few[:, 0] = False
        elsewhere = (~few & np.isfinite(means)).any(axis=0)
        absent = few & elsewhere
        return cls(np.where(absent, np.nan, means), np.where(absent, np.nan, deviations))

    def own(self, index: int) -> Style:
        """Style of one training case; what it lacks looks as in the average case."""
        return Style(_filled(self.means)[index], _filled(self.deviations)[index])

    def draw(self, rng: np.random.Generator, jitter: float) -> Style:
        """A style between two training cases.

        Args:
            rng: Source of the draw.
            jitter: Random shift of each class's mean, as a share of the spread between cases.
        """
        first, second = rng.integers(len(self.means), size=2)
        weight = rng.uniform()
        means, deviations = _filled(self.means), _filled(self.deviations)
        mixed = weight * means[first] + (1 - weight) * means[second]
        mixed = mixed + jitter * means.std(axis=0) * rng.standard_normal(mixed.shape)
        mixed[0] = 0.0
        return Style(mixed, weight * deviations[first] + (1 - weight) * deviations[second])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name, to be kept with the weights; what is absent is marked by `present` instead of nan."""
        return {
            "means": np.nan_to_num(self.means),
            "deviations": np.nan_to_num(self.deviations),
            "present": np.isfinite(self.means).astype(np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Appearance":
        """Inverse of `to_arrays`."""
        present = arrays["present"] == 1
        means = np.where(present, arrays["means"], np.nan).astype(np.float64)
        return cls(means, np.where(present, arrays["deviations"], np.nan).astype(np.float64))


def class_indices(voxels: Integer[np.ndarray, "*grid"], scheme: LabelScheme) -> Integer[np.ndarray, "*grid"]:
    """Rank of each voxel's class among the scheme's integers.

    A scheme read from a file may list its names in another order; the same labels must be the same classes then.
    """
    table = np.zeros(256, dtype=np.int64)
    table[sorted(scheme.labels.values())] = np.arange(len(scheme.labels))
    return table[voxels]


def _measured(
    case: Case, modalities: tuple[Modality, ...], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and deviation of each class in each contrast of one case, and the voxels of each class."""
    voxels = case.require_labels().voxels
    known = [place for place, modality in enumerate(modalities) if modality in case.images]
    images = case.stack(tuple(modalities[place] for place in known)).astype(np.float64)
    means = np.full((len(values), len(modalities)), np.nan)
    deviations = means.copy()
    counts = np.zeros(len(values), dtype=np.int64)
    means[0] = deviations[0] = 0.0
    for place, value in enumerate(values):
        inside = voxels == value
        counts[place] = int(inside.sum())
        if value and counts[place]:
            means[place, known] = images[:, inside].mean(axis=1)
            deviations[place, known] = images[:, inside].std(axis=1)
    return means, deviations, counts


def _filled(table: np.ndarray) -> np.ndarray:
    """Absent classes and contrasts take the mean of the cases that have them, or 0 where none has."""
    known = np.isfinite(table)
    average = np.where(known, table, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, table, average)


def unseen_classes(appearance: Appearance, scheme: LabelScheme) -> tuple[str, ...]:
    """Return the names of the classes without a voxel in the training cases, in at least one of the contrasts.

    A class that was seen in some contrasts only, because cases lack others, counts as unseen.
    """
    known = np.isfinite(appearance.means).any(axis=0).all(axis=1)
    names = sorted(scheme.labels, key=scheme.value)
    return tuple(name for name, seen in zip(names, known, strict=True) if not seen)


def require_stand_ins(stand_ins: Mapping[str, str], unseen: Sequence[str], scheme: LabelScheme) -> None:
    """Refuse stand-ins that name no class of the scheme, the background, or an unseen class as the one to paint.

    Raises:
        SpecError: With the names in question.
    """
    known = [name for name in scheme.labels if name != "background"]
    wrong = sorted({*stand_ins, *stand_ins.values()} - set(known))
    if wrong:
        raise SpecError(f"stand_ins with {wrong}", f"classes of scheme {scheme.name!r}: {known}")
    never = sorted(set(stand_ins.values()) & set(unseen))
    if never:
        raise SpecError(f"stand_ins that paint {never}", "classes that training cases have", "name another class")


def painted_map(labels: LabelMap, unseen: Sequence[str], stand_ins: Mapping[str, str], where: str) -> LabelMap:
    """Return the map to paint: unseen classes replaced by their stand-ins.

    Args:
        labels: Label map in the model's scheme.
        unseen: Classes that no training case had.
        stand_ins: Class to paint in place of each of them.
        where: What the error is about.

    Raises:
        LabelError: The map has an unseen class without a stand-in.
    """
    scheme = labels.scheme
    found = {name: int((labels.voxels == scheme.value(name)).sum()) for name in unseen}
    present = {name: count for name, count in found.items() if count}
    left = [f"{name} ({count} voxels)" for name, count in present.items() if name not in stand_ins]
    if left:
        raise LabelError(
            f"a label map with {', '.join(left)}, which no training case had",
            "classes that the model has seen",
            "train on cases that have them, or name a class to paint in their place: stand_ins: {unseen: seen}",
            where,
        )
    if not present:
        return labels
    voxels = labels.voxels.copy()
    for name in present:
        voxels[labels.voxels == scheme.value(name)] = scheme.value(stand_ins[name])
    return labels.with_voxels(voxels)


def warning_of(unseen: Sequence[str], stand_ins: Mapping[str, str]) -> str:
    """Return one sentence on unseen classes for the user; empty when there are none.

    Example:
        >>> warning_of(["enhancing"], {})
        'no training case has enhancing: label maps with it are refused, unless stand_ins names a class to paint'
    """
    painted = [f"{name} (painted as {stand_ins[name]})" for name in unseen if name in stand_ins]
    refused = [name for name in unseen if name not in stand_ins]
    parts = [f"no training case has {', '.join(painted)}"] if painted else []
    if refused:
        them = "it" if len(refused) == 1 else "them"
        parts.append(
            f"no training case has {', '.join(refused)}: label maps with {them} are refused, "
            "unless stand_ins names a class to paint"
        )
    return "; ".join(parts)
