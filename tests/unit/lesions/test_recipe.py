"""Recipes: read by name or by path, drawn as weighed, replayed as recorded, refused with the key that is wrong."""

import numpy as np
import pytest

from glioforge.config.load import load_spec, parse_spec, resolved_yaml
from glioforge.core.errors import EditError, SpecError
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import EditRecord
from glioforge.lesions.edited_cohort import donors_of, edited_lineage, subjects_of
from glioforge.lesions.recipe import RecipeSpec, draw_edits, edit_labels, kinds_of, load_recipe, recipe_files, replay
from toy_brain import toy_bank, toy_brain

BRAIN = toy_brain(radii=(16.0, 11.0, 6.0))


def recipe(*steps, **values):
    """A recipe of these steps."""
    return parse_spec({"name": "test", "steps": list(steps), **values}, RecipeSpec)


def rng(seed=0):
    """A generator."""
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", recipe_files())
def test_every_recipe_that_comes_along_edits_a_brain_and_replays(name):
    """Recipes after published studies run as they stand."""
    spec, bank = load_recipe(name), toy_bank()
    assert spec.name == name
    for seed in range(3):
        labels, records = edit_labels(BRAIN, spec, rng(seed), bank)

        assert records
        assert np.array_equal(replay(BRAIN, records, bank).voxels, labels.voxels)
        assert np.count_nonzero(labels.voxels) == pytest.approx(np.count_nonzero(BRAIN.voxels), rel=0.1)
        assert np.array_equal(labels.voxels == 0, BRAIN.voxels == 0) or "warp_brain" in kinds_of(spec)


def test_there_are_presets():
    """Those of the published studies are there."""
    assert {"default", "shin2018", "carver", "guo2020", "healthy"} <= set(recipe_files())


def test_a_recipe_survives_yaml(tmp_path):
    """The resolved recipe loads to the same recipe."""
    spec = load_recipe("carver")
    file = tmp_path / "resolved.yaml"
    file.write_text(resolved_yaml(spec), encoding="utf-8")

    assert load_spec(file, RecipeSpec) == spec


def test_a_choice_follows_its_weights():
    """Three to one is three to one."""
    spec = recipe({"choice": [{"weight": 3, "edit": "mirror"}, {"weight": 1, "sequence": []}]})
    drawn = sum(len(draw_edits(spec, rng(seed))) for seed in range(400))

    assert 260 < drawn < 340


def test_a_step_can_be_repeated_and_nested():
    """Between two counts, each at least once."""
    spec = recipe({"repeat": {"sequence": [{"edit": "mirror"}, {"edit": "remove"}]}, "count": [0, 2]})

    assert {len(draw_edits(spec, rng(seed))) for seed in range(30)} == {0, 2, 4}
    assert kinds_of(spec) == {"mirror", "remove"}


def test_no_steps_give_the_map_back():
    """An empty recipe does nothing; so do no records."""
    labels, records = edit_labels(BRAIN, recipe(), rng())

    assert labels is BRAIN
    assert records == ()
    assert replay(BRAIN, ()) is BRAIN


def test_several_lesions_come_from_several_insertions():
    """Two donors make a multifocal case, whose lineage names both."""
    spec = recipe({"repeat": {"edit": {"kind": "insert"}}, "count": [2, 2]}, attempts=5)
    labels, records = edit_labels(toy_brain(centre=None), spec, rng(1), toy_bank())
    lineage = edited_lineage({"healthy": Lineage.real("here", "h")}, records, seed=1)

    assert len(records) == 2
    assert labels.lesion.any()
    assert set(lineage.subjects) == {"h", *subjects_of(records)}
    assert lineage.ways == {"lesion donor of an edit": subjects_of(records)}
    assert set(lineage.parents) == {"healthy", *donors_of(records)}
    assert [edit["kind"] for edit in lineage.edits] == ["insert", "insert"]


def test_parts_can_be_edited_alone():
    """Of two lesions the largest is moved and the other stays."""
    voxels = BRAIN.voxels.copy()
    voxels[26:28, 20:22, 20:22] = 3
    both = BRAIN.with_voxels(voxels)
    largest, record = edit_labels(both, recipe({"edit": {"kind": "remove", "part": "largest"}}), rng())
    parts = {r.values["part"] for seed in range(40) for r in _part_records(both, seed)}

    assert largest.lesion.sum() == 8
    assert record[0].values["part"] == 0
    assert parts <= {0, 1}
    assert 0 in parts


def _part_records(labels, seed):
    return edit_labels(labels, recipe({"edit": {"kind": "remove", "part": "random"}}), rng(seed))[1]


def test_what_cannot_be_done_says_why():
    """No donors, no valid place, no weight: each with its reason, after bounded attempts."""
    with pytest.raises(EditError, match="recipe 'test' failed 2 times: no donor lesions"):
        edit_labels(BRAIN, recipe({"edit": "transplant"}, attempts=2), rng())
    far = recipe({"edit": {"kind": "translate", "distance_mm": [900, 901]}}, attempts=1)
    with pytest.raises(EditError, match="no valid place"):
        edit_labels(BRAIN, far, rng())
    with pytest.raises(EditError, match="a choice whose weights are all 0"):
        edit_labels(BRAIN, recipe({"choice": [{"weight": 0, "edit": "mirror"}]}), rng())
    with pytest.raises(SpecError, match="edit 'teleport'"):
        replay(BRAIN, [EditRecord("teleport", {})])


def test_wrong_recipes_name_the_key():
    """Two keys in one step, an unknown edit, a typing error."""
    with pytest.raises(SpecError, match="a step needs exactly one of edit, choice, sequence, repeat"):
        recipe({"edit": "mirror", "sequence": []})
    with pytest.raises(SpecError, match="did you mean 'mirror'"):
        recipe({"edit": "miror"})
    with pytest.raises(SpecError, match="unknown key"):
        recipe({"edit": {"kind": "translate", "distance": [1, 2]}})


def test_steps_can_be_built_in_python():
    """A parsed step may be handed in again."""
    spec = recipe({"edit": "mirror"})

    assert RecipeSpec(name="again", steps=spec.steps).steps == spec.steps


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
