"""What a scan shows is read from the names of common data sets and tools."""

import pytest

from glioforge.io.layouts.brats import BratsLayout, BratsSpec
from glioforge.io.layouts.flat import FlatLayout, FlatSpec
from glioforge.io.scan_names import role_of

KNOWN = {
    "t1": "t1 T1w t1n T1_brain t1_bet t1_hd-bet t1_n4 t1-reg T1_pre t1_native t1_n4_brain T1_skull_stripped",
    "t1ce": "t1c t1ce T1Gd t1gad t1km T1_ce T1w_ce T1_GD ce-gd_T1w ce-gadolinium_T1w CT1 t1_post T1+C t1ce_brain",
    "t2": "t2 T2w t2_reg t2_brain",
    "flair": "flair FLAIR t2f fla t2_flair T2-FLAIR flair_bet",
    "labels": "seg segm segmentation label labels seg_simple tumor_mask tumour_seg lesion",
    "brain": "brain brainmask brain_mask bet_mask t1_bet_mask t1_brain_mask T1_brain_bet_mask hd-bet_mask",
    "unclear mask": "mask t1_mask",
}


@pytest.mark.parametrize(("role", "names"), KNOWN.items())
def test_usual_names_are_known(role, names):
    """In any writing, with what skull stripping, bias correction and registration add."""
    assert {name: role_of(name) for name in names.split()} == dict.fromkeys(names.split(), role)


@pytest.mark.parametrize("name", ["t2star", "dwi", "adc", "t1_map", "swi", "t1_unstripped", "t2s", "brain_t1", ""])
def test_other_names_are_not_taken_for_a_contrast(name):
    """A T2* image is no T2 image."""
    assert role_of(name) is None


def touch(folder, *names):
    """Empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_stripped_images_and_masks_of_bet_are_told_apart(tmp_path):
    """`_brain` behind a contrast is the stripped image; `_brain_mask` is the mask."""
    for folder, sign in (("flat", ""), ("brats", "P1_")):
        names = ["t1_brain", "t1_brain_mask", "T1Gd_brain", "t2_brain", "flair_brain", "seg"]
        touch(tmp_path / folder / "P1", *(f"{sign}{name}.NII.GZ" for name in names))
        layout = FlatLayout(FlatSpec()) if folder == "flat" else BratsLayout(BratsSpec())
        (case,) = layout.find(tmp_path / folder)
        assert {role: path.name.removeprefix(sign) for role, path in case.files.items()} == {
            "t1": "t1_brain.NII.GZ",
            "t1ce": "T1Gd_brain.NII.GZ",
            "t2": "t2_brain.NII.GZ",
            "flair": "flair_brain.NII.GZ",
            "labels": "seg.NII.GZ",
            "brain": "t1_brain_mask.NII.GZ",
        }
        assert case.problems == ()


def test_two_forms_of_one_contrast_are_asked_about(tmp_path):
    """With and without skull: nothing says which one is meant."""
    touch(tmp_path / "P1", "t1.nii", "t1_brain.nii", "t2.nii")
    (case,) = FlatLayout(FlatSpec()).find(tmp_path)
    assert [problem.found for problem in case.problems] == ["a second t1 file beside t1.nii"]
    assert "layout's YAML" in case.problems[0].remedy
    spec = FlatSpec(pattern="{case}/{contrast}", contrasts={"t1_brain": "t1", "t2": "t2"})
    (case,) = FlatLayout(spec).find(tmp_path)
    assert case.files["t1"].name == "t1_brain.nii"
    assert case.problems == ()


def test_a_mask_that_may_be_brain_or_tumour_is_asked_about(tmp_path):
    """Unless there are labels; a layout can say what it is."""
    touch(tmp_path / "P1", "t1.nii", "mask.nii")
    touch(tmp_path / "P2", "t1.nii", "mask.nii", "seg.nii")
    first, second = FlatLayout(FlatSpec()).find(tmp_path)
    assert [problem.found for problem in first.problems] == ["a mask that may be the brain or the tumour"]
    assert second.problems == ()
    assert second.brain is None
    first, _ = FlatLayout(FlatSpec(labels=("mask",))).find(tmp_path)
    assert first.labels.name == "mask.nii"


def test_a_case_whose_name_ends_like_a_marker_keeps_it(tmp_path):
    """`P_ce_t1` in a folder `P_ce` is its T1 image, not a contrast-enhanced one."""
    touch(tmp_path / "P_ce", "P_ce_t1.nii", "P_ce_t1ce.nii")
    (case,) = BratsLayout(BratsSpec()).find(tmp_path)
    assert {role: path.name for role, path in case.files.items()} == {"t1": "P_ce_t1.nii", "t1ce": "P_ce_t1ce.nii"}
