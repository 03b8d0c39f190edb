"""Attacks and their bounds: known answers, exact p-values, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from glioforge.core import CohortError
from glioforge.privacy.attributes import AttributeDisclosure, adjusted
from glioforge.privacy.copies import CopyRate, share_nearer
from glioforge.privacy.evidence import Attribute
from glioforge.privacy.finding import (
    Attack,
    Limits,
    delong,
    lower_share,
    roc_of,
    upper_clustered,
    upper_difference,
    upper_share,
)
from glioforge.privacy.gate import ATTACKS
from glioforge.privacy.membership import DENSITY, DISTANCE, likelihood_ratios
from toy_leaks import toy_evidence, with_copies


@pytest.mark.parametrize(("hits", "trials"), [(0, 300), (3, 300), (15, 1500), (299, 300)])
def test_bounds_of_shares_are_those_of_clopper_and_pearson(hits, trials):
    """One-sided at 5 % is the end of the two-sided interval at 90 %."""
    ends = binomtest(hits, trials).proportion_ci(0.9, "exact")

    assert upper_share(hits, trials, 0.05) == pytest.approx(ends.high)
    assert lower_share(hits, trials, 0.05) == pytest.approx(ends.low)


def test_bounds_cover():
    """The upper bounds of a difference and of clustered shares lie below the truth in about 5 % of samples at most."""
    rng = np.random.default_rng(1)
    first, second = (rng.binomial(400, rate, 1500).tolist() for rate in (0.05, 0.02))
    below = [upper_difference((a, 400), (b, 400), 0.05) < 0.03 for a, b in zip(first, second, strict=True)]
    clusters = np.repeat(np.arange(60), 5)
    shares = rng.beta(1, 9, (600, 60))
    missed = [upper_clustered(rng.random(300) < share[clusters], clusters, 0.05) < 0.1 for share in shares]

    assert np.mean(below) <= 0.065
    assert np.mean(missed) <= 0.08


def test_area_and_its_spread_by_hand():
    """Three of four pairs in order, and a curve that ends at 1."""
    area, _ = delong(np.array([1.0, 3.0]), np.array([0.0, 2.0]))
    roc = roc_of(np.arange(100.0) + 50, np.arange(100.0), 0.05)

    assert area == 0.75
    assert roc.auc > 0.85
    assert roc.rates[1] == pytest.approx(0.54, abs=0.02)
    assert roc.curve[0][-1] == roc.curve[1][-1] == 1
    assert roc.bound > roc.auc
    assert roc.p < 1e-10


def test_rate_at_five_percent_is_tested_exactly():
    """Scores drawn alike give a p-value below 5 % in about 5 % of samples."""
    rng = np.random.default_rng(2)
    found = [roc_of(*rng.normal(size=(2, 100)), 0.05) for _ in range(400)]

    assert 0.01 <= np.mean([roc.rate_p <= 0.05 for roc in found]) <= 0.08
    assert 0.02 <= np.mean([roc.p <= 0.05 for roc in found]) <= 0.08


def test_share_nearer_counts_hubs():
    """Where one person is everybody's nearest, the share has the spread of one coin."""
    near = np.zeros((400, 20), np.float32)
    near[:, 3] = 1
    share, spread = share_nearer(near, np.arange(20))

    assert share == 1
    assert spread == pytest.approx(0.5, abs=0.02)


def test_held_out_copies_are_no_leak():
    """Cases that resemble held-out subjects as often as training ones have no excess."""
    evidence = with_copies(toy_evidence(), 0.05)
    swapped = evidence.near.copy()
    half = np.flatnonzero((evidence.near == 11).any(axis=1))[::2]
    swapped[half, :240] = np.roll(swapped[half, :240], 120, axis=1)
    finding = CopyRate().findings(replace(evidence, near=swapped), Limits(), 0.05, 1)[0]

    assert abs(finding.estimate) < 0.01
    assert finding.p > 0.2


def test_density_finds_members_whom_cases_lie_around():
    """Cases around training subjects make the ratio large there; the control stays at chance."""
    evidence = toy_evidence()
    rng = np.random.default_rng(3)
    around = evidence.people_points[evidence.donors] + 0.2 * rng.normal(size=evidence.made_points.shape)
    leaky = replace(evidence, made_points=around)

    assert DENSITY.findings(leaky, Limits(), 0.05, 1)[0].estimate > 0.7
    assert DENSITY.findings(evidence, Limits(), 0.05, 1)[0].p > 0.01
    assert abs(DENSITY.controls(leaky)[0].auc - 0.5) < 0.12
    assert len(DISTANCE.controls(evidence)) == 2


def test_attributes_that_only_training_subjects_have_in_the_release_are_disclosed():
    """Cases with a training subject's anatomy and volume tell its volume; others' is guessed no better."""
    evidence = toy_evidence()
    people = evidence.attributes[0].people
    copied = Attribute("tumour volume", people[evidence.donors], people)
    leaky = replace(evidence, made_anatomy=evidence.people_anatomy[evidence.donors], attributes=(copied,))
    attack = AttributeDisclosure()

    assert attack.findings(leaky, Limits(), 0.05, 1)[0].estimate > 0.7
    assert attack.findings(evidence, Limits(), 0.05, 1)[0].estimate < 0.6
    assert attack.controls(leaky)[0].p > 0.01


def test_errors_are_freed_from_size_and_site():
    """What size and site explain is gone; what is not known stays unknown."""
    rng = np.random.default_rng(4)
    size, sites = rng.normal(size=200), rng.integers(3, size=200)
    errors = 2 * size + sites + 0.1 * rng.normal(size=200)
    errors[5] = np.nan
    left = adjusted(errors, size, sites)

    assert np.isnan(left[5])
    assert np.nanstd(left) < 0.15


def test_likelihood_ratio_tells_members():
    """Shadow models show by how much membership raises a score; too few of them are refused."""
    rng = np.random.default_rng(5)
    base = rng.normal(size=80)
    inside = rng.permuted(np.tile(np.arange(16) < 8, (80, 1)), axis=1).T
    shadows = base + 1.0 * inside + 0.3 * rng.normal(size=(16, 80))
    members = np.arange(80) < 40
    target = base + 1.0 * members + 0.3 * rng.normal(size=80)
    ratio = likelihood_ratios(target, shadows, inside)

    assert delong(ratio[members], ratio[~members])[0] > 0.95
    assert delong(target[members], target[~members])[0] < 0.9
    with pytest.raises(CohortError, match="8 shadow models.*at least 16.*random halves"):
        likelihood_ratios(target, shadows[:8], inside[:8])


def test_every_attack_says_what_its_attacker_holds():
    """One sentence each, and the protocol of attacks."""
    for attack in ATTACKS:
        assert isinstance(attack, Attack)
        assert attack.knows.endswith((".", "?"))
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
