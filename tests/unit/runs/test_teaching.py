"""Tests of teaching sets: what is asked, what the learner sees, and what the key says."""

import csv

import numpy as np
import pytest

from fixtures_samplers import PLAIN
from glioforge.core import Silent, SpecError
from glioforge.runs.teaching import requests_for, write_teaching_set
from glioforge.sampling.base import train_sampler
from glioforge.sampling.content import train_reader
from glioforge.sampling.method import SAMPLERS
from glioforge.sampling.slices import training_slices
from toy_cohort import toy_cohort

SETTINGS = {"size": 32, "width": 2, "latent": 4, "batch_size": 4, "plane": "axial", "between": (0, 1)}


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    """A sampler that can be asked for all findings, trained for one step."""
    budget = {"steps": 1, "validate_every": 1, "checkpoint_every": 1}
    asked = ("tumour", "size", "side")
    spec = SAMPLERS.parse({"kind": "dcgan", **SETTINGS, "conditions": asked, "least_brain": 0, "budget": budget})
    return train_sampler(toy_cohort([1, 2]), None, spec, tmp_path_factory.mktemp("m") / "m", accelerator=PLAIN)


def test_half_of_the_cases_show_no_tumour_and_the_others_all_sizes_and_sides():
    """In a random order that the seed decides."""
    asked = requests_for(("tumour", "size", "side"), 24, 1)
    present = [request for request in asked if request["tumour"] == "present"]
    assert len(present) == 12
    pairs = {(request["size"], request["side"]) for request in present}
    assert len(pairs) == 6
    assert asked != requests_for(("tumour", "size", "side"), 24, 2)


def test_the_learner_sees_no_answer_and_the_key_has_each(sampler, tmp_path, monkeypatch):
    """Questions name cases and nothing of them; the key names every case once, and says that nobody checked."""
    # The toys' tumours all lie on the right.
    monkeypatch.setattr("glioforge.runs.teaching.FINDING_WORDS", {"tumour": (), "size": ("large",), "side": ("right",)})
    cases = write_teaching_set(sampler, 4, tmp_path / "set")
    questions, answers = ((tmp_path / "set" / f"{name}.html").read_text() for name in ("questions", "answers"))
    with (tmp_path / "set" / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == [case.name for case in cases] == [f"case-{n:03d}" for n in range(1, 5)]
    assert sorted(row["tumour"] for row in rows) == ["absent", "absent", "present", "present"]
    assert {row["side"] for row in rows} == {"", "right"}
    assert "absent" not in questions
    assert "synthetic" in questions
    assert "was not checked" in answers
    assert len(list((tmp_path / "set" / "pictures").glob("*.png"))) == 4


def test_a_reader_learns_presence_and_side_of_tumours(sampler, tmp_path):
    """Trained on toys, it tells slices with tumour from those without; what it cannot see is drawn again."""
    cohort = toy_cohort([1, 2, 3, 4, 5])
    reader = train_reader(sampler.method, cohort, tmp_path / "reader", steps=80, progress=Silent())
    slices = training_slices(sampler.method.spec, cohort, sampler.card.modalities)
    found = reader.read(slices.images.float().numpy())
    shown = slices.findings[:, 0] > 0
    assert np.mean((found[:, 0] > 0.5) == shown) > 0.8
    assert (found[shown, 2] > 0).mean() > 0.9
    assert reader.held_out > 0


def test_samplers_without_conditions_are_refused(tmp_path):
    """The message says how to train one."""
    budget = {"steps": 1, "validate_every": 1, "checkpoint_every": 1}
    spec = SAMPLERS.parse({"kind": "dcgan", **SETTINGS, "budget": budget})
    plain = train_sampler(toy_cohort([1]), None, spec, tmp_path / "m", accelerator=PLAIN)
    with pytest.raises(SpecError, match="asked for tumour"):
        write_teaching_set(plain, 4, tmp_path / "set")
