"""Lineage leaves with the images and comes back whole."""

import json

import pytest
from hypothesis import given

from glioforge.core.errors import InputFileError
from glioforge.core.lineage import Lineage
from glioforge.io.sidecar import Sidecar, read_sidecar, write_sidecar
from strategies import lineages


@given(lineage=lineages().filter(lambda lineage: lineage.kind != "real" and lineage.subjects))
def test_lineage_comes_back(tmp_path_factory, lineage):
    """Every subject, parent, seed, hash and edit is read back."""
    path = tmp_path_factory.mktemp("sidecar") / "c.json"
    sidecar = Sidecar(lineage, "s1", "2", "complete", {"grade": "HGG"})
    write_sidecar(path, sidecar)
    assert read_sidecar(path, "c") == sidecar


def test_phantom_is_its_own_subject(tmp_path):
    """A phantom's file without a lineage makes the phantom its own subject; drawn parameters tell the site."""
    path = tmp_path / "c.json"
    path.write_text('{"kind": "phantom", "seed": 5}', encoding="utf-8")
    assert read_sidecar(path, "c") == Sidecar(Lineage.phantom("c", 5))
    path.write_text('{"phantom": "c", "seed": 5, "scanner": {"site": "north"}}', encoding="utf-8")
    assert read_sidecar(path, "c") == Sidecar(Lineage.phantom("c", 5), scheme="brats2017", facts={"site": "north"})


@pytest.mark.parametrize("text", ["[]", "{}", '{"kind": "participant"}', '{"kind": "real"}'])
def test_other_json_is_no_sidecar(tmp_path, text):
    """A JSON file about something else tells nothing."""
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    assert read_sidecar(tmp_path / "c.json", "c") is None


WHOLE = Lineage.synthetic("spade", {"p": Lineage.real("x", "p")}, seed=1).to_json()


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "synthetic"},
        {"kind": "synthetic", "lineage": {}},
        {"kind": "synthetic", "lineage": {**WHOLE, "kind": "real"}},
        {"kind": "synthetic", "lineage": {**WHOLE, "subjects": []}},
        {"kind": "synthetic", "lineage": {**WHOLE, "subjects": [1]}},
        {"kind": "synthetic", "lineage": WHOLE, "subject_id": 4},
        {"kind": "phantom", "seed": "many"},
        {"kind": "phantom", "facts": 3},
    ],
)
def test_broken_lineage_is_refused(tmp_path, values):
    """A synthetic case whose subjects are not all told cannot be used."""
    (tmp_path / "c.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(InputFileError, match="a sidecar without a whole lineage"):
        read_sidecar(tmp_path / "c.json", "c")
