"""What a way of mixing builds on: the registry, the arrays of a case, and the two functions that it gives.

A mixing puts a part of one prepared case, the donor, into another, the host.
Drawing is apart from applying, so that a record makes the same case again.

Conventions
-----------
arrays   host and donor lie on one prepared grid; images are z-scores, 0 outside the brain
labels   values of one scheme; which of them are lesion is given with the case
record   drawn values, plain JSON
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from pydantic import BeforeValidator, SerializeAsAny

from glioforge.config import Registry, Spec
from glioforge.core import Case, Modality


@final
@dataclass(frozen=True, eq=False)
class Scan:
    """Arrays of a case.

    Args:
        images: z-scores, contrasts in one order for host and donor.
        labels: Label map.
        brain: Mask of the brain.
        lesion: Mask of the lesion labels.
        spacing: Voxel size in mm.
    """

    images: Float32[np.ndarray, "contrast i j k"]
    labels: UInt8[np.ndarray, "i j k"]
    brain: Bool[np.ndarray, "i j k"]
    lesion: Bool[np.ndarray, "i j k"]
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, case: Case, modalities: tuple[Modality, ...]) -> "Scan":
        """Take the arrays of a prepared, labelled case.

        Raises:
            CaseError: There is no label map, or a contrast is missing.
        """
        labels = case.require_labels()
        return cls(
            np.asarray(case.stack(modalities), dtype=np.float32),
            labels.voxels,
            case.brain_mask,
            labels.lesion,
            labels.geometry.spacing,
        )

    def with_part(
        self,
        mask: Bool[np.ndarray, "i j k"],
        images: Float32[np.ndarray, "contrast i j k"],
        labels: UInt8[np.ndarray, "i j k"],
        brain: Bool[np.ndarray, "i j k"],
    ) -> "Mixed":
        """Replace the voxels of a mask by those of arrays on the same grid."""
        return Mixed(
            np.where(mask, images, self.images), np.where(mask, labels, self.labels), np.where(mask, brain, self.brain)
        )


@final
@dataclass(frozen=True, eq=False)
class Mixed:
    """Arrays of a mixed case.

    Args:
        images: As `Scan.images`; 0 outside the brain.
        labels: As `Scan.labels`.
        brain: As `Scan.brain`.
    """

    images: Float32[np.ndarray, "contrast i j k"]
    labels: UInt8[np.ndarray, "i j k"]
    brain: Bool[np.ndarray, "i j k"]


class MixingSpec(Spec):
    """Base of the settings of a mixing; its own spec adds `kind`."""

    alone: ClassVar[bool] = False
    """Whether a case may be its own donor where there is no other subject; without that one subject has no donor."""


@runtime_checkable
class Mixing(Protocol):
    """One way of mixing; made with its spec."""

    def draw(self, host: Scan, donor: Scan, rng: np.random.Generator) -> dict[str, Any]:
        """Draw values, plain JSON; raises `EditError` where the donor has nothing to give or no place is valid."""
        ...

    def apply(self, host: Scan, donor: Scan, values: Mapping[str, Any]) -> Mixed:
        """Mix as drawn; pure: the same scans and values give the same bytes."""
        ...


MIXINGS: Registry[Mixing] = Registry("mixing", "glioforge.mixing.methods")
"""All ways of mixing by kind."""

AnyMixing = Annotated[SerializeAsAny[MixingSpec], BeforeValidator(MIXINGS.parse)]
"""A mixing's settings, told by `kind`, as a field of another spec."""


def mixing_for(spec: Spec) -> Mixing:
    """Return the mixing that a spec configures."""
    part: Any = MIXINGS.part_for(spec)
    made: Mixing = part(spec)
    return made
