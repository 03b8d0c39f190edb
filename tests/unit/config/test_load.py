"""Reading specs: wrong keys by their path, overrides, plain YAML only, refusals in plain words."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st
from pydantic import Field

from glioforge.config.load import load_spec, parse_spec, resolved_yaml, with_overrides
from glioforge.config.spec import Spec
from glioforge.core.errors import SpecError
from glioforge.io.layout import LayoutChoice
from glioforge.lesions.recipe import RecipeSpec
from glioforge.runs.train import TrainingRunSpec
from glioforge.studies.question import load_study
from strategies import names


class Inner(Spec):
    """A nested spec."""

    rate: float = 0.1
    """A number."""
    steps: int = Field(10, ge=1)
    """A positive integer."""


class Outer(Spec):
    """A spec with a nested one and a list."""

    name: str
    """A text without default."""
    inner: Inner = Inner()
    """The nested spec."""
    sizes: list[int] = Field(default_factory=lambda: [1, 2])
    """A list."""


@pytest.fixture
def written(tmp_path):
    """Write a text as a YAML file."""

    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_and_overrides_make_a_spec(written):
    """Overrides replace single keys; everything else keeps its default."""
    spec = load_spec(written("name: x\ninner: {rate: 0.5}\nsizes: [1, 2]\n"), Outer, ["inner.steps=7", "sizes.1=9"])

    assert spec == Outer(name="x", inner=Inner(rate=0.5, steps=7), sizes=[1, 9])


@given(st.builds(Outer, name=names, inner=st.builds(Inner, rate=st.floats(-9, 9), steps=st.integers(1, 99))))
def test_resolved_yaml_round_trip(spec):
    """The YAML written into a run folder loads to the same spec, every default spelt out."""
    text = resolved_yaml(spec)

    assert parse_spec(yaml.safe_load(text), Outer) == spec
    assert all(key in text for key in ("name", "rate", "steps", "sizes"))


def test_specs_are_frozen():
    """A spec in use cannot be changed."""
    with pytest.raises(ValueError, match="frozen"):
        Inner().rate = 0.2


def test_field_docstrings_are_descriptions():
    """The text below a field is its description in reference and schema."""
    assert Inner.model_fields["steps"].description == "A positive integer."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ninner: {ratte: 1}", r"run.yaml: inner.ratte: unknown key, did you mean 'rate'\?; fix these keys"),
        ("name: x\nzzzzzz: 1", "run.yaml: zzzzzz: unknown key; fix these keys"),
        ("inner: {}", "run.yaml: name: missing; fix these keys"),
        (
            "name: x\ninner: {steps: 0, rate: a}",
            "inner.rate: 'a' should be a number; inner.steps: 0 should be greater than or equal to 1",
        ),
        ("name: x\nsizes: [1, a]", "sizes.1: 'a' should be an integer"),
        ("- name", "run.yaml: a list at the top; expected a mapping of keys to values"),
        ("", "run.yaml: a NoneType at the top"),
        ("name: [x", "run.yaml: not YAML in line 1, column 9: .*; expected plain YAML without tags, each key once"),
        (
            "name: !!python/object/apply:os.getcwd []",
            "run.yaml: not YAML in line 1, column 7: could not determine a constructor",
        ),
        ("name: x\ninner: {rate: 1, rate: 2}", r"run.yaml: not YAML in line 2, column 8: keys given twice.*\['rate'\]"),
    ],
)
def test_what_is_wrong_is_named(written, text, message):
    """Each message names file and key or line."""
    with pytest.raises(SpecError, match=f"(?s){message}"):
        load_spec(written(text), Outer)


def test_a_missing_file_is_named(tmp_path):
    """The message names the path; so it does for a file that is not text."""
    with pytest.raises(SpecError, match=r"none.yaml: no such file; expected a YAML file; check"):
        load_spec(tmp_path / "none.yaml", Outer)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    with pytest.raises(SpecError, match=r"latin.yaml: text that is not UTF-8"):
        load_spec(tmp_path / "latin.yaml", Outer)


@given(st.dictionaries(names, st.integers() | st.lists(st.integers()), min_size=1), st.data())
def test_an_override_changes_one_key(values, data):
    """All other keys keep their values; the values given are not changed."""
    key = data.draw(st.sampled_from(sorted(values)))
    before = dict(values)

    changed = with_overrides(values, [f"{key}=new"])

    assert changed == {**before, key: "new"}
    assert values == before


def test_overrides_make_what_is_missing():
    """A path is made where it leads through nothing, and a bare kind becomes a mapping."""
    assert with_overrides({}, ["a.b.c=[1, x]"]) == {"a": {"b": {"c": [1, "x"]}}}
    assert with_overrides({"method": "spade"}, ["method.width=4"]) == {"method": {"kind": "spade", "width": 4}}
    assert with_overrides({"arms": [{"n": 1}, {"n": 2}]}, ["arms.1.n=3"]) == {"arms": [{"n": 1}, {"n": 3}]}
    assert with_overrides({"arms": [{"n": 1}]}, ["arms.1={n: 2}"]) == {"arms": [{"n": 1}, {"n": 2}]}
    assert with_overrides({"a": None}, ["a.b="]) == {"a": {"b": None}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("a", "--set 'a'; expected the form a.b=c"),
        ("a..b=1", "--set 'a..b=1'; expected the form a.b=c"),
        ("=1", "--set '=1'; expected the form a.b=c"),
        ("n.m=1", r"--set 'n.m=1' \(.*\); expected the form a.b=c with c in YAML"),
        ("n.m.k=1", "--set 'n.m.k=1': 'm' lies below a int; expected keys of a mapping"),
        ("sizes.7=1", r"--set 'sizes.7=1' \(list assignment index out of range\)"),
        ("sizes.9.x=1", "--set 'sizes.9.x=1': '9' lies below a list"),
        ("a=[1", r"--set 'a=\[1': not YAML in line 1.*; expected the form a.b=c with c in YAML"),
    ],
)
def test_wrong_overrides_are_named(override, message):
    """The message repeats the override."""
    values: dict[str, Any] = {"n": 3, "sizes": [1, 2]}

    with pytest.raises(SpecError, match=f"(?s){message}"):
        with_overrides(values, [override])


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
