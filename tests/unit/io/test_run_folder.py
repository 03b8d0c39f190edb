"""A step knows whether it is done, refuses other settings, and belongs to one process."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glioforge.core.errors import InputFileError, OutputError
from glioforge.io.run_folder import Step, read_json, write_json

HOLD = (
    "import sys, time; from pathlib import Path; from glioforge.io.run_folder import Step\n"
    "with Step(Path(sys.argv[1]), {'a': 1}) as step:\n"
    "    print('held', flush=True); time.sleep(float(sys.argv[2])); step.finish({'by': 'other'})"
)


@contextmanager
def holder(folder: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the step's lock for some time and then finishes it."""
    command = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        if seconds > 10:
            process.kill()


def test_finished_step_is_done_with_its_facts(tmp_path):
    """A step of the same key is done after `finish`, tuples or lists, and knows the facts."""
    with Step(tmp_path / "s", {"shape": (1, 2), "deep": {"x": 1.5}}) as step:
        assert not step.done
        step.finish({"dice": 0.5})
    again = Step(tmp_path / "s", {"deep": {"x": 1.5}, "shape": [1, 2]})
    assert again.done
    assert again.facts == {"dice": 0.5}
    assert Step.facts_of(tmp_path / "s") == {"dice": 0.5}


def test_failed_step_is_not_done(tmp_path):
    """An error or Ctrl-C within the step leaves no marker and no lock."""

    def stopped() -> None:
        with Step(tmp_path, {"a": 1}):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with Step(tmp_path, {"a": 1}) as step:
        assert not step.done


def test_facts_of_an_unfinished_step_are_refused(tmp_path):
    """No later step reads a folder without its marker."""
    step = Step(tmp_path, {"a": 1})
    with pytest.raises(OutputError, match="an unfinished step"):
        _ = step.facts
    with pytest.raises(InputFileError, match="cannot read the file"):
        Step.facts_of(tmp_path)


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_are_refused(tmp_path, finished):
    """A folder of other settings, finished or not, is refused with the keys that differ."""
    with Step(tmp_path, {"steps": 10, "spec": {"lr": 0.1, "name": "x"}}) as step:
        if finished:
            step.finish()
    with pytest.raises(
        OutputError, match=r"spec\.lr was 0\.1, is now 0\.2; steps was 10, is now absent; .*delete"
    ) as caught:
        Step(tmp_path, {"spec": {"lr": 0.2, "name": "x"}})
    assert "name" not in caught.value.found


def test_the_message_says_which_command_made_what(tmp_path):
    """Keys that only one side has come after those that changed; another command's keys are not listed."""
    spec = {f"option{n:03d}": n for n in range(160)}
    prepared = {"format": 1, "modalities": ["t1"], "size": [4, 4, 4], "spec": spec}
    with Step(tmp_path, prepared):
        (tmp_path / "cases").mkdir()
    with pytest.raises(OutputError) as caught:
        Step(tmp_path, {**prepared, "size": [4, 4, 5], "aaa": 1, "spec": dict.fromkeys(spec, -1)})
    assert caught.value.found.startswith(
        "a prepared cohort that `glioforge prepare` made with other settings: size was [4, 4, 4], is now [4, 4, 5]; "
        "spec.option000 was 0, is now -1; spec.option001"
    )
    assert caught.value.found.endswith("spec.option003 was 3, is now -1; and 157 more")
    with pytest.raises(OutputError) as caught:
        Step(tmp_path, {"recipe": spec, "count": 1, "seed": 1, "cohort": "x"})
    assert caught.value.found == "the folder holds a prepared cohort that `glioforge prepare` made"
    assert caught.value.expected == "an empty folder, or one that `glioforge edit` made"


def test_a_command_that_wrote_nothing_leaves_the_folder_free(tmp_path):
    """Other settings take it, another command does not; once anything is written they are refused."""
    edits = {"recipe": "a", "count": 1, "seed": 1, "cohort": "5d1e"}
    with Step(tmp_path, edits):
        pass
    with pytest.raises(OutputError, match="holds edited label maps that `glioforge edit` made"):
        Step(tmp_path, {"verb": "ingest"})
    with Step(tmp_path, {**edits, "cohort": "9c00"}) as step:
        assert read_json(tmp_path / "step.json")["key"] == step.key
        (tmp_path / "case1-edit000").mkdir()
    with pytest.raises(OutputError, match=r'cohort was "9c00", is now "5d1e" \(fingerprints: other cases\)'):
        Step(tmp_path, edits)


def test_many_differences_are_counted(tmp_path):
    """Only the first five differing keys are named."""
    with Step(tmp_path, {f"k{n}": n for n in range(8)}):
        pass
    with pytest.raises(OutputError, match="k4 was 4, is now 5; and 3 more"):
        Step(tmp_path, {f"k{n}": n + 1 for n in range(8)})


def test_key_must_be_json(tmp_path):
    """A key that cannot be written down is refused."""
    with pytest.raises(OutputError, match="a step's key that is not JSON"):
        Step(tmp_path, {"a": object()})


@pytest.mark.parametrize("values", [[], {"facts": {}}, {"key": 3}])
def test_foreign_marker_is_refused(tmp_path, values):
    """A marker that Glioforge did not write is refused by its path."""
    write_json(tmp_path / "done.json", values)
    with pytest.raises(InputFileError, match=r"done\.json: a step's marker without its key"):
        Step(tmp_path, {"a": 1})


def test_second_process_is_turned_away(tmp_path):
    """While one process works in a folder, another is told which one it is."""
    with (
        holder(tmp_path, 30) as process,
        pytest.raises(OutputError, match=f"another process works in this folder \\(pid {process.pid} on"),
    ):
        Step(tmp_path, {"a": 1}).__enter__()


def test_lock_of_a_killed_process_is_gone(tmp_path):
    """A killed process leaves no stale lock."""
    with holder(tmp_path, 30) as process:
        process.kill()
    with Step(tmp_path, {"a": 1}) as step:
        assert not step.done


def test_second_process_can_wait(tmp_path):
    """One that waits finds the step done by the other."""
    start = time.monotonic()
    with holder(tmp_path, 0.3), Step(tmp_path, {"a": 1}, wait_s=20) as step:
        assert step.done
        assert step.facts == {"by": "other"}
    assert time.monotonic() - start < 10


def test_waiting_step_refuses_what_another_made_meanwhile(tmp_path):
    """A folder that another process filled with other settings meanwhile is refused, and unlocked."""
    step = Step(tmp_path, {"a": 2})
    write_json(tmp_path / "step.json", {"key": {"a": 1}})
    with pytest.raises(OutputError, match="a was 1, is now 2"):
        step.__enter__()
    with Step(tmp_path, {"a": 1}):
        pass


def test_finished_step_needs_no_lock(tmp_path):
    """A finished folder can be opened any number of times."""
    with Step(tmp_path, {"a": 1}) as step:
        step.finish()
    with Step(tmp_path, {"a": 1}) as first, Step(tmp_path, {"a": 1}) as second:
        assert first.done
        assert second.done


def test_building_a_step_writes_nothing(tmp_path):
    """Files come under the lock alone: whoever holds it takes those of others for leavings."""
    Step(tmp_path / "new", {"a": 1})
    assert not list(tmp_path.iterdir())


def test_a_step_is_finished_under_its_lock(tmp_path):
    """The marker, too, is written while no other process clears the folder."""
    with Step(tmp_path, {"a": 1}) as step:
        pass
    with pytest.raises(RuntimeError, match="inside its `with`"):
        step.finish()
    assert not step.done


def test_lock_that_cannot_be_made_is_told(tmp_path):
    """A folder that cannot be locked gives a typed error."""
    step = Step(tmp_path, {"a": 1})
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        step.__enter__()


def test_leavings_of_a_killed_writer_are_removed(tmp_path):
    """Half-written files of a killed process go when the next one takes the folder; whole ones stay."""
    step = Step(tmp_path, {"a": 1})
    (tmp_path / ".0123456789abcdef.partial").write_bytes(b"half")
    with step:
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "step.json"]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch, code):
    """Not mistaken for a folder that another process works in, and no marker that a killed process would leave."""

    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OutputError, match="a file system without locks .*choose an --out on another file system"):
        Step(tmp_path, {"a": 1}).__enter__()


def test_a_folder_in_use_by_this_process_is_refused(tmp_path):
    """Two steps of one process are kept apart like two processes."""
    with (
        Step(tmp_path, {"a": 1}),
        pytest.raises(OutputError, match=f"another process works in this folder \\(pid {os.getpid()} on"),
    ):
        Step(tmp_path, {"a": 1}).__enter__()
