"""A YAML file that does not fit is refused in plain words: its key and value, or what it is for."""

from pathlib import Path

import pytest

from glioforge.config.load import load_spec, parse_spec, with_overrides
from glioforge.core.errors import SpecError
from glioforge.io.layout import LayoutChoice
from glioforge.lesions.recipe import RecipeSpec
from glioforge.runs.train import TrainingRunSpec
from glioforge.studies.question import load_study

TRAINING = "synthesizer: {kind: sound}\n"
RECIPE = "name: r\nsteps: [{edit: {kind: translate}}]\n"
STUDY = "kind: augmentation\nname: x\ntitle: y\nsynthesizer: {kind: sound}\n"


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [
        (RECIPE, TrainingRunSpec, "recipe of edits .it has steps:.; expected a training; run: glioforge edit COHORT"),
        (STUDY, TrainingRunSpec, "a study .it has kind:.; expected a training; run: glioforge study"),
        (STUDY, RecipeSpec, "a study .it has kind:.; expected a recipe of edits"),
        (TRAINING, RecipeSpec, "a training .it has synthesizer:.; expected a recipe of edits; run: glioforge train"),
    ],
)
def test_a_file_for_another_verb_is_named(tmp_path: Path, text: str, spec: type, message: str) -> None:
    """With the command that reads it."""
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(SpecError, match=message):
        load_spec(path, spec)


def test_a_training_is_no_study(tmp_path: Path) -> None:
    """Although a study has a synthesizer too."""
    path = tmp_path / "generator.yaml"
    path.write_text(TRAINING, encoding="utf-8")

    with pytest.raises(
        SpecError, match=r"a training .*; expected a study; run: glioforge train .*generator.yaml COHORT"
    ):
        load_study(path)


def test_an_option_is_not_named_twice_and_has_no_keys_to_fix() -> None:
    """`--layout foo` is one wrong word."""
    with pytest.raises(SpecError, match=r"^--layout: layout 'foo'; expected one of bids,") as caught:
        parse_spec({"layout": "foo"}, LayoutChoice, where="--layout")

    assert "fix these keys" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """As when arguments are given in the wrong order."""
    with pytest.raises(SpecError, match="a folder; expected a YAML file; check the order of the arguments"):
        load_spec(tmp_path, TrainingRunSpec)


def test_broken_overrides_name_the_place() -> None:
    """In words of their own, without the name of PyYAML's stream."""
    with pytest.raises(SpecError, match="not YAML in line 1, column 3") as caught:
        with_overrides({}, ["shape=[1"])

    assert "<" not in str(caught.value).split("but got")[0]
