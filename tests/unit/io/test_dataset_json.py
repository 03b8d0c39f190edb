"""Names of contrasts and labels that a data set chose itself are understood, or asked for."""

from pathlib import Path

import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.volume import Modality
from glioforge.io.dataset_json import channels, hint_of, read_dataset_json


def test_contrasts_in_their_many_spellings():
    """Case, spaces and signs do not matter."""
    values = {"channel_names": {"0": "T2-FLAIR", "1": "T1 w", "2": "T1Gd", "3": "T2w", "4": "APTw"}}
    assert channels(values, Path()) == {
        Modality.FLAIR: 0, Modality.T1: 1, Modality.T1CE: 2, Modality.T2: 3, Modality.APTW: 4
    }  # fmt: skip
    assert channels({}, Path()) == {}


@pytest.mark.parametrize("named", [{"0": "CT"}, {"0": "T1", "1": "t1w"}, {"x": "T1"}])
def test_unknown_or_doubled_contrasts_are_refused(named):
    """A channel that cannot be told is an error that names it."""
    with pytest.raises(InputFileError, match=r"d.json: channel .* expected a contrast, each once"):
        channels({"modality": named}, Path("d.json"))


@pytest.mark.parametrize(
    ("labels", "schemes"),
    [
        ({"background": 0, "NCR": 1, "ED": 2, "ET": 3}, ("brats2023",)),
        ({"background": 0, "NCR": 1, "ED": 2, "ET": 4}, ("brats2017",)),
        ({"background": 0, "NETC": 1, "SNFH": 2, "ET": 3, "RC": 4}, ("brats2024",)),
        ({"background": 0, "edema": 1, "necrosis": 2, "enhancing": 3, "ignore": 4}, ("decathlon",)),
        ({"background": 0, "necrosis": 1, "edema": 2, "non-enhancing": 3, "enhancing tumor": 4}, ("brats2013",)),
        ({"background": 0, "ET": 1, "NET": 2, "CC": 3, "ED": 4}, ("brats2024_ped",)),
        ({"background": 0, "GM": 1, "WM": 2, "CSF": 3}, ("bids_tissue",)),
        ({"background": 0, "tumor": 1}, ("lesion",)),
        ({"background": 0, "ET": 2, "ED": 1}, ("oedema=1,enhancing=2",)),
        ({"background": 0, "NCR": 1, "netc": 2, "ET": 3}, ()),
        ({"background": 0, "ED": 1, "ET": 1}, ()),
        ({"background": 0, "liver": 1}, ()),
        ({"background": 0, "ED": None}, ()),
    ],
)
def test_labels_speak_for_the_scheme_that_has_them(labels, schemes):
    """Names and integers must both fit; known names with a numbering of their own are a scheme of their own."""
    assert hint_of({"labels": labels}).schemes == schemes


@pytest.mark.parametrize(
    ("regions", "first"),
    [
        ({"whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}, "decathlon"),
        ({"whole_tumor": [1, 2, 3, 4], "tumor_core": [1, 2, 3], "enhancing_tumor": 1}, "brats2024_ped"),
        ({"whole tumour": [1, 2, 3], "tumour core": [1, 3], "ET": [3]}, "brats2023"),
        ({"WT": [1, 2, 4], "TC": [1, 4], "ET": [4]}, "brats2017"),
        ({"WT": [1, 2, 3, 4], "TC": [1, 3, 4], "ET": [4]}, "brats2013"),
        ({"WT": [1, 2, 3], "TC": [1, 2], "ET": [2]}, "necrotic_core=1,enhancing=2,oedema=3"),
        ({"WT": [1, 2, 3], "TC": [1, 3], "ET": 3, "resection cavity": 4}, "brats2024"),
        ({"WT": [1, 2, 3, 4], "TC": [2, 3], "ET": [3]}, None),
        ({"TC": [2, 3], "ET": [3]}, "decathlon"),
        ({"WT": [1, 2, 3], "ET": [3]}, "brats2023"),
        ({"WT": [1, "x"], "TC": [2, 3]}, None),
    ],
)
def test_regions_decide_the_meaning_of_integers(regions, first):
    """The scheme whose regions are these sets comes first; sets that tell no labels apart leave it open."""
    assert next(iter(hint_of({"labels": {"background": 0, **regions}}).schemes), None) == first


def test_other_files_of_that_name_are_passed_over(tmp_path):
    """No file, and a file about something else, are no table; a damaged one is told."""
    assert read_dataset_json(tmp_path) is None
    (tmp_path / "dataset.json").write_text('{"phantom": true}')
    assert read_dataset_json(tmp_path) is None
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputFileError):
        read_dataset_json(tmp_path)
