"""What a segmenter distinguishes: the labels of a scheme, or regions that contain each other; and views of a head.

    regions4    background with normal tissue, necrotic core, oedema, enhancing tumour (the default)
    complete    these and white matter, grey matter, fluid: seven classes (Foroozandeh & Eklund)
    complete_cavity   these and the resection cavity of post-treatment cases
    tumour      whole tumour or not: two classes (the same)
    tissue      white matter, grey matter, fluid of a brain without tumour
    nested      WT, TC and ET, each yes or no (BraTS' own regions)
    <scheme>    the labels of any other scheme, by its name: `guo2020`, `brats2024` ...

A network sees stacks of slices along the last axis, whichever way the head is cut.

Conventions
-----------
class       number of a label in the order of the scheme's integers; 0 is the background
channel     one output of the network: a class each, or a region each for `nested`
axial       view of slices along z; the tensor's axes are x, y, z
coronal     view of slices along y; x, z, y
sagittal    view of slices along x; y, z, x
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, final, get_args

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from glioforge.core import (
    BIDS_TISSUE,
    BRATS2023,
    Cohort,
    CohortError,
    LabelError,
    LabelMap,
    LabelScheme,
    SpecError,
    scheme_named,
)
from glioforge.data import AugmentSpec, lesion_table, read_packed

if TYPE_CHECKING:
    import numpy as np
    import torch

_SCHEMES: Final = {"regions4": BRATS2023, "nested": BRATS2023, "tissue": BIDS_TISSUE}
CAVITY: Final = "resection_cavity"
_PAINTED: Final = {"WT": "oedema", "TC": "necrotic_core", "ET": "enhancing"}
"""Label of each nested region where no later one covers it."""


@final
@dataclass(frozen=True)
class Target:
    """What a segmenter tells apart.

    Args:
        name: As in a spec.
        scheme: Scheme of the predictions.
        nested: Whether channels are regions that contain each other, each with a probability of its own.
    """

    name: str
    scheme: LabelScheme
    nested: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Label of each class, in the order of the scheme's integers."""
        return tuple(sorted(self.scheme.labels, key=self.scheme.value))

    @property
    def channels(self) -> tuple[str, ...]:
        """What each output of the network stands for."""
        return tuple(_PAINTED) if self.nested else self.classes

    @property
    def scored(self) -> tuple[str, ...]:
        """Regions and tissue that validation averages over; regions that unite the same labels count once."""
        regions: dict[tuple[int, ...], str] = {}
        for name in (*self.scheme.regions, *self.scheme.tissue):
            regions.setdefault(tuple(sorted(self.scheme.region_values(name))), name)
        return tuple(name for values, name in regions.items() if values)

    def scored_without(self, classes: Collection[str]) -> tuple[str, ...]:
        """Of what is `scored`, name what holds more than these classes, of which nothing can be learnt."""
        values = {self.scheme.value(name) for name in classes}
        return tuple(name for name in self.scored if not values.issuperset(self.scheme.region_values(name)))

    def members(self) -> Bool[np.ndarray, "channels classes"]:
        """Which classes belong to each channel; the identity unless nested."""
        values = [self.scheme.value(name) for name in self.classes]
        return np.array([np.isin(values, self.scheme.region_values(name)) for name in self.channels])

    def classes_from(self, scheme: LabelScheme) -> Int64[np.ndarray, "256"]:
        """Return the class of each integer of a cohort's scheme.

        A resection cavity is background, as normal tissue is, to a target that names neither it nor fluid.

        Raises:
            LabelError: A lesion label has no counterpart in a target that knows lesions.
        """
        if CAVITY in scheme.labels and not {CAVITY, "csf", "tumour"} & set(self.scheme.labels):
            scheme = replace(scheme, tissue=(*scheme.tissue, CAVITY))
        if not self.scheme.lesion:
            tissue = {n: v for n, v in scheme.labels.items() if n == "background" or n in scheme.tissue}
            scheme = replace(scheme, labels=tissue, regions={})
        order = np.zeros(256, dtype=np.int64)
        order[[self.scheme.value(name) for name in self.classes]] = np.arange(len(self.classes))
        return order[scheme.table_to(self.scheme)]

    def truth(self, labels: LabelMap) -> LabelMap:
        """A true map in the target's scheme; errors as `classes_from`."""
        values = np.array([self.scheme.value(name) for name in self.classes], dtype=np.uint8)
        return LabelMap(values[self.classes_from(labels.scheme)][labels.voxels], labels.geometry, self.scheme)

    def probabilities(self, logits: "torch.Tensor") -> "torch.Tensor":
        """Probability of each channel `(b, channel, ...)`, float32; sums to 1 unless nested."""
        logits = logits.float()
        return logits.sigmoid() if self.nested else logits.softmax(dim=1)

    def decode(
        self, probabilities: Float32[np.ndarray, "channel i j k"], brain: Bool[np.ndarray, "i j k"]
    ) -> UInt8[np.ndarray, "i j k"]:
        """Labels of the target's scheme: the likeliest, or nested regions of at least 1/2; 0 outside the brain.

        A nested region counts inside the whole tumour only (Carver et al., section on segmentation).
        """
        values = np.array([self.scheme.value(_PAINTED.get(name, name)) for name in self.channels], dtype=np.uint8)
        if not self.nested:
            return np.where(brain, values[probabilities.argmax(axis=0)], 0).astype(np.uint8)
        voxels = np.zeros(brain.shape, dtype=np.uint8)
        whole = brain & (probabilities[0] >= 0.5)
        for value, share in zip(values, probabilities, strict=True):
            voxels[whole & (share >= 0.5)] = value
        return voxels

    def require_usable(self, cohort: Cohort) -> None:
        """Refuse cases whose labels the target cannot express.

        Raises:
            LabelError: The cohort's scheme has a lesion label without counterpart.
            CohortError: A case has a lesion, and the target is of brains without one.
        """
        self.classes_from(cohort.scheme)
        if self.scheme.lesion:
            return
        table = lesion_table(cohort.scheme)
        labels = {ref.case_id: read_packed(ref).labels for ref in cohort}
        ill = [case_id for case_id, voxels in labels.items() if voxels is not None and table[voxels].any()]
        if ill:
            raise CohortError(
                f"cases with a lesion: {', '.join(ill[:5])}",
                f"brains without one, as target {self.name!r} knows tissue alone",
                "leave these cases out, or choose the target `complete`",
                cohort.where,
            )


def target_named(name: str) -> Target:
    """Target of this name.

    Raises:
        SpecError: There is neither a target nor a scheme of this name.

    Example:
        >>> target_named("regions4").classes
        ('background', 'necrotic_core', 'oedema', 'enhancing')
        >>> target_named("tumour").scored
        ('WT',)
    """
    try:
        return Target(name, _SCHEMES.get(name) or scheme_named(name), nested=name == "nested")
    except LabelError as error:
        raise SpecError(f"target {name!r}", f"one of {sorted(_SCHEMES)}, or a scheme: {error.expected}") from error


def class_counts(cohorts: Iterable[Cohort], target: Target) -> Int64[np.ndarray, "classes"]:
    """Count the voxels of each class in all label maps; zeros without any."""
    counts = np.zeros(len(target.classes), dtype=np.int64)
    for cohort in cohorts:
        table = target.classes_from(cohort.scheme)
        for ref in cohort:
            labels = read_packed(ref).labels
            if labels is not None:
                counts += np.bincount(table[labels].ravel(), minlength=len(counts))
    return counts


def class_shares(cohorts: Iterable[Cohort], target: Target) -> tuple[float, ...]:
    """Return the share of each class among the voxels of all label maps; zeros without any."""
    counts = class_counts(cohorts, target)
    return tuple(float(share) for share in counts / max(1, int(counts.sum())))


def unseen_classes(cohorts: Iterable[Cohort], target: Target) -> tuple[str, ...]:
    """Name the classes of a target that no voxel of any label map belongs to."""
    return tuple(name for name, count in zip(target.classes, class_counts(cohorts, target), strict=True) if not count)


View = Literal["axial", "coronal", "sagittal"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
ORDER: Final[dict[View, tuple[int, int, int]]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""Axes of the head in the order of a tensor's axes; the last one is cut."""


def seen(voxels: "np.ndarray", view: View) -> "np.ndarray":
    """Voxels `(..., i, j, k)` with the axes of a view."""
    return voxels.transpose(*_axes(voxels.ndim, ORDER[view]))


def put_back(voxels: "np.ndarray", view: View) -> "np.ndarray":
    """Inverse of `seen`."""
    return voxels.transpose(*_axes(voxels.ndim, _inverse(view)))


def seen_batch(batch: "torch.Tensor", view: View) -> "torch.Tensor":
    """Patches `(..., i, j, k)` with the axes of a view."""
    return batch.permute(*_axes(batch.ndim, ORDER[view]))


def own_size(size: tuple[int, int, int], view: View) -> tuple[int, int, int]:
    """Size along the head's own axes of a patch of this size in a view."""
    first, second, third = (size[axis] for axis in _inverse(view))
    return first, second, third


def augment_for(spec: AugmentSpec, view: View) -> AugmentSpec:
    """Augmentation whose flips are about the same axes of the head in every view."""
    chances = (spec.flip_x, spec.flip_y, spec.flip_z)
    first, second, third = (chances[axis] for axis in ORDER[view])
    changed: dict[str, Any] = {"flip_x": first, "flip_y": second, "flip_z": third}
    return spec.model_copy(update=changed)


def _axes(count: int, order: tuple[int, int, int]) -> tuple[int, ...]:
    """All axes of an array, the last three in another order."""
    return (*range(count - 3), *(count - 3 + axis for axis in order))


def _inverse(view: View) -> tuple[int, int, int]:
    """Order that undoes a view's."""
    order = ORDER[view]
    return order.index(0), order.index(1), order.index(2)
