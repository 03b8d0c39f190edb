"""Schedule of progressive growing: which level is in use at a step, how far it has faded in, and how large batches are.

The reference (Karras et al. 2018, arXiv:1710.10196, appendix A.1) counts images, not steps: 600,000 at the first level,
then for each level 600,000 to fade in and 600,000 more, and the rest at the last one; batches become smaller as maps
grow.  Steps follow from both; each phase ends with its first step that reaches its number of images.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.core import SpecError


class GrowthSpec(Spec):
    """How a progressive network grows."""

    stable: int = Field(600_000, ge=0)
    """Images at a level once it is in use whole, the last level apart."""
    fade: int = Field(600_000, ge=0)
    """Images over which a level fades in."""
    batch_sizes: tuple[int, ...] = Field((128, 128, 128, 64, 32, 16, 8), min_length=1)
    """Images in a step at 4, 8, 16 ... pixels a side; the last number holds for all finer levels."""

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        """Refuse empty batches."""
        if min(self.batch_sizes) < 1:
            msg = f"batch_sizes {self.batch_sizes}: a step needs at least one image"
            raise ValueError(msg)
        return self

    def batch_size(self, level: int) -> int:
        """Images in a step at a level."""
        return self.batch_sizes[min(level, len(self.batch_sizes) - 1)]


@final
@dataclass(frozen=True)
class Moment:
    """Where a training stands at one step.

    Args:
        phase: Number of the phase; optimisers start fresh at each.
        level: Finest level in use.
        grown: Levels in use, with the share of the one that fades in: `level` once it is whole.
        batch_size: Images in the step.
        images: Images shown before it.
    """

    phase: int
    level: int
    grown: float
    batch_size: int
    images: int


@final
@dataclass(frozen=True)
class _Phase:
    """A run of steps at one level."""

    level: int
    fades: bool
    batch_size: int
    first: int
    steps: int
    images: int


def moment_of(spec: GrowthSpec, levels: int, step: int) -> Moment:
    """Where a training stands at a step, for a network of `levels` levels, a pure function of it.

    Example:
        >>> spec = GrowthSpec(stable=8, fade=8, batch_sizes=(4,))
        >>> [moment_of(spec, 2, step).grown for step in range(6)]
        [0.0, 0.0, 0.25, 0.75, 1.0, 1.0]
    """
    phases = _phases(spec, levels)
    number = next(n for n in range(len(phases) - 1, -1, -1) if step >= phases[n].first)
    phase = phases[number]
    within = step - phase.first
    share = (within + 0.5) / phase.steps if phase.fades else 1.0
    grown = phase.level - 1 + share if phase.level else 0.0
    return Moment(number, phase.level, grown, phase.batch_size, phase.images + within * phase.batch_size)


def grown_at(spec: GrowthSpec, levels: int) -> int:
    """Step from which the last level is in use whole.

    Example:
        >>> grown_at(GrowthSpec(stable=8, fade=8, batch_sizes=(4,)), 2)
        4
    """
    return _phases(spec, levels)[-1].first


def steps_for(spec: GrowthSpec, levels: int, images: int) -> int:
    """Steps until `images` images were shown; raises `SpecError` where the last level would not be reached.

    Example:
        >>> steps_for(GrowthSpec(), 7, 12_000_000)
        829650
    """
    last = _phases(spec, levels)[-1]
    if images < last.images:
        raise SpecError(
            f"a training of {images} images",
            f"at least {last.images}, which growing takes",
            "shorten sampler.losses.growth.fade",
        )
    return last.first + -(-(images - last.images) // last.batch_size)


@lru_cache(maxsize=8)
def _phases(spec: GrowthSpec, levels: int) -> tuple[_Phase, ...]:
    """All phases in order; the last has no end."""
    found: list[_Phase] = []
    for level in range(levels):
        size = spec.batch_size(level)
        for fades, images in ((True, spec.fade if level else 0), (False, spec.stable)):
            steps = -(-images // size)
            last = level == levels - 1 and not fades
            if steps or last:
                first = found[-1].first + found[-1].steps if found else 0
                shown = found[-1].images + found[-1].steps * found[-1].batch_size if found else 0
                found.append(_Phase(level, fades, size, first, steps, shown))
    return tuple(found)
