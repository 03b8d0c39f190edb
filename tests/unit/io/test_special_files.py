"""What is named as a scan and is none is refused at once, by name; nothing blocks and nothing is followed out."""

import contextlib
import os
import socket

import pytest

from glioforge.core.errors import InputFileError
from glioforge.io.ingestion import ingest

NAME = "BraTS20_Training_000"


def replace_by(kind, path, outside):
    """Put something else in the place of a scan."""
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:  # names of sockets are short
            server.bind(path.name)
    else:
        target = {
            "device": "/dev/zero",
            "broken link": "nowhere.nii.gz",
            "link to itself": path.name,
            "link out": outside / "t1.nii.gz",
            "link to a folder": ".",
        }[kind]
        path.symlink_to(target)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pipe", "a pipe; expected a regular file"),
        ("folder", "a folder; expected a regular file"),
        ("socket", "cannot read the file"),
        ("device", "a link that leads out of"),
        ("broken link", "cannot read the file"),
        ("link to itself", "cannot read the file"),
        ("link out", "a link that leads out of"),
    ],
)
def test_special_files_are_refused_by_name(tmp_path, brats_case, save, image, kind, message):
    """The other contrasts are sound, and the case is named with the file."""
    save("outside/t1.nii.gz", image)
    folder = brats_case(NAME, folder="scans")
    replace_by(kind, folder / f"{NAME}_t1.nii.gz", tmp_path / "outside")
    with pytest.raises(InputFileError, match=rf"(?s){NAME}: .*{NAME}_t1\.nii\.gz: {message}"):
        ingest(tmp_path / "scans")


def test_a_hard_link_is_a_file_like_any_other(tmp_path, brats_case):
    """It has the same bytes under two names: right for a copy elsewhere, refused for two scans of one folder."""
    folder = brats_case(NAME, folder="scans")
    os.link(folder / f"{NAME}_t1.nii.gz", tmp_path / "kept.nii.gz")
    assert len(ingest(tmp_path / "scans")) == 1
    (folder / f"{NAME}_t2.nii.gz").unlink()
    os.link(folder / f"{NAME}_t1.nii.gz", folder / f"{NAME}_t2.nii.gz")
    with pytest.raises(InputFileError, match="the same image as"):
        ingest(tmp_path / "scans")
