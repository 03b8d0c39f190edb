"""The verdict sentences, which people will quote: every branch, and never more than the numbers carry."""

from dataclasses import replace

import pytest

from glioforge.io.tables import ResultRow
from glioforge.report.compare import compare_arms
from glioforge.report.scores import Endpoint, ResultTable
from glioforge.report.words import (
    comparison_json,
    counted,
    finding,
    leading,
    number,
    outdone,
    p_text,
    ranking,
    reading,
    standings,
    with_interval,
)
from glioforge.statistics.inference import Range
from glioforge.statistics.intervals import Interval

ARMS = {"real": "Scans", "more": "Scans + synthetic"}


def table(gains, metric="dice", noun="subject"):
    """Two arms scored on as many subjects as there are gains."""
    rows = [
        ResultRow("toy", arm, 0, 0, f"s{n}-1", f"s{n}", "WT", metric, 0.5 + n / 100 + better, "1")
        for n, gain in enumerate(gains)
        for arm, better in (("real", 0.0), ("more", gain))
    ]
    return ResultTable(rows, noun=noun)


def entry(gains, **values):
    """The one comparison of a table."""
    return compare_arms(table(gains, **values), ARMS, ["WT"])[0]


GAINS = [0.1, 0.12] * 4
EVEN = [0.1, -0.1] * 4


@pytest.mark.parametrize(
    ("gains", "text"),
    [
        ([0.1] * 4, "4 subjects: too few to conclude"),
        ([0.1], "1 subject: too few to conclude"),
        (GAINS, "better"),
        ([-0.1, -0.12] * 4, "worse"),
        (EVEN, "no difference shown"),
        ([], "no subjects"),
    ],
)
def test_readings_follow_from_the_numbers(gains, text):
    """The words say what test, interval and number of subjects allow."""
    assert reading(entry(gains)) == text


@pytest.mark.parametrize(
    ("gains", "text"),
    [
        (GAINS, "A is better than B (Dice +0.110, 95 % interval +0.101 to +0.119, p = 0.008, 8 subjects)."),
        ([-0.1, -0.12] * 4, "A is worse than B (Dice −0.110"),
        (EVEN, "A is not distinguishable from B (Dice +0.000"),
        ([0.1] * 4, "Not answered for A against B: Dice +0.100 on 4 subjects, too few to conclude."),
        ([], "A and B have no subject in common."),
        (
            [0.1, 0.12] * 8,
            "A is better than B (Dice +0.110, 95 % interval +0.104 to +0.116, p < 0.001, 16 subjects).",
        ),
    ],
)
def test_findings_say_what_was_found_how_sure_and_on_how_many(gains, text):
    """One sentence for each branch."""
    assert finding(entry(gains), "A", "B", "dice").startswith(text)


def test_a_gain_that_rests_on_one_subject_is_named():
    """A significant difference whose sign hangs on one subject is never called plainly better."""
    found = entry(GAINS, noun="phantom")
    carried = replace(found, comparison=replace(found.comparison, without=Range(-0.01, 0.2, "s0", "s1")))

    assert reading(carried) == "better, but one phantom decides"
    assert finding(carried, "A", "B", "dice").endswith("8 phantoms), but one phantom decides.")


def test_phantoms_are_counted_as_phantoms():
    """In every sentence that counts them."""
    assert reading(entry([0.1] * 4, noun="phantom")) == "4 phantoms: too few to conclude"
    assert "on 4 phantoms" in finding(entry([0.1] * 4, noun="phantom"), "A", "B", "dice")
    assert "8 unseen phantoms" in leading(Endpoint("dice", "WT", table(GAINS, noun="phantom")), ARMS, (), "Dice")


@pytest.mark.parametrize(
    ("gains", "references", "text"),
    [
        (
            GAINS,
            ("real",),
            "Dice, on 8 unseen subjects: Scans + synthetic 0.645 is the best mean of 2. Against Scans, better",
        ),
        (EVEN, ("real",), "is the best mean of 2. Against Scans, no difference shown: Scans + synthetic."),
        (GAINS, (), "No reference was named, so no difference was tested."),
        ([0.1] * 3, ("real",), "is the best mean of 2. Not answered: 3 subjects are too few to conclude."),
        ([], ("real",), "No method has results on unseen subjects."),
    ],
)
def test_leading_names_the_best_mean_and_what_the_references_show(gains, references, text):
    """Of several methods by one endpoint."""
    assert text in leading(Endpoint("dice", "WT", table(gains)), ARMS, references, "Dice")


def test_standings_need_a_reference_and_enough_subjects():
    """Nothing without a reference; too few subjects are said to be too few."""
    assert standings(Endpoint("dice", "WT", table(GAINS)), ARMS, ()) == ""
    told = standings(Endpoint("dice", "WT", table([0.1] * 3)), ARMS, ("real",))
    assert told == "Against Scans, too few subjects to conclude: Scans + synthetic."


def test_what_is_not_better_than_no_network_is_named():
    """Equal or worse than the arm without a network, by the metric's own direction; better ones are passed over."""
    dice = Endpoint("dice", "WT", table([-0.1] * 8), "Dice, WT")
    told = outdone(dice, {"more": "the generator", "never": "Never trained"}, "real", "Class means")

    assert told == (
        "Class means has a mean at least as good without a trained network: Dice, WT 0.535 on 8 subjects, "
        "against the generator 0.435."
    )
    assert outdone(dice, {"real": "itself"}, "more", "Class means") == ""
    assert outdone(Endpoint("dice", "WT", table([0.0] * 8)), {"more": "B"}, "real", "A")
    assert outdone(Endpoint("mae", "WT", table([0.1] * 8, "mae")), {"more": "B"}, "real", "A")
    assert outdone(dice, {"more": "B"}, "never", "A") == ""


def test_ratios_are_better_the_nearer_to_one():
    """1.3 is farther from the ideal than 0.9."""
    rows = [
        ResultRow("toy", arm, 0, 0, f"s{n}", f"s{n}", "WT", "grain_ratio", value + n / 1000, "1")
        for n in range(8)
        for arm, value in (("real", 1.3), ("more", 0.9))
    ]
    endpoint = Endpoint("grain_ratio", "WT", ResultTable(rows))

    assert standings(endpoint, ARMS, ("real",)) == "Against Scans, better: Scans + synthetic."
    assert ranking(endpoint, {**ARMS, "never": "Never"}) == ["Scans + synthetic 0.904", "Scans 1.303"]


def test_comparisons_are_plain_values_for_programs():
    """Numbers, or null where there is none."""
    few = comparison_json(entry([0.1] * 3), "dice")

    assert (few["method"], few["metric"], few["region"], few["subjects"]) == ("more", "dice", "WT", 3)
    assert few["difference"] == pytest.approx(0.1)
    assert (few["low"], few["high"]) == (None, None)


def test_numbers_have_the_decimals_of_their_unit():
    """Shares have three decimals, others one; minus signs are true ones and nought has none."""
    assert with_interval(Interval(12.34, 1.0, 20.0, 0.95, 9), "mm") == "12.3 (1.0 to 20.0)"
    assert with_interval(Interval(-0.0001, -0.5, 0.5, 0.95, 9), "1", signed=True) == "+0.000 (−0.500 to +0.500)"
    assert with_interval(Interval(0.5, float("nan"), float("nan"), 0.95, 1), "1") == "0.500"
    assert number(float("nan"), "mm") == "–"
    assert [p_text(p) for p in (float("nan"), 0.0004, 0.25)] == ["–", "< 0.001", "0.250"]
    assert counted(1, "fold") == "1 fold"
