"""Only regular files of a sensible size are read."""

import os

import pytest

from glioforge.core.errors import InputFileError
from glioforge.io.atomic_write import _read_all, read_regular_file


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
