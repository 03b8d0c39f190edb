"""A run folder keeps the precision and the threads that it began with, whatever machine goes on with it."""

import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import InputFileError, OutputError
from glioforge.io.run_accelerator import kept_of, remembered, settled
from glioforge.io.run_folder import STARTED, Step, write_json
from toy_processors import pretend

OPEN = AcceleratorSpec(device="cpu")


def begin(folder, asked):
    """Begin a step as a training does, its precision in the key."""
    found = settled(asked, folder)
    with Step(folder, {"precision": found.precision}, kept=kept_of(found)) as step:
        return step, found


def test_a_new_folder_takes_what_the_machine_gives(monkeypatch, tmp_path):
    """And leaves open what is left to a model."""
    pretend(monkeypatch, "AVX2")

    assert remembered(OPEN, tmp_path / "new") == OPEN
    assert settled(OPEN, tmp_path / "new").precision == "32-true"
    assert settled(OPEN, tmp_path / "new").threads >= 1


@pytest.mark.filterwarnings("ignore::glioforge.compute.precision.EmulatedPrecisionWarning")
@pytest.mark.parametrize("names", [("AVX2", "AVX-512 BF16"), ("AVX-512 BF16", "AVX2")])
def test_a_begun_folder_goes_on_as_it_began(monkeypatch, tmp_path, names):
    """On a processor of the other kind, with other threads."""
    pretend(monkeypatch, names[0])
    _, first = begin(tmp_path, OPEN.model_copy(update={"threads": 3}))
    pretend(monkeypatch, names[1])
    _, second = begin(tmp_path, OPEN)

    assert second == first
    assert second.threads == 3


def test_an_explicit_precision_is_another_run(monkeypatch, tmp_path):
    """The folder is refused as for any other setting, and stays as it was."""
    pretend(monkeypatch, "AVX-512 BF16")
    _, first = begin(tmp_path, OPEN)
    with pytest.raises(OutputError, match='precision was "bf16-mixed", is now "32-true"; expected the same settings'):
        begin(tmp_path, OPEN.model_copy(update={"precision": "32-true"}))

    assert settled(OPEN, tmp_path) == first


def test_explicit_threads_are_taken_and_remembered(tmp_path):
    """They are no part of the key."""
    begin(tmp_path, OPEN.model_copy(update={"threads": 2}))
    begin(tmp_path, OPEN.model_copy(update={"threads": 5}))
    _, third = begin(tmp_path, OPEN)

    assert third.threads == 5


def test_a_finished_folder_is_left_alone(tmp_path):
    """What it was made with stays written there."""
    with Step(tmp_path, {}, kept={"threads": 2}) as step:
        step.finish()
    with Step(tmp_path, {}, kept={"threads": 3}):
        pass

    assert Step.kept_in(tmp_path) == {"threads": 2}
    assert Step.kept_in(tmp_path / "none") == {}


@pytest.mark.parametrize("kept", [{"precision": "16-mixed"}, {"threads": "many"}])
def test_a_damaged_memory_is_an_error(tmp_path, kept):
    """It is named, not passed over."""
    write_json(tmp_path / STARTED, {"key": {}, "kept": kept})

    with pytest.raises(InputFileError, match="a marker that remembers .*; expected precision and threads; delete"):
        remembered(OPEN, tmp_path)
