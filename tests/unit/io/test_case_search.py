"""Cases of a folder, with what is passed over, namesakes and links."""

import os
import unicodedata

import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.protocols import Silent
from glioforge.io.case_check import id_problems
from glioforge.io.case_search import find_cases
from glioforge.io.ingestion import ingest
from glioforge.io.layouts.flat import FlatSpec


class Heard(Silent):
    """A progress that keeps what was said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        """Keep a line."""
        self.lines.append(text)


def touch(folder, *names):
    """Empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("seg.nii.gz", "seg.nii"),
        ("seg.nii.gz", "SEG.nii.gz"),
        ("t1.nii.gz", "t1.mha"),
        ("t1.nii.gz", "T1.NII.GZ"),
        ("other.nii", "OTHER.nii.gz"),
    ],
)
def test_two_files_of_one_name_are_refused_where_a_case_uses_one(tmp_path, one, two):
    """Both are named; which one is read must not depend on the order of a directory."""
    touch(tmp_path, *(f"{case}/{name}.nii.gz" for case in ("P0", "P1") for name in ("t1", "t2", "seg")))
    touch(tmp_path, f"P1/{one}", f"P1/{two}")
    found = find_cases(tmp_path, FlatSpec(pattern="{case}/{contrast}"))
    told = [str(problem) for case in found.cases for problem in case.problems]
    if one.startswith("other"):
        assert told == []
        return
    assert len(told) == 1
    assert "a second" in told[0]
    assert one in told[0]
    assert two in told[0]


def test_exact_names_of_a_layout_meet_their_namesakes(tmp_path):
    """A layout that names `t1.nii` alone does not see `T1.nii`; the walk does."""
    touch(tmp_path, "P0/t1.nii", "P0/T1.nii", "P0/s.nii")
    spec = FlatSpec(pattern="{case}/{contrast}", contrasts={"t1": "t1"}, labels=("s",), brain=("b",))
    (case,) = find_cases(tmp_path, spec).cases
    assert [problem.found for problem in case.problems] == ["a second file of the name of t1.nii"]


def test_ingest_says_what_it_passes_over_and_that_there_are_no_labels(tmp_path, brats_case):
    """One line a reason, with an example."""
    brats_case("BraTS20_Training_001", labels=())
    touch(tmp_path, "BraTS20_Training_001/BraTS20_Training_001_adc.nii.gz", "dicom/1.dcm", "a/._x.nii.gz")
    heard = Heard()
    assert len(ingest(tmp_path, progress=heard)) == 1
    text = "\n".join(heard.lines)
    assert "passed over 1 folders of DICOM files, such as dicom" in text
    assert "passed over 1 files of macOS' Finder, such as a/._x.nii.gz" in text
    assert (
        "passed over 1 image files whose names the layout does not know, such as BraTS20_Training_001/BraTS20" in text
    )
    assert "no label file in any of 1 case" in text


def test_masks_of_single_labels_are_named(tmp_path, brats_case):
    """Nothing reads a file for each region, and the message says what to write instead."""
    brats_case("P1", labels=())
    touch(tmp_path, "P1/P1_enhancing.nii.gz", "P1/P1_WT.nii.gz", "P1/P1_adc.nii.gz")
    heard = Heard()
    ingest(tmp_path, progress=heard)
    assert any(line.startswith("2 files named as masks of single labels or regions") for line in heard.lines)


def test_a_folder_without_cases_says_what_is_there(tmp_path):
    """DICOM files are the usual reason."""
    touch(tmp_path, "dicom/1.dcm")
    with pytest.raises(InputFileError, match="no case found; passed over 1 folders of DICOM files, such as dicom"):
        find_cases(tmp_path)


def test_linked_cases_are_read_where_asked(tmp_path, brats_case):
    """The name of a link is the name of its case."""
    brats_case("BraTS20_Training_001", folder="all")
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "BraTS20_Training_001").symlink_to(tmp_path / "all" / "BraTS20_Training_001")
    with pytest.raises(InputFileError, match="lead out of the folder"):
        ingest(tmp_path / "some")
    spec = FlatSpec(pattern="{case}/{case}_{contrast}", scheme="brats2017", follow_links=True)
    assert [ref.case_id for ref in ingest(tmp_path / "some", spec)] == ["BraTS20_Training_001"]


def test_names_are_compared_in_one_form_of_unicode(tmp_path):
    """A case folder from macOS is decomposed: its id is composed; both forms side by side are refused."""
    name = "Müller"
    decomposed = unicodedata.normalize("NFD", name)
    touch(tmp_path, f"{decomposed}/t1.nii", f"{decomposed}/t2.nii")
    assert [case.case_id for case in find_cases(tmp_path).cases] == [name]
    touch(tmp_path, f"{name}/t1.nii", f"{name}/t2.nii")
    ((_, error),) = id_problems(find_cases(tmp_path).cases)
    assert "case id like that of 'Müller'" in error.found


def test_names_of_other_encodings_are_refused(tmp_path):
    """Bytes that are not UTF-8 can stand in no table; the name is shown with its bytes."""
    touch(tmp_path, "A/t1.nii")
    touch(tmp_path, os.fsdecode(b"M\xfcller/t1.nii"))
    with pytest.raises(InputFileError, match=r"1 file names that are not UTF-8, such as 'M\\udcfcller/t1.nii'"):
        find_cases(tmp_path)
