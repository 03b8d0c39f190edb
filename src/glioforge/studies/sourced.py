"""Settings that every study with synthetic cases has: sources, lesion edits, and what making them may cost."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

from glioforge.config import Spec
from glioforge.lesions import RecipeSpec
from glioforge.quality import AnyFilter
from glioforge.studies.arms import NAME
from glioforge.studies.base import StudySpec
from glioforge.studies.sources import AnySource, Source, SynthesizerSource
from glioforge.synthesis import AnySynthesizer
from glioforge.training import Budget

PartName = Annotated[str, Field(pattern=NAME)]


class SourceBudget(Spec):
    """How much the sources of a run may spend, and how often it is repeated."""

    generator: Budget = Budget()
    """Steps of each generator."""
    seeds: int = Field(3, ge=1)
    """Trainings of each arm, fold and draw, with other seeds."""
    generator_seeds: int = Field(1, ge=1)
    """Generators of each source, fold and draw, with other seeds; each is crossed with all seeds of the arms."""
    synthetic_per_case: int = Field(3, ge=1)
    """Synthetic cases made from each training case."""


class SourcedSpec(StudySpec):
    """A study whose arms draw from sources of synthetic cases."""

    recipe: RecipeSpec | None = None
    """Lesion edits of sources that name none; none keeps the label maps as they are."""
    synthesizer: AnySynthesizer | None = None
    """The generator under test: the source `generator`."""
    control: AnySynthesizer | None = None
    """Images without a network, which the generator must beat: the source `control`, which no filter weakens."""
    filters: tuple[AnyFilter, ...] = ()
    """Quality filters of the source `generator`."""
    sources: Mapping[PartName, AnySource] = Field(default_factory=dict)
    """Further sources of synthetic cases by their names."""

    @property
    @abstractmethod
    def spending(self) -> SourceBudget:
        """The budget in force."""

    @property
    def all_sources(self) -> dict[str, Source]:
        """Every source by its name, `generator` and `control` first."""
        found: dict[str, Source] = {}
        if self.synthesizer is not None:
            found["generator"] = SynthesizerSource(synthesizer=self.synthesizer, filters=self.filters)
        if self.control is not None:
            found["control"] = SynthesizerSource(synthesizer=self.control)
        return {**found, **self.sources}


@runtime_checkable
class NamedArm(Protocol):
    """What every arm has."""

    @property
    def name(self) -> str:
        """Name in tables and folders."""
        ...

    @property
    def source(self) -> str | None:
        """Where synthetic cases come from; none for real cases alone."""
        ...


def require_arms(arms: Sequence[NamedArm], budget: str, budgets: Mapping[str, SourceBudget]) -> None:
    """Refuse an unknown budget, arms of one name, and a first arm that is no baseline.

    Raises:
        ValueError: For the validator of a spec, which names the key.
    """
    names = [arm.name for arm in arms]
    if budget not in budgets:
        raise ValueError(f"budget {budget!r} is not among the budgets {sorted(budgets)}")
    if len(set(names)) != len(names):
        raise ValueError(f"arms {names} are not named uniquely")
    if not arms or arms[0].source is not None:
        raise ValueError("the first arm is the baseline and is trained on real cases alone")
