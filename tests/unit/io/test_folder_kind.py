"""A folder of the wrong kind is refused by what it holds, whatever verb it is given to."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.core.cohort import Cohort
from glioforge.core.errors import GlioforgeError
from glioforge.core.schemes import COMPLETE
from glioforge.io.cohort_file import write_cohort
from glioforge.io.folder_kind import kind_of_folder

CARDS = {
    "a synthesizer": {"kind": "spade", "weights": "0", "format": 2},
    "a segmenter": {"type": "segmenter", "version": 1},
    "a sampler": {"family": "sampler", "kind": "noise"},
}
FILES = {"a cohort": "cohort.json", "a study": "study.json", "an evaluation of masks": "summary.json"}
KINDS = [*CARDS, *FILES]
MODELS = {"segment": {"a segmenter"}, "synthesize": {"a synthesizer"}}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """A folder of each kind, with the file that says so."""
    made = {kind: tmp_path / kind.replace(" ", "_") for kind in KINDS}
    for kind, folder in made.items():
        folder.mkdir()
        values = CARDS.get(kind, {})
        (folder / FILES.get(kind, "card.json")).write_text(json.dumps(values))
    write_cohort(Cohort("none", (), COMPLETE), made["a cohort"])
    return made


def refusal(*words: object) -> GlioforgeError:
    """The typed error of a verb."""
    with pytest.raises(GlioforgeError) as caught:
        CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return caught.value


def test_each_kind_is_told_by_its_files(folders: dict[str, Path], tmp_path: Path) -> None:
    """Other folders are of no known kind, also where a card is damaged."""
    assert {kind: kind_of_folder(folder) for kind, folder in folders.items()} == {kind: kind for kind in KINDS}
    (tmp_path / "card.json").write_text("{")
    assert kind_of_folder(tmp_path) is None


@pytest.mark.parametrize("verb", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_verb_that_takes_a_model_names_what_it_was_given(folders: dict[str, Path], verb: str, kind: str) -> None:
    """Before any scan is prepared; a model of the right kind is read, and here found damaged."""
    error = refusal(verb, folders[kind], folders["a cohort"], "--out", folders[kind].parent / "out")
    if kind in MODELS[verb]:
        assert "this is" not in error.found
    else:
        assert str(error).startswith(f"{folders[kind]}: this is {kind}; expected a s")
        assert "name the folder that `glioforge train` wrote from a YAML with" in error.remedy
    assert not (folders[kind].parent / "out").exists()


@pytest.mark.parametrize("kind", [*CARDS, "a study"])
@pytest.mark.parametrize("verb", ["edit", "train", "join", "prepare", "ingest", "export"])
def test_a_verb_that_takes_a_cohort_or_scans_does_too(folders: dict[str, Path], verb: str, kind: str) -> None:
    """A model or a study is neither."""
    recipe = folders[kind].parent / "spade.yaml"
    recipe.write_text("synthesizer: painted\n")
    before = {"train": [recipe]}.get(verb, [])
    after = {"edit": ["--recipe", "default"], "export": ["--as", "nifti"], "join": [folders["a cohort"]]}.get(verb, [])
    error = refusal(verb, *before, folders[kind], *after, "--out", folders[kind].parent / "out")

    assert error.found == f"this is {kind}"
    assert "a cohort" in error.expected or "a folder of scans" in error.expected
    assert not (folders[kind].parent / "out").exists()


def test_the_doctor_says_so_too(folders: dict[str, Path]) -> None:
    """As its one finding."""
    result = CliRunner().invoke(app, ["doctor", str(folders["a segmenter"])], env={"COLUMNS": "200"})

    assert result.exit_code == 1
    assert "this is a segmenter" in result.output


def test_masks_and_folders_that_are_not_there(folders: dict[str, Path], tmp_path: Path) -> None:
    """A model is no folder of masks; a path that leads nowhere is said to, before scans are read."""
    (tmp_path / "scans").mkdir()
    out = tmp_path / "out"
    masks = refusal("evaluate", folders["a segmenter"], folders["a cohort"], "--out", out)
    gone = refusal("segment", tmp_path / "gone", tmp_path / "scans", "--out", out)

    assert (masks.found, masks.expected) == ("this is a segmenter", "a folder of masks")
    assert (gone.found, gone.expected) == ("no such folder", "the folder of a segmenter")
