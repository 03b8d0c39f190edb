"""Promises of the weights' reader: whatever is sent is refused in one sentence, and before memory is taken for it."""

import os
import tracemalloc

import pytest
import torch
from torch import nn

from glioforge.core.errors import InputFileError
from glioforge.training import weights
from glioforge.training.snapshots import load_snapshots
from glioforge.training.weights import built_to_fit, decode, read_outline, read_some, read_weights, write_weights
from hostile import MISFITS, NOT_WHOLE, entry, file_of


class Two(nn.Module):
    """Two numbers."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(2))


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_is_no_whole_file_is_refused_by_every_reader(tmp_path, name):
    """As weights, as an outline, as a checkpoint's bytes, in part; little memory is asked for."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(NOT_WHOLE[name])
    readers = (
        lambda: read_weights(path, Two()),
        lambda: read_outline(path),
        lambda: decode(NOT_WHOLE[name], path),
        lambda: read_some(path, "a", 100),
        lambda: built_to_fit(Two, path),
    )
    tracemalloc.start()
    for reader in readers:
        with pytest.raises(InputFileError, match="not a whole safetensors file") as caught:
            reader()
        assert caught.value.where == str(path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize("name", MISFITS)
def test_what_is_another_networks_file_is_refused(tmp_path, name):
    """And the network keeps its own numbers."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(MISFITS[name])
    network = Two()
    with pytest.raises(InputFileError, match="weights that do not fit the network at|not a whole safetensors file"):
        read_weights(path, network)
    assert network.a.tolist() == [0, 0]


def test_what_is_no_regular_file_does_not_block(tmp_path):
    """A pipe, a folder, nothing."""
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "a pipe"), ("", "a folder"), ("absent", "No such file")):
        with pytest.raises(InputFileError, match=words):
            read_weights(tmp_path / name, Two())


def test_a_file_larger_than_any_network_is_not_read(tmp_path, monkeypatch):
    """A sparse file costs its sender nothing."""
    with (tmp_path / "huge").open("wb") as file:
        file.write(file_of(entry(shape=[2**40], data_offsets=[0, 2**42]), b""))
        file.truncate(2**42)
    for reader in (read_outline, lambda path: read_weights(path, Two()), lambda path: built_to_fit(Two, path)):
        with pytest.raises(InputFileError, match=f"a file of {2**42} bytes; expected at most {2**33} bytes"):
            reader(tmp_path / "huge")


def test_only_small_parts_are_read(tmp_path):
    """Of what has the prefix; the rest is not counted."""
    path = tmp_path / "weights.safetensors"
    write_weights(path, {"small/a": torch.ones(3), "large/b": torch.ones(300)})
    assert {name: value.tolist() for name, value in read_some(path, "small/", 12).items()} == {"small/a": [1, 1, 1]}
    with pytest.raises(InputFileError, match="1200 bytes below 'large/'; expected at most 1000"):
        read_some(path, "large/", 1000)


def test_a_network_is_built_only_when_its_outline_fits(tmp_path):
    """A spec of a million channels meets a small file: nothing is allocated."""
    path = tmp_path / "weights.safetensors"
    write_weights(path, {"net/weight": torch.ones(2, 2), "net/bias": torch.ones(2)})
    assert built_to_fit(lambda: nn.Linear(2, 2), path, "net/").weight.device.type == "cpu"
    with pytest.raises(InputFileError, match="do not fit the network at bias, weight"):
        built_to_fit(lambda: nn.Linear(2**20, 2**22), path, "net/")
    with pytest.raises(InputFileError, match="a spec that no network can be built from"):
        built_to_fit(lambda: nn.Linear(-1, 2**62), path, "net/")


def test_snapshots_named_outside_their_folder_are_not_read(tmp_path):
    """A step is a number: no path can be written there."""
    (tmp_path / "done.json").write_text('{"key": {}, "facts": {"snapshots": [{"step": "../../x", "weights": "0"}]}}')
    with pytest.raises(InputFileError, match="a list of snapshots that cannot be read"):
        load_snapshots(tmp_path)
    (tmp_path / "done.json").write_text('{"key": {}, "facts": {"snapshots": 7}}')
    with pytest.raises(InputFileError, match="a list of snapshots that cannot be read"):
        load_snapshots(tmp_path)


def test_the_limits_leave_room_for_the_papers_networks():
    """SPADE of the paper has under 400 MiB of weights."""
    assert weights.MAX_WEIGHTS > 10 * 400 * 2**20
