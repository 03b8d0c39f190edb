"""Tests of `metrics.base`: policies for empty masks."""

import pytest

from glioforge.metrics.base import AGREEMENT, DEFINED, DISTANCE


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(AGREEMENT, (1.0, 0.0, 0.0)), (DISTANCE, (0.0, "diagonal", "diagonal")), (DEFINED, ("formula",) * 3)],
)
def test_a_policy_gives_its_value_for_each_of_the_three_empty_cases(policy, expected):
    """Both empty, prediction empty and truth empty are told apart."""
    found = tuple(policy.fill(case) for case in ("both empty", "prediction empty", "truth empty"))
    assert found == expected


@pytest.mark.parametrize("policy", [AGREEMENT, DISTANCE, DEFINED])
def test_where_no_mask_is_empty_the_formula_decides(policy):
    """No policy replaces a number that the formula can give."""
    assert policy.fill("") == "formula"
