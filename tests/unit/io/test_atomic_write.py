"""Files are there whole or not at all, and only regular files of a sensible size are read."""

import errno
import math
import os
import signal
import subprocess
import sys
import time

import pytest

from glioforge.core.errors import InputFileError, OutputError
from glioforge.io.atomic_write import (
    _read_all,
    output_error,
    read_json,
    read_regular_file,
    replacing,
    write_atomically,
    write_json,
)


def test_parents_are_made(tmp_path):
    """The folders above a file come with it."""
    write_atomically(tmp_path / "a" / "b" / "x", b"data")
    assert (tmp_path / "a" / "b" / "x").read_bytes() == b"data"


def test_interrupted_block_leaves_the_old_file(tmp_path):
    """Ctrl-C within the block leaves the old contents and no partial file."""
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def interrupted() -> None:
        with replacing(path) as partial:
            partial.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_killed_writer_leaves_whole_files(tmp_path):
    """A process killed while it rewrites a file leaves one of its versions, whole."""
    path = tmp_path / "x"
    code = (
        "import sys; from pathlib import Path; from glioforge.io.atomic_write import write_atomically\n"
        "for n in range(10**9): write_atomically(Path(sys.argv[1]), bytes([n % 250]) * 300000)"
    )
    for delay in (0.0, 0.013, 0.027, 0.05):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        while not path.exists():
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        data = path.read_bytes()
        assert len(data) == 300000
        assert len(set(data)) == 1
        path.unlink()


def test_limit_on_file_size_is_told(tmp_path):
    """A file-size limit of the process gives a typed error with its remedy, and no file."""
    code = (
        "import resource, sys; from pathlib import Path; from glioforge.io.atomic_write import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomically(Path(sys.argv[1]), bytes(5000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=False
    )
    assert "OutputError" in done.stderr
    assert "ulimit" in done.stderr
    assert not list(tmp_path.iterdir())


def test_folder_in_the_way_is_told(tmp_path):
    """A target that is a folder, or lies below a file, gives a typed error and leaves nothing behind."""
    (tmp_path / "x").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_atomically(tmp_path / "x", b"data")
    (tmp_path / "f").touch()
    with pytest.raises(OutputError, match=r"choose a folder that you may write to \(--out\)"):
        write_atomically(tmp_path / "f" / "y", b"data")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f", "x"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free space on the disk"),
        (errno.EDQUOT, "your quota"),
        (errno.EFBIG, "ulimit"),
        (errno.ENAMETOOLONG, "shorter names"),
        (errno.EROFS, "may write to"),
    ],
)
def test_every_failure_has_its_remedy(tmp_path, number, remedy):
    """The message of a failed write says what to do about this failure."""
    text = str(output_error(OSError(number, os.strerror(number)), tmp_path))
    assert remedy in text
    assert str(tmp_path) in text


def test_json_is_stable_and_read_back(tmp_path):
    """The order of keys does not matter to the bytes."""
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "a": "ä"})
    write_json(tmp_path / "b.json", {"a": "ä", "b": [1, 2.5, None]})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"a": "ä", "b": [1, 2.5, None]}


@pytest.mark.parametrize("values", [{"x": math.nan}, {"x": object()}])
def test_values_that_are_no_json_are_refused(tmp_path, values):
    """NaN and objects are refused before a file is made."""
    with pytest.raises(OutputError, match="values that are not JSON"):
        write_json(tmp_path / "x.json", values)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[" * 100000])
def test_broken_json_is_refused(tmp_path, data):
    """Cut, wrongly encoded and absurdly nested files give a typed error that names the file."""
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(InputFileError, match=r"x\.json: not JSON"):
        read_json(tmp_path / "x.json")


def test_file_is_read_whole(tmp_path):
    """All bytes come, also through a link; an empty file gives none."""
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "y").symlink_to("x")
    (tmp_path / "z").touch()
    assert [read_regular_file(tmp_path / n) for n in "xyz"] == [b"abc", b"abc", b""]


def test_large_file_is_refused(tmp_path):
    """A file above the limit is refused before it is read."""
    (tmp_path / "x").write_bytes(b"abc")
    with pytest.raises(InputFileError, match="a file of 3 bytes; expected at most 2 bytes"):
        read_regular_file(tmp_path / "x", 2)


def test_shrinking_file_gives_what_is_left(tmp_path):
    """A file that is cut while it is read gives its bytes and does not wait for more."""
    (tmp_path / "x").write_bytes(b"abc")
    descriptor = os.open(tmp_path / "x", os.O_RDONLY)
    assert _read_all(descriptor, 10) == b"abc"
    os.close(descriptor)


def test_name_with_nul_is_refused(tmp_path):
    """A path that no system can open gives the typed error."""
    with pytest.raises(InputFileError, match="cannot read the file"):
        read_regular_file(tmp_path / "a\x00b")
