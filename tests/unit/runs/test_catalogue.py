"""The list of what can be chosen."""

from glioforge.lesions.recipe_file import recipe_files
from glioforge.runs.catalogue import catalogue


def test_recipes_are_listed_by_name_with_what_they_do():
    """So that `--recipe` can be given without a look into the package."""
    listed = {entry.kind: entry.summary for entry in catalogue() if entry.family == "recipe"}

    assert list(listed) == list(recipe_files())
    assert all(listed.values())
    assert "Shin et al. 2018" in listed["shin2018"]
