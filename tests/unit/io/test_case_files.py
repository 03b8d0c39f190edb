"""Files of a case are named by what they hold, and its name gives the subject."""

from pathlib import Path

import pytest

from glioforge.core.volume import Modality
from glioforge.io.case_files import assemble, subject_of


@pytest.mark.parametrize(
    ("case_id", "subject", "session"),
    [
        ("BraTS-GLI-00005-100", "BraTS-GLI-00005", "100"),
        ("BraTS-SSA-00002-000", "BraTS-SSA-00002", "000"),
        ("brats_2013_pat0001_1", "brats_2013_pat0001", "1"),
        ("brats_tcia_pat105_0121", "brats_tcia_pat105", "0121"),
        ("Brats17_2013_10_1", "Brats17_2013_10", "1"),
        ("Brats18_CBICA_AAB_1", "Brats18_CBICA_AAB", "1"),
        ("Brats18_TCIA13_615_1", "Brats18_TCIA13_615", "1"),
        ("BraTS20_Training_001", "BraTS20_Training_001", None),
        ("BraTS2021_00002", "BraTS2021_00002", None),
        ("patient_7_2", "patient_7_2", None),
    ],
)
def test_namings_of_brats_tell_the_subject(case_id, subject, session):
    """Two sessions of one person are one subject; names without a session stay whole."""
    assert subject_of(case_id) == (subject, session)


def test_own_naming_replaces_the_known_ones():
    """A given expression counts alone; its session group may be missing."""
    assert subject_of("BraTS-GLI-00005-100", "(?P<subject>.{5}).*") == ("BraTS", None)
    assert subject_of("x", "(?P<subject>y)") == ("x", None)


def test_a_case_that_the_expression_does_not_match_is_a_problem():
    """Otherwise each visit would be a person of its own, on both sides of a split."""
    visit = [("t1", Path("f/a.nii"))]
    (problem,) = assemble("p00_v1", visit, subject="(?P<subject>p[0-9]+)").problems
    assert "the case 'p00_v1', which `subject: (?P<subject>p[0-9]+)` does not match" in str(problem)
    assert assemble("p00_v1", visit, subject="(?P<subject>p[0-9]+).*").problems == ()


def test_second_files_of_the_same_name_are_named_with_their_folders():
    """So that the remedy says which one to remove."""
    (problem,) = assemble("c", [("t1", Path("f/a/t1.nii")), ("t1", Path("f/b/t1.nii"))]).problems
    assert "remove a/t1.nii or b/t1.nii" in str(problem)


def test_second_file_of_a_contrast_is_a_problem():
    """The first file by name counts, and the second is told."""
    case = assemble("c", [("t1", Path("f/b.nii")), ("t1", Path("f/a.nii")), ("labels", Path("f/s.nii"))])
    assert case.images == {Modality.T1: Path("f/a.nii")}
    assert case.files == {"t1": Path("f/a.nii"), "labels": Path("f/s.nii")}
    (problem,) = map(str, case.problems)
    assert problem.startswith(
        "f/b.nii: a second t1 file beside a.nii; expected one t1 file a case; remove a.nii or b.nii"
    )


def test_nothing_makes_a_case_without_files():
    """No files give a case without files and without problems."""
    case = assemble("c", [])
    assert not case.files
    assert not case.problems
