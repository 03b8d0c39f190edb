"""The planner: what an audit needs, and what makes it pointless."""

import pytest

from glioforge.privacy.plan import CASES_EACH, POWER, Sizes, detectable, needed_sizes, pass_chance, plan_audit
from glioforge.privacy.rules import AuditSpec

SPEC = AuditSpec()


def test_about_three_hundred_subjects_are_needed():
    """And some synthetic cases for each; one step fewer does not reach the power."""
    needed = needed_sizes(SPEC, SPEC.level(1))
    fewer = Sizes(*(count - 25 for count in (needed.training, needed.held_out, needed.control)), needed.cases - 175)

    assert 250 <= needed.training == needed.held_out <= 400
    assert needed.cases == CASES_EACH * needed.training
    assert pass_chance(needed, SPEC, 0.04) >= POWER > pass_chance(fewer, SPEC, 0.04)


@pytest.mark.parametrize("sizes", [Sizes(11, 5, 5, 60), Sizes(100, 99, 50, 300), Sizes(100, 100, 50, 299)])
def test_too_few_are_said_to_be_inconclusive_beforehand(sizes):
    """With what would be needed."""
    plan = plan_audit(sizes, SPEC)

    assert plan.chance == 0
    assert "INCONCLUSIVE whatever is found" in str(plan)
    assert str(plan.needed) in str(plan)


def test_more_of_anything_helps_and_stricter_rules_cost():
    """The re-audit, parts and released weights need more; a secure environment less."""
    large = Sizes(400, 400, 400, 2000)
    plan = plan_audit(large, SPEC)

    assert plan.chance > POWER
    assert "For a probability" not in str(plan)
    assert plan_audit(Sizes(400, 400, 400, 4000), SPEC).chance >= plan.chance
    assert plan_audit(large, SPEC, attempt=2).chance < plan.chance
    assert plan_audit(large, AuditSpec(parts=4)).needed.training > plan.needed.training
    assert plan_audit(large, AuditSpec(weights_released=True)).chance < plan.chance
    assert needed_sizes(AuditSpec(recipient="secure"), 0.04).training <= plan.needed.training


def test_detectable_share_falls_with_the_number_of_cases():
    """Few cases cannot show rare copies."""
    shares = [detectable(count) for count in (5, 300, 1500, 10_000)]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1
