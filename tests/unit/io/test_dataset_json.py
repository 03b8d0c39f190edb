"""Names of contrasts and labels that a data set chose itself are understood, or asked for."""

from pathlib import Path

import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.modality import Modality
from glioforge.io.dataset_json import channels, read_dataset_json, scheme_of


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
    ("labels", "scheme"),
    [
        ({"background": 0, "NCR": 1, "ED": 2, "ET": 3}, "brats2023"),
        ({"background": 0, "NCR": 1, "ED": 2, "ET": 4}, "brats2017"),
        ({"background": 0, "NETC": 1, "SNFH": 2, "ET": 3, "RC": 4}, "brats2024"),
        ({"background": 0, "edema": 1, "necrosis": 2, "enhancing": 3}, "decathlon"),
        ({"background": 0, "liver": 1}, None),
        ({"background": 0, "ED": None}, None),
        ({"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3]}, None),
        ({"background": 0, "whole tumor": [1, 2, 3, 4], "tumor core": [2, 3], "ET": [3]}, None),
    ],
)
def test_labels_speak_for_the_only_scheme_that_has_them(labels, scheme):
    """Names and integers must both fit; else nobody guesses."""
    assert scheme_of({"labels": labels}) == scheme


def test_other_files_of_that_name_are_passed_over(tmp_path):
    """No file, and a file about something else, are no table; a damaged one is told."""
    assert read_dataset_json(tmp_path) is None
    (tmp_path / "dataset.json").write_text('{"phantom": true}')
    assert read_dataset_json(tmp_path) is None
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputFileError):
        read_dataset_json(tmp_path)
