"""Promises of `studies.store`: the same content has the same folder, and links are made whole or not at all."""

import pytest

from glioforge.core.errors import OutputError
from glioforge.studies.store import address, placed, plain
from glioforge.training.budget import Budget


def test_an_address_depends_on_name_and_key_alone(tmp_path):
    """In whatever order the key is given, with every default of a spec."""
    first = address(tmp_path, "fit_it", plain({"budget": Budget(steps=3), "sides": ("train", "test")}))
    again = address(tmp_path, "fit_it", plain({"sides": ["train", "test"], "budget": Budget(steps=3)}))

    assert first == again
    assert first.name.startswith("fit-it-")
    assert address(tmp_path, "fit", plain({"budget": Budget(steps=3), "sides": ("train", "test")})) != first
    assert address(tmp_path, "fit_it", plain({"budget": Budget(steps=4), "sides": ("train", "test")})) != first


def test_a_place_is_linked_and_linked_again(tmp_path):
    """Relatively, so that a study can be moved with its store."""
    for name in ("one", "two"):
        (tmp_path / "run" / "tasks" / name).mkdir(parents=True)
        assert placed(tmp_path / "run" / "fold-0" / "a", tmp_path / "run" / "tasks" / name).name == name
    (tmp_path / "run").rename(tmp_path / "moved")

    assert (tmp_path / "moved" / "fold-0" / "a").resolve() == tmp_path / "moved" / "tasks" / "two"
    assert not list(tmp_path.rglob("*.partial"))


def test_a_real_folder_is_left_as_it_is(tmp_path):
    """Nothing is lost."""
    (tmp_path / "a").mkdir()
    assert placed(tmp_path / "a", tmp_path / "store") == tmp_path / "a"
    assert not (tmp_path / "a").is_symlink()


def test_a_place_below_a_file_is_refused(tmp_path):
    """With the remedy of every failed write."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        placed(tmp_path / "file" / "a", tmp_path / "store")
