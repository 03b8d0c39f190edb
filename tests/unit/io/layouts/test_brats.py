"""The folders of every BraTS year are understood by their names alone."""

import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.volume import Modality
from glioforge.io.layout import FoundCase
from glioforge.io.layouts.brats import BratsLayout, BratsSpec

FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)


def find(folder) -> list[FoundCase]:
    """Cases of a folder."""
    return BratsLayout(BratsSpec()).find(folder)


def touch(folder, *names):
    """Empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("case", "separator", "tokens"),
    [
        ("BraTS20_Training_001", "_", ("t1", "t1ce", "t2", "flair", "seg")),
        ("Brats18_CBICA_AAB_1", "_", ("t1", "t1ce", "t2", "flair", "seg")),
        ("BraTS-GLI-00005-100", "-", ("t1n", "t1c", "t2w", "t2f", "seg")),
    ],
)
def test_namings_since_2017(tmp_path, case, separator, tokens):
    """Contrasts and labels are found."""
    touch(tmp_path, *(f"{case}/{case}{separator}{token}.nii.gz" for token in tokens))
    (found,) = find(tmp_path)
    assert BratsLayout(BratsSpec()).matches(tmp_path)
    assert found.case_id == case
    assert tuple(found.images) == FOUR
    assert found.images[Modality.T1CE].name.endswith(f"{tokens[1]}.nii.gz")
    assert found.labels is not None


def test_naming_of_2013(tmp_path):
    """DeepMedic's names of the 2013 set are found, with brain mask and scheme."""
    names = ("Flair_subtrMeanDivStd", "T1c_subtrMeanDivStd", "OTMultiClass", "brainmask")
    touch(tmp_path, *(f"brats_2013_pat0001_1/{name}.nii.gz" for name in names))
    (found,) = find(tmp_path)
    assert BratsLayout(BratsSpec()).matches(tmp_path)
    assert set(found.images) == {Modality.T1CE, Modality.FLAIR}
    assert (found.labels is not None, found.brain is not None) == (True, True)
    assert (found.subject_id, found.session) == ("brats_2013_pat0001", "1")
    assert found.hint.schemes == ("brats2013",)


def test_a_case_folder_itself_can_be_given(tmp_path):
    """The folder of one case is a data set of one."""
    case = tmp_path / "BraTS20_Training_001"
    touch(case, "BraTS20_Training_001_t1.nii")
    assert [found.case_id for found in find(case)] == ["BraTS20_Training_001"]


def test_odd_label_name_of_2020_is_found(tmp_path):
    """The one case of 2020 whose label file has a name of its own keeps its labels."""
    touch(tmp_path, "BraTS20_Training_355/BraTS20_Training_355_t1.nii", "BraTS20_Training_355/W39_1998.09.19_Segm.nii")
    (found,) = find(tmp_path)
    assert found.labels is not None
    assert found.labels.name == "W39_1998.09.19_Segm.nii"


def test_grade_and_site_come_from_folders_and_names(tmp_path):
    """HGG and LGG folders give the grade, names of 2017 to 2019 the site."""
    touch(
        tmp_path,
        "HGG/Brats17_TCIA_105_1/Brats17_TCIA_105_1_t1.nii.gz",
        "LGG/Brats17_2013_0_1/Brats17_2013_0_1_t1.nii.gz",
    )
    assert {found.case_id: dict(found.facts) for found in find(tmp_path)} == {
        "Brats17_TCIA_105_1": {"grade": "HGG", "site": "TCIA"},
        "Brats17_2013_0_1": {"grade": "LGG", "site": "2013"},
    }


def test_grade_and_site_come_from_the_name_table(tmp_path):
    """The table of 2020 gives grade and, by the older ids, site; a byte-order mark and CRLF do not matter."""
    touch(
        tmp_path, "BraTS20_Training_001/BraTS20_Training_001_t1.nii", "BraTS20_Training_002/BraTS20_Training_002_t1.nii"
    )
    (tmp_path / "name_mapping.csv").write_bytes(
        b"\xef\xbb\xbfGrade,BraTS_2017_subject_ID,BraTS_2020_subject_ID\r\n"
        b"HGG,Brats17_CBICA_AAB_1,BraTS20_Training_001\r\nLGG,NA,BraTS20_Training_002\r\n"
    )
    assert [dict(found.facts) for found in find(tmp_path)] == [{"grade": "HGG", "site": "CBICA"}, {"grade": "LGG"}]


def test_other_table_is_passed_over(tmp_path):
    """A table without the columns tells nothing."""
    touch(tmp_path, "BraTS20_Training_001/BraTS20_Training_001_t1.nii")
    (tmp_path / "name_mapping.csv").write_text("a,b\n1,2,3\n", encoding="utf-8")
    assert find(tmp_path)[0].facts == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Grade,BraTS_2020_subject_ID\nHGG,x\nLGG,x\n", "two different rows for 'x'"),
        (b"Grade\xff", "not a table"),
    ],
)
def test_contradicting_or_broken_table_is_refused(tmp_path, data, message):
    """Two grades for one case, or bytes that are no text, are refused."""
    (tmp_path / "name_mapping.csv").write_bytes(data)
    with pytest.raises(InputFileError, match=message):
        find(tmp_path)


def test_unknown_names_are_passed_over(tmp_path):
    """Files of no known name belong to no case, and a mask alone is no case."""
    touch(
        tmp_path,
        "a/a_adc.nii.gz",
        "b/brainmask.nii.gz",
        "c/notes.txt",
        "BraTS20_Training_001/BraTS20_Training_001_t1.nii",
    )
    assert [found.case_id for found in find(tmp_path)] == ["BraTS20_Training_001"]


def test_files_side_by_side_are_not_brats(tmp_path):
    """A folder of many cases' files, or one with plain names and a mask, is left to the flat layout."""
    touch(tmp_path, "a_t1.nii.gz", "b_t1.nii.gz", "c/t1.nii.gz", "c/brainmask.nii.gz")
    assert not BratsLayout(BratsSpec()).matches(tmp_path)
