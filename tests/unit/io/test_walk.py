"""One walk finds image files, and says what it passes over and why."""

import os

import pytest

from glioforge.core.errors import InputFileError
from glioforge.io.walk import refuse_leading_out, scan_files, summary, walk


def touch(folder, *names, data=b"x"):
    """Small files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def below(paths, folder):
    """Paths below a folder as text."""
    return [path.relative_to(folder).as_posix() for path in paths]


def reasons(found):
    """What is passed over, by reason."""
    return {(entry.path.relative_to(found.root).as_posix(), entry.kind) for entry in found.passed}


def test_endings_are_read_in_capitals_too(tmp_path):
    """And in every format that is read; the data of a pair count with their header."""
    names = ["a.NII.GZ", "b.Nii", "c.mha", "d.MHD", "e.nrrd", "f.nhdr", "g.hdr", "h.seg.nrrd"]
    touch(tmp_path, *names, "g.img", "d.raw", "readme.txt")
    assert below(scan_files(tmp_path), tmp_path) == sorted(names)
    assert walk(tmp_path).passed == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("._t1.nii.gz", "files of macOS' Finder"),
        (".t1.nii.gz", "hidden files"),
        ("t1.mgz", "FreeSurfer files"),
        ("t1.nii.bz2", "files compressed by bzip2"),
        ("scans.ZIP", "archives"),
        ("scans.tar.gz", "archives"),
        ("t1.img", ".img files without their .hdr"),
        ("t1.hdr", ".hdr files without their .img"),
    ],
)
def test_what_is_not_read_is_passed_over_with_a_reason(tmp_path, name, kind):
    """Nothing that may be a scan is left out without a word."""
    touch(tmp_path, f"p/{name}")
    found = walk(tmp_path)
    assert found.images == ()
    assert reasons(found) == {(f"p/{name}", kind)}


def test_hidden_folders_and_dicom_folders_are_named_once(tmp_path):
    """DICOM files are known by their ending, or by their contents where they have none."""
    touch(tmp_path, ".git/x.nii", "__MACOSX/t1.nii", "ending/1.dcm", "ending/2.dcm")
    touch(tmp_path, "none/IM0001", "none/1.2.840.7", data=bytes(128) + b"DICM")
    assert reasons(walk(tmp_path)) == {
        (".git", "hidden folders"),
        ("__MACOSX", "hidden folders"),
        ("ending", "folders of DICOM files"),
        ("none", "folders of DICOM files"),
    }
    lines = summary(walk(tmp_path).passed, tmp_path)
    assert lines[0] == "passed over 2 hidden folders, such as .git"
    assert "passed over 2 folders of DICOM files, such as ending (convert them to NIfTI, by dcm2niix" in lines[1]


def test_linked_folders_are_read_once_and_circles_end(tmp_path):
    """A link within the folder is named; links up, to itself and to nowhere do no harm."""
    touch(tmp_path, "store/P00/t1.nii")
    for name, target in (("P00", "store/P00"), ("store/up", ".."), ("self", "self"), ("gone", "nowhere")):
        (tmp_path / name).symlink_to(target)
    for follow in (False, True):
        found = walk(tmp_path, follow_links=follow)
        assert below(found.images, tmp_path) == ["store/P00/t1.nii"]
        elsewhere = "linked folders whose files are read at another place"
        assert reasons(found) == {
            ("P00", elsewhere),
            ("store/up", elsewhere),
            ("self", "links that lead nowhere"),
            ("gone", "links that lead nowhere"),
        }


def test_links_that_lead_out_are_refused_or_followed_once(tmp_path):
    """The error names each link; a folder that two links lead to, and circles in it, are read once."""
    touch(tmp_path, "all/P1/t1.nii", "all/P2/t1.nii", "notes/a.txt")
    (tmp_path / "all" / "P1" / "loop").symlink_to("..")
    (tmp_path / "some").mkdir()
    for name, target in (("A", "all/P1"), ("B", "all/P2"), ("C", "all/P2"), ("notes", "notes")):
        (tmp_path / "some" / name).symlink_to(tmp_path / target)
    closed = walk(tmp_path / "some")
    assert closed.images == ()
    with pytest.raises(InputFileError, match=r"(?s)3 linked folder.*A -> .*all/P1.*--follow-links"):
        refuse_leading_out(closed)
    found = walk(tmp_path / "some", follow_links=True)
    refuse_leading_out(found)
    assert below(found.images, tmp_path / "some") == ["A/t1.nii", "A/loop/P2/t1.nii"]


def test_a_folder_that_cannot_be_listed_stops_the_walk(tmp_path, monkeypatch):
    """Its scans would be lost without a word."""
    (tmp_path / "locked").mkdir()
    listing = type(tmp_path).iterdir

    def refuse(path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(InputFileError, match=r"locked: a folder that cannot be listed \(Permission denied\)"):
        walk(tmp_path)


def test_entries_that_are_no_files_are_given_to_be_refused(tmp_path):
    """A pipe, a folder and a broken link of an image's name are read and refused later, not passed over."""
    os.mkfifo(tmp_path / "pipe.nii.gz")
    touch(tmp_path, "t1.nii/flair.nii")
    (tmp_path / "gone.nii").symlink_to("nowhere")
    assert below(scan_files(tmp_path), tmp_path) == ["gone.nii", "pipe.nii.gz", "t1.nii", "t1.nii/flair.nii"]
