"""Promises of the method `ensemble`: members are trained apart, one is drawn for each volume, variety is measured."""

import numpy as np
import pytest
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import stream
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from toy_cohort import toy_cohort, toy_labels

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
BUDGET = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
NETWORK = {"kind": "regression", "widths": [2, 4], "batch_size": 2}
EVEN = {"kind": "painted", "preset": "means"}


def spec(members, **more):
    """An ensemble of these."""
    return SYNTHESIZERS.parse({"kind": "ensemble", "members": members, "budget": BUDGET, **more})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of a network, and evenly painted classes."""
    folder = tmp_path_factory.mktemp("ensemble") / "m"
    return train_synthesizer(
        toy_cohort([1, 2]), None, spec([NETWORK, EVEN], seeds=2), folder, seed=1, accelerator=PLAIN
    )


def test_each_network_is_trained_with_a_seed_of_its_own(trained):
    """Painted classes need no second seed; what was trained is read again from one file."""
    members = load_synthesizer(trained.folder, PLAIN)._method._members
    weights = [next(member.network.parameters()).detach().numpy() for member in members[:2]]

    assert [member.spec.kind for member in members] == ["regression", "regression", "painted"]
    assert (weights[0] != weights[1]).any()
    assert {member.spec.budget.steps for member in members} == {2}
    assert trained.parameters == 2 * sum(p.numel() for p in members[0].network.parameters())
    assert trained.card.outcome.steps == 2


def test_usual_members_are_the_house_method_and_painted():
    """The strongest with a network, and the control without one."""
    assert [member.kind for member in SYNTHESIZERS.parse("ensemble").members] == ["sound", "painted"]


def test_every_member_is_drawn(trained):
    """Over many volumes each with about the same share; the painted one tells by even classes."""
    labels = toy_labels(5)
    even = 0
    for number in range(60):
        (image, *_) = trained.synthesize(labels, stream(number, "draw")).values()
        even += image.voxels[labels.voxels == 4].std() < 1e-3
    assert 8 <= even <= 32


def test_the_card_says_what_variety_the_members_bring(trained):
    """Two draws of one member are more alike than two members' images."""
    told = trained.facts["likeness of two images of one map (MS-SSIM)"]
    within, between = (float(word) for word in told.split() if word[0].isdigit())

    assert trained.facts["members"] == "3 (regression, regression, painted)"
    assert within > between
    assert np.isfinite([within, between]).all()


def test_an_ensemble_of_ensembles_is_refused():
    """Members are listed flat."""
    with pytest.raises(ValidationError, match="list its members instead"):
        spec([{"kind": "ensemble", "members": [EVEN]}])


def test_validation_that_selects_a_member_selects_the_ensemble():
    """So that the firewall and a study know."""
    assert not spec([NETWORK]).select
    assert spec([{**NETWORK, "select": True}, EVEN]).select
