"""Promises of the folder of a trained synthesizer: what is changed is refused by name."""

import pytest
from safetensors.torch import load_file, save_file

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import InputFileError
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.training.weights import digest
from hostile import forge_card
from toy_cohort import toy_cohort


@pytest.fixture
def folder(tmp_path):
    """The control, trained on two toys."""
    spec = SYNTHESIZERS.parse("painted")
    train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path, seed=1, accelerator=AcceleratorSpec(device="cpu"))
    return tmp_path


def refused(folder, words):
    """Loading says these words and names a file of the folder."""
    with pytest.raises(InputFileError, match=words) as caught:
        load_synthesizer(folder)
    assert str(folder) in str(caught.value.where)


def test_unfinished_folder_is_not_read(folder):
    """Without its card a folder is no model."""
    (folder / "card.json").unlink()
    refused(folder, "no finished synthesizer")


def test_card_of_another_format_is_refused(folder):
    """What a later release wrote is not read as if it were of today."""
    forge_card(folder, format=99)
    refused(folder, "a card of format 99; expected format 3; use the release of Glioforge that wrote it")


def test_spec_of_no_known_kind_is_refused(folder):
    """By its name."""
    forge_card(folder, kind="magic")
    refused(folder, "a damaged card .*synthesizer 'magic'")


def test_changed_weights_are_refused(folder):
    """One bit is enough."""
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    refused(folder, "weights with hash")


def test_card_and_statistics_that_do_not_fit_are_refused(folder):
    """Contrasts of the card against columns of the statistics."""
    forge_card(folder, modalities=["t1"])
    refused(folder, "a card that does not fit its weights")


def test_statistics_that_are_missing_are_refused(folder):
    """Even if the hash was forged."""
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    save_file({name: value for name, value in tensors.items() if "means" not in name}, path)
    forge_card(folder, files={"weights.safetensors": digest(path.read_bytes())})
    refused(folder, "a card that does not fit its weights")
