"""Recipes from files: those that come with the package, by name, and a user's own, by path."""

from collections.abc import Iterable
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable

from glioforge.config.load import load_spec
from glioforge.config.shipped import named_file
from glioforge.lesions.recipe import RecipeSpec


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
