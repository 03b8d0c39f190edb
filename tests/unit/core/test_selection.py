"""Promises of selection: conditions on facts choose cases, and what cannot be decided is an error."""

import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.schemes import COMPLETE
from glioforge.core.selection import parse_condition, select_cases
from strategies import case_ref

COHORT = Cohort(
    "mixed",
    (
        case_ref("a-1", "a", grade="HGG", tumour_ml=50.0, who=4),
        case_ref("b-1", "b", grade="LGG", tumour_ml=5, who=2.0),
        case_ref("c-1", "c", grade="HGG", tumour_ml=8.5),
        case_ref("d-1", "d"),
    ),
    COMPLETE,
)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ([], "abcd"),
        (["grade=HGG"], "ac"),
        (["grade=HGG,LGG"], "abc"),
        (["grade!=HGG"], "b"),
        (["tumour_ml>8.5"], "a"),
        (["tumour_ml >= 8.5"], "ac"),
        (["tumour_ml<8.5"], "b"),
        (["tumour_ml<=8.5"], "bc"),
        (["grade=HGG", "tumour_ml<20"], "c"),
        (["who=2"], "b"),
        (["subject=a,d"], "ad"),
        (["case!=a-1"], "bcd"),
        (["kind=real"], "abcd"),
    ],
)
def test_conditions_choose_cases_in_the_order_of_the_cohort(where, ids):
    """All conditions hold at once; a case without the fact fulfils none."""
    assert "".join(ref.subject_id for ref in select_cases(COHORT, where)) == ids


@pytest.mark.parametrize("text", ["", "grade", "=HGG", "grade=", "grade=HGG,", "tumour_ml>large", "a==b=", "x<"])
def test_what_is_no_condition_is_refused(text):
    """With the forms that there are."""
    if text == "a==b=":
        assert parse_condition(text).values == ("=b=",)
        return
    with pytest.raises(SpecError, match="--where: condition .*; expected FACT=VALUE"):
        parse_condition(text)


def test_unknown_facts_and_values_are_answered_with_those_there_are():
    """A typo never gives an empty cohort."""
    with pytest.raises(CohortError, match="mixed: no case with the fact 'grad'; expected one of case, grade, kind"):
        select_cases(COHORT, ["grad=HGG"])
    with pytest.raises(CohortError, match="mixed: no case has grade=IV; values of grade here: HGG, LGG"):
        select_cases(COHORT, ["grade=IV"])
    with pytest.raises(CohortError, match="grade 'HGG'; expected a number to compare by >"):
        select_cases(COHORT, ["grade>3"])
