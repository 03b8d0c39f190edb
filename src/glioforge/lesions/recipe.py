"""Recipes: a small language for compositions of edits, in YAML.

A recipe is a list of steps.  A step is a mapping with one of these keys:

edit       one edit, by `kind` and its settings
choice     a list of steps, of which one is drawn by their `weight`
sequence   a list of steps, all of them in order; an empty one does nothing
repeat     a step, done `count` times (a whole number between two bounds)

Source: the manipulations of Shin et al. 2018, Carver et al. and Guo et al. 2020,
whose magnitudes the papers leave open; see `lesions/recipes/`.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, final

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny
from pydantic_core import PydanticCustomError

from glioforge.config.spec import Spec
from glioforge.core.errors import EditError
from glioforge.core.labels import LabelMap
from glioforge.core.protocols import EditRecord, LesionEdit
from glioforge.lesions.base import EDITS, DonorSource, Sources
from glioforge.lesions.fill import TissueAtlas
from glioforge.lesions.prior import Prior

AnyEdit = Annotated[SerializeAsAny[Spec], BeforeValidator(EDITS.parse)]
"""Any registered edit's spec, told by `kind`."""


def _parse_step(values: Any) -> Any:  # noqa: ANN401 - whatever a YAML holds
    """The step that a mapping describes, by the one key that tells them apart."""
    if isinstance(values, Spec):
        return values
    kinds: dict[str, type[Spec]] = {
        "edit": EditStep,
        "choice": ChoiceStep,
        "sequence": SequenceStep,
        "repeat": RepeatStep,
    }
    named = [key for key in kinds if isinstance(values, Mapping) and key in values]
    if len(named) != 1:
        raise PydanticCustomError("step", "a step needs exactly one of {keys}", {"keys": ", ".join(kinds)})
    return kinds[named[0]].model_validate(values)


Step = Annotated[SerializeAsAny[Spec], BeforeValidator(_parse_step)]
"""One step of a recipe."""


@final
class EditStep(Spec):
    """One edit."""

    edit: AnyEdit
    """The edit and its settings."""
    weight: float = Field(1.0, ge=0)
    """Weight within a choice."""


@final
class ChoiceStep(Spec):
    """One of several steps."""

    choice: tuple[Step, ...] = Field(min_length=1)
    """Steps, drawn by weight."""
    weight: float = Field(1.0, ge=0)
    """Weight within an outer choice."""


@final
class SequenceStep(Spec):
    """Several steps in order."""

    sequence: tuple[Step, ...]
    """Steps; none does nothing."""
    weight: float = Field(1.0, ge=0)
    """Weight within a choice."""


@final
class RepeatStep(Spec):
    """A step done several times."""

    repeat: Step
    """The step."""
    count: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    """Fewest and most times."""
    weight: float = Field(1.0, ge=0)
    """Weight within a choice."""


@final
class RecipeSpec(Spec):
    """A recipe for new lesions."""

    name: str
    """Short name."""
    about: str = ""
    """Where it comes from and what it deviates in."""
    steps: tuple[Step, ...]
    """Steps in order."""
    attempts: int = Field(5, ge=1, le=1000)
    """How often the whole recipe is drawn anew when an edit finds no valid parameters."""


def edit_labels(
    labels: LabelMap,
    recipe: RecipeSpec,
    seed: int | np.random.Generator = 1,
    donors: DonorSource | None = None,
    *,
    atlas: TissueAtlas | None = None,
    prior: Prior | None = None,
) -> tuple[LabelMap, tuple[EditRecord, ...]]:
    """Draw and apply a recipe.

    Args:
        labels: Complete map; not changed.
        recipe: What to do.
        seed: Seed of all draws, or the generator that makes them.
        donors: Lesions of training subjects, for edits that need some.
        atlas: For edits that fill from it.
        prior: For edits that place by it.

    Returns:
        The edited map, and the records that lead to it.

    Raises:
        EditError: No attempt found valid parameters for every edit.
        LabelError: The map is not complete.
    """
    sources, rng = Sources(donors, atlas, prior), np.random.default_rng(seed)
    reasons: list[str] = []
    for _ in range(recipe.attempts):
        try:
            return _run(labels, recipe, rng, sources)
        except EditError as error:
            reasons.append(str(error))
    raise EditError(
        f"recipe {recipe.name!r} failed {recipe.attempts} times: {'; '.join(dict.fromkeys(reasons))}",
        "an edit that suits the map",
        "widen its ranges, or leave the case out",
    )


def replay(
    labels: LabelMap,
    records: Iterable[EditRecord],
    donors: DonorSource | None = None,
    *,
    atlas: TissueAtlas | None = None,
) -> LabelMap:
    """Apply recorded edits again, in order; no records give the map back.

    Raises:
        EditError: Donors or the atlas of a record are missing or have changed.
        SpecError: A record names an unknown edit.
    """
    for record in records:
        labels = _edit(record.kind, Sources(donors, atlas)).apply(labels, record)
    return labels


def kinds_of(recipe: RecipeSpec) -> frozenset[str]:
    """Kinds of all edits that a recipe may draw."""
    found: set[str] = set()
    pending: list[Any] = list(recipe.steps)
    while pending:
        step = pending.pop()
        if isinstance(step, EditStep):
            found.add(str(getattr(step.edit, "kind", "")))
        else:
            pending += [*getattr(step, "choice", ()), *getattr(step, "sequence", ())]
            pending += [step.repeat] if isinstance(step, RepeatStep) else []
    return frozenset(found)


def draw_edits(recipe: RecipeSpec, rng: np.random.Generator) -> tuple[Spec, ...]:
    """Edits of one draw of a recipe, in order."""
    return tuple(spec for step in recipe.steps for spec in _drawn(step, rng))


def _run(
    labels: LabelMap, recipe: RecipeSpec, rng: np.random.Generator, sources: Sources
) -> tuple[LabelMap, tuple[EditRecord, ...]]:
    """One attempt at a recipe."""
    records = []
    for spec in draw_edits(recipe, rng):
        edit = _built(spec, sources)
        record = edit.draw(labels, rng)
        labels = edit.apply(labels, record)
        records.append(record)
    return labels, tuple(records)


def _drawn(step: Spec, rng: np.random.Generator) -> list[Spec]:
    """Edits that one draw of a step gives."""
    if isinstance(step, EditStep):
        return [step.edit]
    if isinstance(step, SequenceStep):
        return [spec for inner in step.sequence for spec in _drawn(inner, rng)]
    if isinstance(step, RepeatStep):
        times = int(rng.integers(step.count[0], max(step.count) + 1))
        return [spec for _ in range(times) for spec in _drawn(step.repeat, rng)]
    options = step.choice if isinstance(step, ChoiceStep) else ()
    weights = np.array([getattr(option, "weight", 1.0) for option in options])
    if weights.sum() <= 0:
        raise EditError("a choice whose weights are all 0", "a positive weight")
    return _drawn(options[int(rng.choice(len(options), p=weights / weights.sum()))], rng)


def _built(spec: Spec, sources: Sources) -> LesionEdit:
    """The edit of a spec."""
    part: Any = EDITS.part_for(spec)
    edit: LesionEdit = part(spec, sources)
    return edit


def _edit(kind: str, sources: Sources) -> LesionEdit:
    """The edit of a record, with its default spec, which `apply` does not read."""
    return _built(EDITS.spec_class(kind)(), sources)
