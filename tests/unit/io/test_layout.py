"""Layouts are chosen by name or by looking at the folder, and sort its files by case."""

import pytest

from glioforge.config.load import parse_spec
from glioforge.core.errors import InputFileError, SpecError
from glioforge.io.layout import LAYOUTS, Layout, LayoutChoice, LayoutSpec, detect, layout_for, scan_files
from glioforge.io.scan_names import Hint


def test_layouts_are_detected_special_ones_first(tmp_path, brats_case, save, image):
    """A BraTS folder is BraTS although a general pattern fits it too."""
    brats_case("BraTS20_Training_001")
    assert type(detect(tmp_path)).__name__ == "BratsLayout"
    save("other/t1.nii.gz", image)
    assert type(detect(tmp_path / "other")).__name__ == "FlatLayout"


def test_unknown_folder_is_refused_with_a_way_out(tmp_path):
    """A folder that looks like no layout is refused, and the error shows how to describe it."""
    with pytest.raises(
        InputFileError, match=r"no case found; expected .* one of bids, .*, brats, flat, label_maps; .*--layout"
    ):
        detect(tmp_path)


@pytest.mark.parametrize("kind", LAYOUTS.kinds())
def test_every_layout_has_defaults_and_finds_nothing_in_nothing(tmp_path, kind):
    """Each layout works without settings and gives no case for an empty folder."""
    layout = layout_for(parse_spec({"layout": kind}, LayoutChoice).layout)
    assert layout.find(tmp_path) == []
    assert not layout.matches(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scheme": "brats2016"}, "label scheme 'brats2016'; expected one of"),
        ({"subject": "("}, "is not a regular expression"),
        ({"subject": "(.*)_x"}, "has no group"),
        ({"kind": "flat", "pattern": "{case}"}, "needs {contrast} once"),
        ({"kind": "flat", "pattern": "{case}/{contrast}", "contrasts": {"t1": "t9"}}, "t9|t1"),
    ],
)
def test_wrong_settings_are_refused(values, message):
    """Unknown schemes, broken expressions and patterns without a contrast are told by their key."""
    with pytest.raises(SpecError, match=message):
        parse_spec({"layout": {"kind": "brats", **values}}, LayoutChoice)


def test_right_settings_are_taken():
    """A scheme and a subject expression are kept."""
    values = {"kind": "brats", "scheme": "brats2023", "subject": "(?P<subject>.+)_x"}
    assert parse_spec({"layout": values}, LayoutChoice).layout.model_dump() == {**values, "only_labelled": False}


def test_analyze_pairs_are_refused_for_what_they_do_not_say(tmp_path):
    """Left and right of Analyze files are a guess; a lone .img file is none of them."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "OAS1_0001_MR1_mpr-1_anon.img").touch()
    with pytest.raises(InputFileError, match="no case found"):
        detect(tmp_path)
    (tmp_path / "raw" / "OAS1_0001_MR1_mpr-1_anon.hdr").touch()
    with pytest.raises(InputFileError, match=r"1 pairs of \.hdr and \.img, which do not say where left and right are"):
        detect(tmp_path)


def test_walk_is_sorted_and_passes_hidden_entries_over(tmp_path):
    """Entries named as NIfTI come sorted, folders of such a name too; hidden ones and others do not."""
    for name in ("b/x.nii", "a/y.nii.gz", "a/._y.nii.gz", ".git/z.nii", "a/t.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "trap.nii").mkdir()
    names = [p.relative_to(tmp_path).as_posix() for p in scan_files(tmp_path)]
    assert names == ["a/y.nii.gz", "b/x.nii", "b/trap.nii"]


class Named(Layout):
    """Takes each file for a contrast of the case that its folder names."""

    hint = Hint(("brats2017",), "a test")

    def find(self, folder):
        """Sort files by their folders."""
        cases = self.by_case(self.files(folder), lambda file: (file.parts[0], file.stem) if file.stem != "x" else None)
        return [self.case(name, files) for name, files in sorted(cases.items())]


def test_a_layout_sorts_files_by_case(tmp_path):
    """Files are passed over where no case is given; the layout's hint and the settings' subject hold for every case."""
    for name in ("p2_a/t1.nii.gz", "p2_a/x.nii.gz", "p1_b/flair.nii", "p1_b/deep/labels.mha", "p1_b/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    first, second = Named(LayoutSpec(subject="(?P<subject>.+)_(?P<session>.)")).find(tmp_path)

    assert (first.case_id, first.subject_id, first.session) == ("p1_b", "p1", "b")
    assert first.files == {"flair": tmp_path / "p1_b/flair.nii", "labels": tmp_path / "p1_b/deep/labels.mha"}
    assert second.files == {"t1": tmp_path / "p2_a/t1.nii.gz"}
    assert first.hint == Named.hint


def test_a_layout_cannot_invent_what_files_hold(tmp_path):
    """A word that nobody reads would lose the file."""
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "lables.nii.gz").touch()

    with pytest.raises(ValueError, match="files that hold lables, expected one of aptw, brain, .*, unclear mask"):
        Named(LayoutSpec()).find(tmp_path)
