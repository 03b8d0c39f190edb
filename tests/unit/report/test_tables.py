"""Tables of reports."""

import pytest

from glioforge.core.verdict import VerdictRow
from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import Interval
from glioforge.report.compare import compare_arms
from glioforge.report.tables import (
    arm_table,
    difference_table,
    empty_table,
    reading,
    subject_table,
    verdict_table,
    with_interval,
)

ARMS = {"real": "Real", "more": "Real + synthetic"}


def study(gains, note=""):
    """Two arms scored on as many subjects as there are gains."""
    return [
        ResultRow("toy", arm, 0, 0, f"s{n}-1", f"s{n}", "WT", metric, 0.5 + n / 100 + better, unit, note)
        for n, gain in enumerate(gains)
        for metric, unit in (("dice", "1"), ("hd95", "mm"))
        for arm, better in (("real", 0.0), ("more", gain))
    ]


def first_reading(gains):
    """Reading of the one comparison of a study."""
    return reading(compare_arms(study(gains), ARMS, ["WT"])[0])


@pytest.mark.parametrize(
    ("gains", "text"),
    [
        ([0.1] * 4, "4 subjects: too few to conclude"),
        ([0.1], "1 subject: no interval"),
        ([0.1, 0.12] * 4, "better"),
        ([-0.1, -0.12] * 4, "worse"),
        ([0.1, -0.1] * 4, "no difference shown"),
        ([], "no subjects"),
    ],
)
def test_readings_follow_from_the_numbers(gains, text):
    """The words say what test, interval and number of subjects allow."""
    assert first_reading(gains) == text


def test_reading_names_a_gain_that_rests_on_one_subject():
    """A significant difference whose sign hangs on one subject is never called plainly better."""
    entry = compare_arms(study([0.1, 0.12] * 4), ARMS, ["WT"])[0]
    from dataclasses import replace

    from glioforge.metrics.inference import Range

    carried = replace(entry, comparison=replace(entry.comparison, without=Range(-0.01, 0.2, "s0", "s1")))

    assert reading(carried) == "better, but one subject decides"


def test_difference_table_has_interval_tests_and_range():
    """A row shows difference, both p, share, range without each subject and what is detectable."""
    table = difference_table(compare_arms(study([0.1, 0.14] * 4), ARMS, ["WT"]), ARMS)
    cells = dict(zip(table.columns, table.rows[0], strict=True))

    assert cells["Arm"] == "Real + synthetic"
    assert cells["Difference"].startswith("+0.120 (+0.1")
    assert cells["p"] == "0.008"
    assert cells["p, Holm"] == "0.008"
    assert cells["Subjects better"] == "8 of 8"
    assert cells["Without each subject"] == "+0.117 to +0.123"
    assert cells["Effect size"] == "+5.61"
    assert cells["Reading"] == "better"
    assert "corrected over 1 tests" in table.caption
    assert "from “Real”" in table.caption


def test_difference_table_names_who_is_left_out():
    """Subjects without a result in both arms are named, and no number is made up for them."""
    rows = [r for r in study([0.1] * 2) if (r.arm, r.subject_id) != ("more", "s1")]
    table = difference_table(compare_arms(rows, ARMS, ["WT"]), ARMS)

    assert "Left out for want of a result in both arms: s1." in table.caption
    assert table.rows[0][-3:] == ("–", "–", "–")


def test_arm_table_has_a_row_an_arm_and_region():
    """Means stand with interval and subjects; the baseline is set off; few subjects are told."""
    table = arm_table(study([0.1] * 3), ARMS, ["WT", "TC"], ("dice", "hd95"))

    assert table.columns == ("Region", "Arm", "Dice", "HD95, mm", "Subjects")
    assert [row[:2] for row in table.rows] == [(r, a) for r in ("WT", "TC") for a in ARMS.values()]
    assert table.rows[0][2].startswith("0.510 (")
    assert table.rows[2][2:] == ("–", "–", "0")
    assert table.highlight == {0, 2}
    assert table.caption.endswith("3 subjects: too few to conclude.")


def test_arm_table_without_results_says_so():
    """No results give dashes and a caption that says there are no subjects."""
    assert arm_table([], ARMS, ["WT"]).caption.endswith("No subjects.")
    assert arm_table(study([0.1] * 9), ARMS, ["WT"], ("dice",)).caption.endswith("size of its tumour.")


def test_subject_table_has_a_row_a_subject():
    """Every subject has its own row, with a dash where an arm lacks it."""
    rows = [r for r in study([0.1] * 2) if (r.arm, r.subject_id) != ("more", "s1")]
    table = subject_table(rows, ARMS, "WT")

    assert table.rows == (("s0", "0.500", "0.600"), ("s1", "0.510", "–"))


def test_empty_table_counts_the_policy():
    """Results that follow the policy for empty masks are counted by kind."""
    rows = study([0.1] * 2, "prediction empty") + study([0.1], "both empty")
    table = empty_table(rows, ARMS, ["WT"])

    assert table.rows[0] == ("WT", "Real", "1", "2", "0", "3")


def test_verdict_table_shows_refused_cases():
    """Refused cases stand with their reason; the caption counts who is kept."""
    verdicts = [VerdictRow(f"c{n}", "class_statistics", n > 2, 1.0, "dark oedema") for n in range(5)]
    table = verdict_table(verdicts, most=2)

    assert table.rows == (("c0", "class statistics", "dark oedema"), ("c1", "class statistics", "dark oedema"))
    assert table.caption == "Refused by quality filters. 2 of 5 cases are kept. The first 2 are shown."
    assert verdict_table([]).caption == "Refused by quality filters. No case was judged."


def test_numbers_have_the_decimals_of_their_unit():
    """Shares have three decimals, others one; minus signs are true ones and nought has none."""
    assert with_interval(Interval(12.34, 1.0, 20.0, 0.95, 9), "mm") == "12.3 (1.0 to 20.0)"
    assert with_interval(Interval(-0.0001, -0.5, 0.5, 0.95, 9), "1", signed=True) == "+0.000 (−0.500 to +0.500)"
    assert with_interval(Interval(0.5, float("nan"), float("nan"), 0.95, 1), "1") == "0.500"


def test_small_p_is_a_bound():
    """A p below a thousandth is given as a bound."""
    table = difference_table(compare_arms(study([0.1, 0.12] * 7), ARMS, ["WT"]), ARMS)

    assert table.rows[0][4] == "< 0.001"
