"""A pattern of names finds the cases of any folder."""

import pytest

from glioforge.core.volume import Modality
from glioforge.io.layouts.flat import FlatLayout, FlatSpec


def touch(folder, *names):
    """Empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("names", "cases"),
    [
        (["t1.nii.gz", "t1c.nii.gz", "t2.nii.gz", "fla.nii.gz", "seg_simple.nii.gz"], {"root": 4}),
        (["p1/t1.nii", "p1/flair.nii", "p2/t1.nii", "p2/flair.nii", "p2/seg.nii"], {"p1": 2, "p2": 2}),
        (["p1_t1.nii.gz", "p1_t2w.nii.gz", "p_2_t1.nii.gz", "p_2_t2w.nii.gz"], {"p1": 2, "p_2": 2}),
        (["p1-t1n.nii.gz", "p1-t2f.nii.gz", "p1-seg.nii.gz"], {"p1": 2}),
        (["p1/p1_t1.nii.gz", "p1/p1_t1gd.nii.gz"], {"p1": 2}),
    ],
)
def test_usual_patterns_need_no_settings(tmp_path, names, cases):
    """One case a folder, files side by side, and one case alone are told apart by most files."""
    folder = tmp_path / "root"
    touch(folder, *names)
    layout = FlatLayout(FlatSpec())
    assert layout.matches(folder)
    assert {found.case_id: len(found.images) for found in layout.find(folder)} == cases


def test_own_names_and_pattern(tmp_path):
    """Names, pattern, wildcard and subject expression can be stated."""
    touch(
        tmp_path,
        "site/p1_v2/scan_POST.nii.gz",
        "site/p1_v2/x_roi.nii.gz",
        "site/p1_v2/x_bm.nii",
        "else/p9/scan_POST.nii.gz",
    )
    spec = FlatSpec(
        pattern="site/{case}/*_{contrast}",
        contrasts={"POST": Modality.T1CE},
        labels=("roi",),
        brain=("bm",),
        subject="(?P<subject>.+)_v(?P<session>.+)",
    )
    (found,) = FlatLayout(spec).find(tmp_path)
    assert (found.case_id, found.subject_id, found.session) == ("p1_v2", "p1", "2")
    assert {role: path.name for role, path in found.files.items()} == {
        "t1ce": "scan_POST.nii.gz",
        "labels": "x_roi.nii.gz",
        "brain": "x_bm.nii",
    }


def test_repeated_case_must_repeat(tmp_path):
    """`{case}` twice in a pattern stands for the same text."""
    touch(tmp_path, "a/a_t1.nii", "a/b_t1.nii")
    (found,) = FlatLayout(FlatSpec(pattern="{case}/{case}_{contrast}")).find(tmp_path)
    assert found.files["t1"].name == "a_t1.nii"


def test_longer_names_go_first(tmp_path):
    """A name that ends like a shorter one is not taken for it."""
    touch(tmp_path, "p_seg_simple.nii.gz", "p_t1.nii.gz")
    (found,) = FlatLayout(FlatSpec(pattern="{case}_{contrast}", labels=("simple", "seg_simple"))).find(tmp_path)
    assert found.case_id == "p"


def test_mask_alone_is_no_case(tmp_path):
    """A folder that holds masks only has no case."""
    touch(tmp_path, "p_brain.nii.gz")
    assert FlatLayout(FlatSpec()).find(tmp_path) == []
