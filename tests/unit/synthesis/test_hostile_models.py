"""Promises of the reader of synthesizers: a folder that somebody sent is read or refused, never run, never trusted."""

import json
import shutil

import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import InputFileError
from glioforge.io.folder_kind import MAX_CARD
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.training.weights import digest
from hostile import MISFITS, NOT_A_CARD, NOT_WHOLE, forge_card
from toy_cohort import toy_cohort

TINY = {
    "kind": "spade",
    "ngf": 2,
    "hidden": 4,
    "critic_width": 2,
    "critic_layers": 2,
    "batch_size": 2,
    "budget": {"steps": 1, "validate_every": 1, "samples": False},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny generator after one step."""
    folder = tmp_path_factory.mktemp("model")
    plain = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
    train_synthesizer(toy_cohort([1, 2]), None, SYNTHESIZERS.parse(TINY), folder, seed=1, accelerator=plain)
    return folder


@pytest.fixture
def folder(model, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(model, tmp_path / "copy")


def forge(folder, **spec):
    """Change the spec on the card."""
    forge_card(folder, spec={**json.loads((folder / "card.json").read_text())["spec"], **spec})


@pytest.mark.parametrize("name", NOT_A_CARD)
def test_what_is_no_card_is_refused(folder, name):
    """In one sentence that names the file."""
    (folder / "card.json").write_bytes(NOT_A_CARD[name])
    with pytest.raises(InputFileError) as caught:
        load_synthesizer(folder)
    assert caught.value.where == str(folder / "card.json")


@pytest.mark.parametrize("name", [*NOT_WHOLE, *MISFITS])
def test_weights_that_are_none_are_refused_though_the_card_has_their_hash(folder, name):
    """Whoever sends weights sends the card as well."""
    data = {**NOT_WHOLE, **MISFITS}[name]
    (folder / "weights.safetensors").write_bytes(data)
    forge_card(folder, files={"weights.safetensors": digest(data)})
    with pytest.raises(InputFileError, match="not a whole safetensors file|a card that does not fit its weights"):
        load_synthesizer(folder)


def test_cards_of_endless_length_are_not_read(folder):
    """A sparse file of a terabyte."""
    with (folder / "card.json").open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(InputFileError, match=f"a file of {2**40} bytes; expected at most {MAX_CARD} bytes"):
        load_synthesizer(folder)


def test_a_spec_of_endless_width_is_refused_before_a_network_is_built(folder, monkeypatch):
    """Networks without contents are compared; only one that fits is made."""
    forge(folder, ngf=2**24)
    made = []
    monkeypatch.setattr(torch.Tensor, "normal_", lambda self, *a, **k: made.append(self.device.type) or self)
    with pytest.raises(InputFileError, match="weights that do not fit the network at"):
        load_synthesizer(folder)
    assert set(made) <= {"meta"}
    forge(folder, ngf=2**62)
    with pytest.raises(InputFileError, match="a spec that no network can be built from"):
        load_synthesizer(folder)


@pytest.mark.parametrize(
    "entry", [{"modalities": "t1"}, {"modalities": [7]}, {"scheme": []}, {"scheme": {"labels": 3}}, {"scheme": None}]
)
def test_entries_of_the_wrong_kind_are_refused(folder, entry):
    """Each in the card's own name."""
    forge_card(folder, **entry)
    with pytest.raises(InputFileError, match="a damaged card|a card that does not fit its weights"):
        load_synthesizer(folder)


def test_an_honest_copy_is_read(folder):
    """The tests above refuse nothing by mistake."""
    assert load_synthesizer(folder).kind == "spade"
