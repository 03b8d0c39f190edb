"""Recipes by name or by path."""

import pytest

from glioforge.core.errors import SpecError
from glioforge.lesions.recipe import load_recipe, recipe_files


def test_a_name_and_a_path_are_read_alike(tmp_path):
    """A copy of a recipe that comes along is the same recipe; single keys can be replaced in both."""
    copy = tmp_path / "mine.yaml"
    copy.write_bytes(recipe_files()["default"].read_bytes())

    assert load_recipe(str(copy)) == load_recipe("default")
    assert load_recipe("default", ["attempts=3"]) == load_recipe(str(copy), ["attempts=3"])


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path, monkeypatch):
    """Also where a file of that name lies about; a path that is not there is named as a path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "defualt").write_text("name: mine\nsteps: []\n")
    with pytest.raises(SpecError, match=r"recipe 'defualt', did you mean 'default'\?; expected one of carver, default"):
        load_recipe("defualt")
    with pytest.raises(SpecError, match=r"nowhere\.yaml: no such file"):
        load_recipe("nowhere.yaml")
