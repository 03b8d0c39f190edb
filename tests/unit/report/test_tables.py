"""Tables of reports."""

from glioforge.core.protocols import VerdictRow
from glioforge.io.tables import ResultRow
from glioforge.report.compare import compare_arms
from glioforge.report.scores import Endpoint, ResultTable, spreads
from glioforge.report.tables import (
    NO_INTERVAL,
    Trained,
    cost_table,
    difference_table,
    empty_table,
    refusal_table,
    score_table,
    spread_table,
    subject_table,
    training_table,
)

ARMS = {"real": "Scans", "more": "Scans + synthetic"}


def rows_of(gains, empty=""):
    """Two arms scored on as many subjects as there are gains."""
    return [
        ResultRow("toy", arm, 0, 0, f"s{n}-1", f"s{n}", "WT", metric, 0.5 + n / 100 + better, unit, empty=empty)
        for n, gain in enumerate(gains)
        for metric, unit in (("dice", "1"), ("hd95", "mm"))
        for arm, better in (("real", 0.0), ("more", gain))
    ]


def study(gains, empty=""):
    """The same as a table of results."""
    return ResultTable(rows_of(gains, empty))


def test_difference_table_has_interval_tests_and_range():
    """A row shows difference, both p, share, range without each subject and what is detectable."""
    table = difference_table(compare_arms(study([0.1, 0.14] * 4), ARMS, ["WT"]), ARMS)
    cells = dict(zip(table.columns, table.rows[0], strict=True))

    assert cells["Arm"] == "Scans + synthetic"
    assert cells["Difference"].startswith("+0.120 (+0.1")
    assert cells["p"] == "0.008"
    assert cells["p, Holm"] == "0.008"
    assert cells["Subjects better"] == "8 of 8"
    assert cells["Without each subject"] == "+0.117 to +0.123"
    assert cells["Effect size"] == "+5.61"
    assert cells["Reading"] == "better"
    assert "corrected over 1 tests" in table.caption
    assert "from “Scans”" in table.caption


def test_two_subjects_have_no_effect_size():
    """Two differences that happen to be alike would make it huge."""
    table = difference_table(compare_arms(study([0.1, 0.1001]), ARMS, ["WT"]), ARMS)
    cells = dict(zip(table.columns, table.rows[0], strict=True))

    assert (cells["Effect size"], cells["Detectable"]) == ("–", "–")
    assert "it is given from 6 subjects on" in table.caption


def test_difference_table_names_who_is_left_out():
    """Subjects without a result in both arms are named, and no number is made up for them."""
    rows = ResultTable(r for r in rows_of([0.1] * 2) if (r.arm, r.subject_id) != ("more", "s1"))
    table = difference_table(compare_arms(rows, ARMS, ["WT"]), ARMS)

    assert "Left out for want of a result in both arms: s1." in table.caption
    assert table.rows[0][-3:] == ("–", "–", "–")


def groups_of(table, metrics, regions=("WT", "TC")):
    """Endpoints by region."""
    return {region: [Endpoint(metric, region, table) for metric in metrics] for region in regions}


def test_score_table_has_a_row_for_each_region_and_arm():
    """Means stand with interval and subjects; the first arm of a region is set off."""
    table = score_table(groups_of(study([0.1] * 7), ("dice", "hd95")), ARMS, "Means.")

    assert table.columns == ("Region", "Arm", "Dice", "HD95, mm", "Subjects")
    assert [row[:2] for row in table.rows] == [(r, a) for r in ("WT", "TC") for a in ARMS.values()]
    assert table.rows[0][2].startswith("0.530 (")
    assert table.rows[2][2:] == ("–", "–", "0")
    assert table.highlight == {0, 2}
    assert table.caption == "Means."


def test_score_table_of_one_group_has_no_column_for_it():
    """Endpoints may have headings of their own and leave the interval out."""
    table = study([0.1] * 7)
    ends = [Endpoint("dice", "WT", table), Endpoint("dice", "WT", table, "Plain", interval=False)]
    shown = score_table({"": ends}, {**ARMS, "never": "Never run"}, "Means.", named="Method")

    assert shown.columns == ("Method", "Dice", "Plain", "Subjects")
    assert [row[2] for row in shown.rows] == ["0.530", "0.630", "–"]
    assert shown.highlight == frozenset()


def test_few_subjects_have_no_interval_and_the_caption_says_why():
    """Below six there is a mean alone; phantoms are called phantoms."""
    few = ResultTable(rows_of([0.1] * 5), noun="phantom")
    table = score_table(groups_of(few, ("dice",)), ARMS, "Means.")

    assert table.rows[0] == ("WT", "Scans", "0.520", "5")
    assert table.columns[-1] == "Phantoms"
    assert table.caption == f"Means. {NO_INTERVAL}"
    assert score_table(groups_of(study([]), ("dice",)), ARMS, "Means.").rows[0][2:] == ("–", "0")


def test_subject_table_has_a_row_a_subject():
    """Every subject has its own row, with a dash where an arm lacks it."""
    rows = ResultTable(r for r in rows_of([0.1] * 2) if (r.arm, r.subject_id) != ("more", "s1"))
    table = subject_table(rows, ARMS, "WT")

    assert table.rows == (("s0", "0.500", "0.600"), ("s1", "0.510", "–"))


def test_empty_table_counts_the_policy():
    """Results that follow the policy for empty masks are counted by kind."""
    rows = ResultTable(rows_of([0.1] * 2, "prediction empty") + rows_of([0.1], "both empty"))
    table = empty_table(rows, ARMS, ["WT"])

    assert table.rows[0] == ("WT", "Scans", "1", "2", "0", "3")


def test_refusal_table_shows_refused_cases():
    """Refused cases stand with their reason; the caption counts who is kept."""
    verdicts = [VerdictRow(f"c{n}", "class_statistics", n > 2, 1.0, "dark oedema") for n in range(5)]
    table = refusal_table(verdicts, most=2)

    assert table.rows == (("c0", "class statistics", "dark oedema"), ("c1", "class statistics", "dark oedema"))
    assert table.caption == "Refused by quality filters. 2 of 5 cases are kept. The first 2 are shown."
    assert refusal_table([]).caption == "Refused by quality filters. No case was judged."


def test_small_p_is_a_bound():
    """A p below a thousandth is given as a bound."""
    table = difference_table(compare_arms(study([0.1, 0.12] * 7), ARMS, ["WT"]), ARMS)

    assert table.rows[0][4] == "< 0.001"


def test_spread_table_has_a_row_for_each_region_and_metric():
    """With quartiles and the counts of empty masks."""
    table = spread_table(spreads(study([0.1] * 3, "both empty"), "real", ("WT",)), "phantom")

    assert table.columns[5] == "Phantoms"
    assert table.rows[0] == ("WT", "Dice", "0.510", "0.510", "0.505 to 0.515", "3", "3", "3 / 0 / 0")
    assert NO_INTERVAL in table.caption
    assert NO_INTERVAL not in spread_table(spreads(study([0.1] * 6), "real", ("WT",))).caption


def test_training_table_shows_dashes_for_what_is_not_known():
    """Steps, kept weights and plateau; a method without a network has neither."""
    table = training_table([Trained("A", 0, 1, 90, 3.0, (), 60, 0.5, plateaued=True), Trained("B", 0, 0, 0, 1.0)])

    assert table.rows == (("A", "0", "1", "90", "60", "0.500", "reached"), ("B", "0", "0", "0", "–", "–", "–"))


def test_costs_are_means_over_trainings():
    """Fitting counts where there are no steps."""
    trainings = [
        Trained("A", 0, 0, 100, 20.0, parameters=1200, peak_gib=1.0, seconds_per_volume=0.4),
        Trained("A", 0, 1, 100, 30.0, parameters=1200, peak_gib=2.0, seconds_per_volume=0.6),
        Trained("B", 0, 0, 0, 3.0),
    ]

    assert cost_table(trainings).rows == (
        ("A", "1 200", "100", "25", "250", "0.50", "2.0"),
        ("B", "0", "0", "3", "–", "–", "0.0"),
    )
