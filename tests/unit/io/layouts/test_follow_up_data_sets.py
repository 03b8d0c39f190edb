"""EGD, LUMIERE and UPENN-GBM by their names."""

import pytest

from glioforge.io.case_search import find_cases
from glioforge.io.layout import detect
from glioforge.io.layouts.upenn_gbm import UpennGbmSpec


def touch(folder, *names):
    """Empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_subjects_of_egd(tmp_path):
    """Each contrast lies in folders of its own."""
    names = [f"SUBJECTS/EGD-0001/{n}_{w}/NIFTI/{w}.nii.gz" for n, w in enumerate(("T1", "T1GD", "T2", "FLAIR", "MASK"))]
    touch(tmp_path, *names, "SUBJECTS/EGD-0001/metadata.json", "SUBJECTS/EGD-0002/1_T1/NIFTI/T1.nii.gz")
    found = find_cases(tmp_path)
    assert found.layout == "egd"
    assert [case.case_id for case in found.cases] == ["EGD-0001", "EGD-0002"]
    assert {role: path.name for role, path in found.cases[0].files.items()} == {
        "t1": "T1.nii.gz",
        "t1ce": "T1GD.nii.gz",
        "t2": "T2.nii.gz",
        "flair": "FLAIR.nii.gz",
        "labels": "MASK.nii.gz",
    }


def test_weeks_of_lumiere(tmp_path):
    """Sessions of one subject; segmentations are named as passed over."""
    for week in ("week-000-1", "week-024"):
        touch(tmp_path, *(f"Imaging/Patient-001/{week}/{name}.nii.gz" for name in ("T1", "CT1", "T2", "FLAIR")))
    touch(tmp_path, "Imaging/Patient-001/week-024/HD-GLIO-AUTO-segmentation/native/segmentation_CT1.nii.gz")
    found = find_cases(tmp_path)
    assert found.layout == "lumiere"
    assert [(case.subject_id, case.session, len(case.images)) for case in found.cases] == [
        ("Patient-001", "week-000-1", 4),
        ("Patient-001", "week-024", 4),
    ]
    assert [entry.path.name for entry in found.passed] == ["segmentation_CT1.nii.gz"]


@pytest.mark.parametrize("stripped", [True, False])
def test_images_with_skull_of_upenn_are_taken_where_there_are_no_others(tmp_path, stripped):
    """Never mixed: the stripped ones where a case has any."""
    case = "UPENN-GBM-00001_11"
    touch(tmp_path, *(f"images_structural_unstripped/{case}/{case}_{w}_unstripped.nii.gz" for w in ("T1", "T1GD")))
    if stripped:
        touch(tmp_path, f"images_structural/{case}/{case}_T1.nii.gz")
    assert type(detect(tmp_path)).__name__ == "UpennGbmLayout"
    (found,) = find_cases(tmp_path, UpennGbmSpec()).cases
    assert [path.name.endswith("_unstripped.nii.gz") for path in found.files.values()] == (
        [False] if stripped else [True, True]
    )
    assert found.facts.get("skull") == (None if stripped else "present")
