"""Recipes: a small language for compositions of edits, in YAML.

A recipe that comes with the package is read by its name, a user's own by its path.
It is a list of steps.  A step is a mapping with one of these keys:

edit       one edit, by `kind` and its settings
choice     a list of steps, of which one is drawn by their `weight`
sequence   a list of steps, all of them in order; an empty one does nothing
repeat     a step, done `count` times (a whole number between two bounds)

Source: the manipulations of Shin et al. 2018, Carver et al. and Guo et al. 2020,
whose magnitudes the papers leave open; see `lesions/recipes/`.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, final

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny
from pydantic_core import PydanticCustomError

from glioforge.config import Spec, load_spec, named_file
from glioforge.core import EditError, EditRecord, LabelMap
from glioforge.lesions.bank import DonorSource
from glioforge.lesions.base import EDITS, Edit

AnyEdit = Annotated[SerializeAsAny[Spec], BeforeValidator(EDITS.parse)]
"""Any registered edit's spec, told by `kind`."""


class RecipeItem(Spec):
    """Base of the items of a recipe; the first key identifies the kind of an item."""

    weight: float = Field(1.0, ge=0)
    """Weight within a choice."""

    @abstractmethod
    def drawn(self, rng: np.random.Generator) -> list[Spec]:
        """Return the edits of one draw."""

    @property
    @abstractmethod
    def edits(self) -> tuple[Spec, ...]:
        """Every edit that may be drawn."""


def _parse_item(values: Any) -> Any:  # noqa: ANN401 - whatever a YAML holds
    """Return the item that a mapping describes, identified by its key."""
    if isinstance(values, Spec):
        return values
    named = [key for key in _ITEMS if isinstance(values, Mapping) and key in values]
    if len(named) != 1:
        raise PydanticCustomError("step", "a step needs exactly one of {keys}", {"keys": ", ".join(_ITEMS)})
    return _ITEMS[named[0]].model_validate(values)


AnyItem = Annotated[SerializeAsAny[RecipeItem], BeforeValidator(_parse_item)]
"""One item of a recipe."""


@final
class EditItem(RecipeItem):
    """One edit."""

    edit: AnyEdit
    """The edit and its settings."""

    def drawn(self, rng: np.random.Generator) -> list[Spec]:  # noqa: ARG002 - the edit draws itself later
        """Return the edit."""
        return [self.edit]

    @property
    def edits(self) -> tuple[Spec, ...]:
        """The edit."""
        return (self.edit,)


@final
class ChoiceItem(RecipeItem):
    """One of several items."""

    choice: tuple[AnyItem, ...] = Field(min_length=1)
    """Items, drawn by weight."""

    def drawn(self, rng: np.random.Generator) -> list[Spec]:
        """Draw an item, and its edits; raises `EditError` where all weights are 0."""
        weights = np.array([item.weight for item in self.choice])
        if weights.sum() <= 0:
            raise EditError("a choice whose weights are all 0", "a positive weight")
        return self.choice[int(rng.choice(len(self.choice), p=weights / weights.sum()))].drawn(rng)

    @property
    def edits(self) -> tuple[Spec, ...]:
        """Edits of all items."""
        return tuple(edit for item in self.choice for edit in item.edits)


@final
class SequenceItem(RecipeItem):
    """Several items in order."""

    sequence: tuple[AnyItem, ...]
    """Items; none does nothing."""

    def drawn(self, rng: np.random.Generator) -> list[Spec]:
        """Draw the edits of each item."""
        return [edit for item in self.sequence for edit in item.drawn(rng)]

    @property
    def edits(self) -> tuple[Spec, ...]:
        """Edits of all items."""
        return tuple(edit for item in self.sequence for edit in item.edits)


@final
class RepeatItem(RecipeItem):
    """An item done several times."""

    repeat: AnyItem
    """The item."""
    count: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    """Fewest and most times."""

    def drawn(self, rng: np.random.Generator) -> list[Spec]:
        """Draw how often, and the edits of each time."""
        times = int(rng.integers(self.count[0], max(self.count) + 1))
        return [edit for _ in range(times) for edit in self.repeat.drawn(rng)]

    @property
    def edits(self) -> tuple[Spec, ...]:
        """Edits of the item."""
        return self.repeat.edits


_ITEMS: dict[str, type[RecipeItem]] = {
    "edit": EditItem,
    "choice": ChoiceItem,
    "sequence": SequenceItem,
    "repeat": RepeatItem,
}


@final
class RecipeSpec(Spec):
    """A recipe for new lesions."""

    name: str
    """Short name."""
    about: str = ""
    """Where it comes from and what it deviates in."""
    steps: tuple[AnyItem, ...]
    """Steps in order."""
    attempts: int = Field(5, ge=1, le=1000)
    """How often the whole recipe is drawn anew when an edit finds no valid parameters."""


def edit_labels(
    labels: LabelMap,
    recipe: RecipeSpec,
    seed: int | np.random.Generator = 1,
    donors: DonorSource | None = None,
) -> tuple[LabelMap, tuple[EditRecord, ...]]:
    """Draw and apply a recipe.

    Args:
        labels: Complete map; not changed.
        recipe: What to do.
        seed: Seed of all draws, or the generator that makes them.
        donors: Lesions of training subjects, for edits that need some.

    Returns:
        The edited map, and the records that lead to it.

    Raises:
        EditError: No attempt found valid parameters for every edit.
        LabelError: The map is not complete.
    """
    rng = np.random.default_rng(seed)
    reasons: list[str] = []
    for _ in range(recipe.attempts):
        try:
            return _run(labels, recipe, rng, donors)
        except EditError as error:
            reasons.append(str(error))
    raise EditError(
        f"recipe {recipe.name!r} failed {recipe.attempts} times: {'; '.join(dict.fromkeys(reasons))}",
        "an edit that suits the map",
        "widen its ranges or make them milder, or leave the case out",
    )


def replay(labels: LabelMap, records: Iterable[EditRecord], donors: DonorSource | None = None) -> LabelMap:
    """Apply recorded edits again, in order; no records give the map back.

    Raises:
        EditError: Donors of a record are missing or have changed.
        SpecError: A record names an unknown edit.
    """
    for record in records:
        labels = Edit.of_kind(record.kind, donors).apply(labels, record)
    return labels


def kinds_of(recipe: RecipeSpec) -> frozenset[str]:
    """Kinds of all edits that a recipe may draw."""
    return frozenset(str(getattr(edit, "kind", "")) for item in recipe.steps for edit in item.edits)


def draw_edits(recipe: RecipeSpec, rng: np.random.Generator) -> tuple[Spec, ...]:
    """Edits of one draw of a recipe, in order."""
    return tuple(edit for item in recipe.steps for edit in item.drawn(rng))


def _run(
    labels: LabelMap, recipe: RecipeSpec, rng: np.random.Generator, donors: DonorSource | None
) -> tuple[LabelMap, tuple[EditRecord, ...]]:
    """One attempt at a recipe."""
    records = []
    for spec in draw_edits(recipe, rng):
        edit = Edit(spec, donors)
        record = edit.draw(labels, rng)
        labels = edit.apply(labels, record)
        records.append(record)
    return labels, tuple(records)


def recipe_files() -> dict[str, Traversable]:
    """Return the recipes that come with Glioforge by their names, in alphabetical order."""
    folder = files("glioforge.lesions") / "recipes"
    found = (file for file in folder.iterdir() if file.name.endswith(".yaml"))
    return {file.name.removesuffix(".yaml"): file for file in sorted(found, key=lambda file: file.name)}


def load_recipe(recipe: str, overrides: Iterable[str] = ()) -> RecipeSpec:
    """Read a recipe of lesion edits.

    Args:
        recipe: Name of a recipe that comes with Glioforge, such as `default`, or path of a YAML file.
        overrides: `a.b=c` pairs that replace single keys.

    Raises:
        SpecError: There is no recipe of this name, the file cannot be read, or a key or value is wrong.

    Example:
        >>> load_recipe("default", ["attempts=2"]).attempts
        2
    """
    with as_file(named_file(recipe, recipe_files(), "recipe")) as path:
        return load_spec(path, RecipeSpec, overrides)
