"""A writer that is killed, or whose disk is full, at any instant leaves whole files; the same call then ends the same.

Each attempt runs in a child process, whose audit hook ends it or fills its disk just before one of its operations on
files; in further attempts a write ends half way.
"""

import errno
import os
import resource
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from glioforge.core.errors import OutputError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2017
from glioforge.io.nifti import write_labels
from glioforge.io.run_folder import Step, write_json

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.truncate"}
KILLED, REFUSED, NOT_REACHED = 9, 2, 7
MOST_OPERATIONS = 60


def job(folder):
    """A step with a mask and a list."""
    labels = LabelMap(np.ones((4, 5, 6), np.uint8), Geometry.isotropic((4, 5, 6)), BRATS2017)
    with Step(folder, {"steps": 3}) as step:
        write_labels(folder / "mask.nii.gz", labels)
        write_json(folder / "list.json", list(range(2000)))
        if not step.done:
            step.finish({"dice": 0.5})


def in_child(folder, prepare):
    """Exit code of a child that does the job after some preparation: 0, not reached, killed, refused with a remedy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
        child = os.fork()
    if child == 0:
        code = 4
        try:
            missed = prepare()
            job(folder)
            code = NOT_REACHED if missed and missed() else 0
        except OutputError as error:
            code = REFUSED if "run the same command again" in error.remedy else 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at(number, act):
    """Do something just before an operation that changes files, counted from 0."""
    left = [number]

    def hook(event, arguments):
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGES or writes:
            if left[0] == 0:
                left[0] -= 1
                act()
            left[0] -= 1

    def prepare():
        sys.addaudithook(hook)
        return lambda: left[0] >= 0

    return prepare


def fill_disk():
    """What the system says of a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def whole(folder):
    """Contents of the files that a reader would open."""
    if not folder.exists():
        return {}
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Files of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    job(folder)
    return whole(folder)


def require_recovery(folder, expected):
    """Every file is whole; the same job goes on to the same bytes and leaves nothing half written."""
    found = whole(folder)
    assert found == {name: expected[name] for name in found}
    job(folder)
    assert whole(folder) == expected
    assert not list(folder.glob("*.partial")) + list(folder.glob(".*.partial"))


def be_killed():
    """End at once, as by SIGKILL."""
    os._exit(KILLED)


@pytest.mark.parametrize(("act", "code"), [(be_killed, KILLED), (fill_disk, REFUSED)], ids=["kill", "full"])
def test_at_every_operation(tmp_path, expected, act, code):
    """Until the job comes to its end before the operation is reached."""
    codes = []
    while NOT_REACHED not in codes:
        folder = tmp_path / str(len(codes))
        codes.append(in_child(folder, at(len(codes), act)))
        require_recovery(folder, expected)
        assert len(codes) < MOST_OPERATIONS
    assert codes.count(code) >= 10
    assert set(codes) <= {code, 0, NOT_REACHED}


@pytest.mark.parametrize("limit", [0, 1, 40, 300, 900, 5000])
def test_a_write_that_ends_half_way(tmp_path, expected, limit):
    """A limit on the size of files stops a write after some bytes, as a full disk does."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    code = in_child(tmp_path / "run", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard)))
    assert code == REFUSED
    require_recovery(tmp_path / "run", expected)


@pytest.mark.parametrize("number", range(4))
def test_a_kill_in_the_middle_of_a_write(tmp_path, expected, number):
    """Half of the bytes are on disk."""

    def prepare():
        write, left = Path.write_bytes, [number]

        def half(path, data):
            if left[0] == 0:
                write(path, data[: len(data) // 2])
                os._exit(KILLED)
            left[0] -= 1
            return write(path, data)

        Path.write_bytes = half

    assert in_child(tmp_path / "run", prepare) == KILLED
    require_recovery(tmp_path / "run", expected)
