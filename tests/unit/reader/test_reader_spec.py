"""Tests of `reader.spec`: presets follow the papers, and contradictions are refused."""

import pytest

from glioforge.config.load import parse_spec, resolved_yaml
from glioforge.core.errors import SpecError
from glioforge.reader.spec import CALLS, ReaderSpec


@pytest.mark.parametrize(
    ("preset", "kind", "counts"),
    [("han2018", "turing", (50, 50)), ("carver", "turing", (9, 10)), ("guo2020", "preference", (61, 61))],
)
def test_presets_are_the_studies_of_the_papers(preset, kind, counts):
    """Numbers of items, no practice, no repeats."""
    spec = parse_spec({"preset": preset}, ReaderSpec)

    assert (spec.kind, (spec.real, spec.synthetic)) == (kind, counts)
    assert (spec.practice, spec.repeats, spec.feedback) == (0, 0.0, False)


@pytest.mark.parametrize(
    "values",
    [
        {"real": 0, "synthetic": 0},
        {"kind": "delineation", "show": "volume"},
        {"kind": "choice", "diagnose": True},
        {"cues": ["a", "a"]},
        {"cues": ["a;b"]},
        {"analysis": {"margin": 0.5}},
        {"kind": "unknown"},
    ],
)
def test_contradictions_are_refused(values):
    """No study starts from them."""
    with pytest.raises(SpecError):
        parse_spec(values, ReaderSpec)


@pytest.mark.parametrize("kind", CALLS)
def test_every_kind_has_settings_that_can_be_written_down(kind):
    """A kind without a call asks for a score or a drawing."""
    spec = parse_spec({"kind": kind}, ReaderSpec)

    assert spec.calls or spec.scores or kind == "delineation"
    assert spec.paired == (kind in {"choice", "preference"})
    assert f"kind: {kind}" in resolved_yaml(spec)
