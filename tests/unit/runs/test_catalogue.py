"""The list of what can be chosen."""

from glioforge.core.schemes import scheme_named
from glioforge.lesions.recipe import recipe_files
from glioforge.runs.catalogue import catalogue


def test_recipes_are_listed_by_name_with_what_they_do():
    """So that `--recipe` can be given without a look into the package."""
    listed = {entry.kind: entry.summary for entry in catalogue() if entry.family == "recipe"}

    assert list(listed) == list(recipe_files())
    assert all(listed.values())
    assert "Shin et al. 2018" in listed["shin2018"]


def test_schemes_are_listed_with_their_integers():
    """What `--scheme` takes by name, long lists shortened."""
    listed = {entry.kind: entry.summary for entry in catalogue() if entry.family == "scheme"}

    assert listed["brats2017"] == "necrotic_core=1, oedema=2, enhancing=4"
    assert listed["freesurfer"].endswith(" more")
    assert all(scheme_named(name) for name in listed)
