"""What BIDS says next to the images: tables of labels, and the lineage of images that Glioforge wrote."""

import json

import pytest

from glioforge.core.lineage import Lineage
from glioforge.io.layouts.bids import BidsLayout, BidsSpec
from glioforge.io.sidecar import NESTED, Sidecar, read_sidecar

DSEG = "derivatives/maker/sub-1/ses-2/anat/sub-1_ses-2_desc-tumor_dseg.nii.gz"
TABLE = "index\tname\n0\tBackground\n1\tNCR\n2\tED\n4\tET\n"


def found_in(folder, files):
    """The one case of a folder of files with these contents."""
    for name, text in {"sub-1/ses-2/anat/sub-1_ses-2_T1w.nii.gz": "", DSEG: "", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (case,) = BidsLayout(BidsSpec()).find(folder)
    return case


@pytest.mark.parametrize(
    "name",
    [
        DSEG.replace(".nii.gz", ".tsv"),
        "derivatives/maker/sub-1/sub-1_desc-tumor_dseg.tsv",
        "derivatives/maker/desc-tumor_dseg.tsv",
        "derivatives/maker/dseg.tsv",
    ],
)
def test_a_table_names_the_labels(tmp_path, name):
    """Next to the labels or inherited from a folder above; background may be missing in it."""
    assert found_in(tmp_path, {name: TABLE}).hint.schemes == ("brats2017",)
    assert found_in(tmp_path, {name: TABLE.replace("0\tBackground\n", "")}).hint.schemes == ("brats2017",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("derivatives/maker/desc-tissue_dseg.tsv", TABLE),
        ("derivatives/maker/sub-9_dseg.tsv", TABLE),
        ("derivatives/maker/desc-tumor_dseg.tsv", "index\tname\n1\tsomething\n"),
        ("derivatives/maker/desc-tumor_dseg.tsv", "a\tb\n1\tET\n"),
        ("derivatives/maker/desc-tumor_dseg.tsv", ""),
    ],
)
def test_a_table_about_something_else_says_nothing(tmp_path, name, text):
    """Of other labels, of another subject, with unknown names or columns, or empty."""
    assert found_in(tmp_path, {name: text}).hint.schemes == ()


def test_lineage_is_found_in_the_metadata_of_an_image(tmp_path):
    """Under a key of its own; metadata of others are left alone, damaged ones too."""
    name = "sub-1/ses-2/anat/sub-1_ses-2_T1w.json"
    assert found_in(tmp_path, {name: '{"EchoTime": 3,}'}).sidecar is None
    lineage = Lineage.synthetic("spade", {"p": Lineage.real("x", "p")}, seed=1)
    text = json.dumps({"EchoTime": 3, NESTED: {"kind": "synthetic", "lineage": lineage.to_json()}})
    found = found_in(tmp_path, {name: text})

    assert read_sidecar(found.sidecar, found.case_id) == Sidecar(lineage)
