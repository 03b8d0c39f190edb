"""Promises of the reader of segmenters: a folder that somebody sent is read or refused, never run, never trusted."""

import json
import shutil

import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import InputFileError
from glioforge.segmentation.base import load_segmenter, train_segmenter
from glioforge.segmentation.methods.unet import UNetSpec
from glioforge.training.budget import Budget
from hostile import NOT_A_CARD, NOT_WHOLE, forge_card
from toy_cohort import toy_cohort


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny U-Net after one step."""
    folder = tmp_path_factory.mktemp("segmenter")
    train_segmenter(
        toy_cohort([1, 2]),
        toy_cohort([3], "validation"),
        UNetSpec(widths=(4, 8), batch_size=2, augment=None),
        folder,
        seed=1,
        budget=Budget(steps=1, validate_every=1),
        accelerator=AcceleratorSpec(device="cpu", precision="32-true", threads=1),
    )
    return folder


@pytest.fixture
def folder(model, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(model, tmp_path / "copy")


@pytest.mark.parametrize("name", NOT_A_CARD)
def test_what_is_no_card_is_refused(folder, name):
    """In one sentence that names the file."""
    (folder / "card.json").write_bytes(NOT_A_CARD[name])
    with pytest.raises(InputFileError) as caught:
        load_segmenter(folder)
    assert caught.value.where == str(folder / "card.json")


@pytest.mark.parametrize("name", ["pickle", "file of torch.save", "4 EiB", "cut short", "header of 4 EiB"])
def test_weights_that_are_none_are_refused(folder, name):
    """Before they are hashed."""
    (folder / "weights.safetensors").write_bytes(NOT_WHOLE[name])
    with pytest.raises(InputFileError, match="not a whole safetensors file"):
        load_segmenter(folder)


def test_cards_of_another_version_are_named(folder):
    """An old folder is not read as if it were new."""
    forge_card(folder, format=99)
    with pytest.raises(InputFileError, match=r"card\.json: a card of format 99; expected format 3; use the release"):
        load_segmenter(folder)


def test_cards_of_endless_length_are_not_read(folder):
    """A sparse file of a terabyte."""
    with (folder / "card.json").open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(InputFileError, match=f"a file of {2**40} bytes; expected at most {2**25} bytes"):
        load_segmenter(folder)


def test_a_network_of_endless_width_is_not_built(folder):
    """Its outline does not fit the small file."""
    spec = json.loads((folder / "card.json").read_text())["spec"]
    forge_card(folder, spec={**spec, "widths": [2**24, 2**25]})
    with pytest.raises(InputFileError, match="weights that do not fit the network at"):
        load_segmenter(folder)


@pytest.mark.parametrize(
    "entries",
    [
        {"spec": {"kind": "magic"}},
        {"spec": 7},
        {"modalities": ["x-ray"]},
        {"modalities": 3},
        {"modalities": "t1"},
        {"files": {"a": "0", "b": "0"}},
        {"files": {"a": "0"}},
        {"files": {}},
        {"files": {"../weights.safetensors": "0"}},
        {"files": {"/weights.safetensors": "0"}},
        {"files": []},
        {"training": {"precision": "32-true", "outcome": {"steps": 1}}},
        {"training": {"precision": "32-true", "outcome": []}},
        {"training": {"precision": "32-true", "outcome": None}},
        {"training": None},
        {"preparations": 1},
        {"lineage": {"subjects": ["s01"]}},
        {"lineage": 7},
        {"scheme": {"labels": 3}},
        {"grid": {"shape": [1, 2]}},
    ],
)
def test_entries_of_the_wrong_kind_are_refused(folder, entries):
    """As a damaged card."""
    forge_card(folder, **entries)
    with pytest.raises(InputFileError, match="a damaged card"):
        load_segmenter(folder)


def test_an_honest_copy_is_read(folder):
    """The tests above refuse nothing by mistake."""
    assert load_segmenter(folder).modalities
