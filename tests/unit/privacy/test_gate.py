"""The gate: what passes, what fails, and what it cannot answer."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from glioforge.privacy.copies import near_copies, threshold_of
from glioforge.privacy.evidence import Sides
from glioforge.privacy.gate import judge
from glioforge.privacy.membership import LIKELIHOOD_RATIO
from glioforge.privacy.rules import AuditSpec, rules_hash
from toy_leaks import toy_evidence, with_copies

SPEC = AuditSpec(tpr=0.25, auc=0.7, nearer=0.6, linkage=0.04)
"""Limits that fit the few subjects of these tests."""


@pytest.fixture(scope="module")
def clean():
    """A generator that leaks nothing."""
    return toy_evidence()


def outcome_of(judgement, attack):
    """Outcome of the first finding of an attack."""
    return next(d.outcome for d in judgement.findings if d.finding.attack.startswith(attack))


def test_without_a_leak_it_passes(clean):
    """Every bound lies within its limit, and no case is quarantined."""
    found = judge(clean, SPEC)

    assert (found.verdict, found.reasons, found.quarantine) == ("PASS", (), ())
    assert found.threshold.has_power
    assert all(holds for _, holds in found.controls)
    assert found.threshold.different < found.threshold.value < found.threshold.planted


def test_copies_of_training_subjects_fail(clean):
    """Two cases in a hundred are enough, and each is quarantined with the person it shows."""
    leaky = with_copies(clean)
    found = judge(leaky, SPEC)

    assert found.verdict == "FAIL"
    assert outcome_of(found, "copy rate") == "FAIL"
    assert len(found.quarantine) == 12
    assert near_copies(leaky, threshold_of(leaky)) == found.quarantine
    assert all(leaky.near[case, person] == 11 for case, person, _ in found.quarantine)


def test_few_copies_await_a_decision(clean):
    """One copy is within the limit of the rate, and yet nothing passes before a person has decided on it."""
    leaky = with_copies(clean, 1 / 600)
    waiting = judge(leaky, SPEC)
    case = waiting.quarantine[0][0]

    assert waiting.verdict == "INCONCLUSIVE"
    assert "signed decision" in waiting.reasons[0]
    assert judge(leaky, SPEC, settled=frozenset({case})).verdict == "PASS"


@pytest.mark.parametrize("sides", [Sides(120, 10, 120), Sides(20, 120, 120), Sides(120, 120, 8)])
def test_too_few_subjects_conclude_nothing(sides):
    """Whatever was found; a leak is still mentioned."""
    found = judge(with_copies(toy_evidence(sides=sides), 0.3), SPEC)

    assert found.verdict == "INCONCLUSIVE"
    assert " of at least " in found.reasons[0]
    assert "a leak is shown by copy rate" in found.notes


def test_too_few_cases_conclude_nothing():
    """No copy among 20 cases says nothing about the next thousand."""
    assert judge(toy_evidence(cases=20), SPEC).verdict == "INCONCLUSIVE"


def test_a_search_without_power_concludes_nothing(clean):
    """Planted copies of one disguise that look like different people."""
    hidden = clean.near_planted.copy()
    hidden[:20] = np.minimum(hidden[:20], 1)
    found = judge(replace(clean, near_planted=hidden), SPEC)

    assert found.verdict == "INCONCLUSIVE"
    assert "planted copies not found in 95%: noise" in found.reasons[0]


def test_a_leak_that_is_shown_fails_without_power_too(clean):
    """A search that misses copies can hide a leak, and casts no doubt on one that it found."""
    leaky = with_copies(clean, 0.3)
    hidden = leaky.near_planted.copy()
    hidden[:20] = np.minimum(hidden[:20], 1)
    found = judge(replace(leaky, near_planted=hidden), SPEC)

    assert found.verdict == "FAIL"
    assert found.reasons[0].startswith("copy rate")
    assert "planted copies not found in 95%: noise" in found.notes[0]


def test_a_control_out_of_range_concludes_nothing(clean):
    """Held-out subjects who are nearer than control subjects show that the sides differ."""
    near = clean.near.copy()
    near[:, clean.sides.others] += 1
    found = judge(replace(clean, near=near), SPEC)

    assert found.verdict == "INCONCLUSIVE"
    assert any(reason.startswith("control out of range") for reason in found.reasons)


def test_a_membership_leak_with_a_failed_control_is_no_verdict(clean):
    """A difference between sides that the control shows too may be the split, and not the generator."""
    near = clean.near.copy()
    near[:, : clean.sides.training] += 1.5
    near[:, clean.sides.others] += 0.75
    found = judge(replace(clean, near=near), SPEC)

    assert outcome_of(found, "membership by distance") == "FAIL"
    assert found.verdict == "INCONCLUSIVE"


def test_donors_that_are_the_nearest_fail(clean):
    """By images, and by label maps alone."""
    labels = clean.near_labels.copy()
    labels[:200][np.arange(200), clean.donors[:200]] = 9
    found = judge(replace(clean, near_labels=labels), SPEC)
    detail = next(d.finding for d in found.findings if d.finding.attack.endswith("by label maps")).detail

    assert found.verdict == "FAIL"
    assert outcome_of(found, "donor linkage by label maps") == "FAIL"
    assert outcome_of(found, "donor linkage by images") == "PASS"
    assert detail["linked_cases"] >= 200
    assert detail["fewest_subjects_nearer_than_the_donor"] == 0


def test_weights_need_an_attack_on_the_model(clean):
    """Its scores decide like any others; members who stand out fail."""
    spec = SPEC.model_copy(update={"weights_released": True})
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(3, 120))
    told = scores + np.array([[2.0], [0.0], [0.0]])

    assert "likelihood-ratio attack" in judge(clean, spec).reasons[0]
    assert judge(replace(clean, model={LIKELIHOOD_RATIO: tuple(scores)}), spec).verdict == "PASS"
    assert judge(replace(clean, model={LIKELIHOOD_RATIO: tuple(told)}), spec).verdict == "FAIL"


def test_a_secure_environment_is_judged_by_what_its_users_can_do(clean):
    """Membership is reported there and decides nothing."""
    near = clean.near.copy()
    near[0, : clean.sides.training] += 4
    leaky = replace(clean, near=near)
    spec = SPEC.model_copy(update={"recipient": "secure"})

    assert judge(leaky, SPEC).verdict == "FAIL"
    assert outcome_of(judge(leaky, spec), "membership by distance") == "FAIL"
    assert judge(leaky, spec).verdict == "PASS"


def test_parts_and_attempts_share_one_error():
    """The error of a part is a share of that of the release; parts are declared beforehand."""
    spec = AuditSpec(parts=4, part=2)

    assert AuditSpec().level(1) + AuditSpec().level(2) == pytest.approx(0.05)
    assert 4 * (spec.level(1) + spec.level(2)) == pytest.approx(0.05)
    with pytest.raises(ValidationError, match="part 3 of 2 parts"):
        AuditSpec(parts=2, part=3)


def test_the_hash_of_the_rules_holds_all_that_decides():
    """Another limit, seed or cohort is another registration."""
    hashes = {
        rules_hash(AuditSpec(), synthetic="a"),
        rules_hash(AuditSpec(seed=2), synthetic="a"),
        rules_hash(AuditSpec(copies=0.02), synthetic="a"),
        rules_hash(AuditSpec(), synthetic="b"),
    }

    assert len(hashes) == 4
    assert rules_hash(AuditSpec(), synthetic="a") in hashes
