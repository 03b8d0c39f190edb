"""Figures and tables of comparisons of methods."""

import numpy as np
import pytest

from glioforge.io.tables import ResultRow
from glioforge.report.distribution_table import spread_table, spreads
from glioforge.report.method_figures import look_of, method_plot, training_panels
from glioforge.report.page import PNG_SIGNATURE
from glioforge.studies.comparing import SegmentersSpec
from glioforge.studies.method_tables import (
    Endpoint,
    cost_table,
    curves_figure,
    method_table,
    over_contrasts,
    reference_blocks,
    verdict_text,
)
from glioforge.studies.record import Cost, Record, Training

METHODS = {"a": "Method A", "b": "Method B", "never": "Never run"}
SPEC = SegmentersSpec(
    name="toy",
    title="Toy",
    references=("a",),
    methods={name: {"segmenter": "unet", "title": title} for name, title in METHODS.items()},
)


def rows_of(subjects, metric="dice", regions=("WT",), better=0.1, note=""):
    """Method B is better by so much on every subject."""
    return [
        ResultRow("toy", arm, 0, 0, f"s{n}", f"s{n}", region, metric, 0.5 + n / 50 + shift, "1", note)
        for n in range(subjects)
        for region in regions
        for arm, shift in (("a", 0.0), ("b", better))
    ]


def test_tables_show_means_with_intervals_and_dashes():
    """One row a method."""
    endpoints = [Endpoint("dice", "WT", rows_of(3)), Endpoint("dice", "WT", rows_of(3), "Plain", interval=False)]
    table = method_table(endpoints, METHODS, "Dice", seed=0)

    assert table.columns == ("Method", "Dice", "Plain")
    assert [row[2] for row in table.rows] == ["0.520", "0.620", "–"]
    assert table.rows[0][1].startswith("0.520 (")


def test_means_over_contrasts_are_those_of_methods_that_make_all_of_them():
    """A method with fewer contrasts has none; notes are told apart by how they begin."""
    rows = rows_of(1, "ssim", ("brain/t1", "brain/flair"), note="mean of draws against the scan")
    rows += rows_of(1, "ssim", ("brain/t1", "brain/flair"), better=9.0, note="one draw against the scan")
    rows = [row for row in rows if (row.arm, row.region) != ("b", "brain/flair")]

    pooled = [row for row in over_contrasts(rows, "mean of draws") if row.region == "brain"]

    assert [(row.arm, row.value) for row in pooled] == [("a", 0.5)]


@pytest.mark.parametrize(
    ("subjects", "told"),
    [(8, "Against Method A, better: Method B"), (3, "Against Method A, too few subjects to tell: Method B")],
)
def test_verdicts_name_who_is_better(subjects, told):
    """With as many subjects as a test needs, and with fewer."""
    rows = rows_of(subjects)

    assert verdict_text(SPEC, METHODS, Endpoint("dice", "WT", rows)).startswith(told)
    table, figure = reference_blocks(SPEC, METHODS, [Endpoint("dice", "WT", rows)])
    assert table.columns[1] == "Method"
    assert figure.png.startswith(PNG_SIGNATURE)


def test_ratios_are_better_the_nearer_to_one():
    """1.3 is farther from the ideal than 0.9."""
    rows = [
        ResultRow("toy", arm, 0, 0, f"s{n}", f"s{n}", "brain", "grain_ratio", value + n / 1000, "1")
        for n in range(8)
        for arm, value in (("a", 1.3), ("b", 0.9))
    ]

    assert "better: Method B" in verdict_text(SPEC, METHODS, Endpoint("grain_ratio", "brain", rows))


def test_costs_are_means_over_trainings_and_fitting_counts_where_there_are_no_steps():
    """Methods that never ran are left out."""
    trainings = [
        Record("", "synthesizer", arm=arm, training=Training(size, steps, seconds=seconds), cost=Cost(whole, 1.0))
        for arm, size, steps, seconds, whole in (
            ("a", 1200, 100, 20.0, 99.0),
            ("a", 1200, 100, 30.0, 99.0),
            ("b", 0, 0, None, 3.0),
        )
    ]
    scorings = [Record("", "images", arm="a", cost=Cost(1.0, 1.0, seconds_per_volume=0.5))]

    table = cost_table(METHODS, trainings, scorings)

    assert [row[0] for row in table.rows] == ["Method A", "Method B"]
    assert table.rows[0][2:6] == ("100", "25", "250", "0.50")
    assert table.rows[1][2:6] == ("0", "3", "–", "–")
    assert curves_figure(METHODS, trainings) is None


def test_figures_show_methods_without_results_too():
    """The same bytes each time."""
    histories = [("Method A", [{"step": 1, "l1": 2.0, "odd": 1.0}, {"step": 2, "l1": 1.0, "score": None}])]
    histories.append(("Method B", [{"step": 1, "l1": 2.0}]))

    for draw in (
        lambda: method_plot(rows_of(4), METHODS, ("WT", "TC"), "dice"),
        lambda: training_panels(histories, tuple(METHODS.values())),
        lambda: training_panels([], ()),
    ):
        assert draw() == draw()
        assert draw().startswith(PNG_SIGNATURE)


def test_no_two_methods_look_alike():
    """Up to 49 of them."""
    assert len({str(look_of(place)) for place in range(49)}) == 49


def test_spread_tells_quartiles_and_empties():
    """A subject counts once, and rows of the policy are counted."""
    rows = [
        ResultRow("toy", "a", 0, 0, f"s{n}", f"s{n}", "WT", "dice", value, "1", note)
        for n, (value, note) in enumerate([(0.0, "prediction empty"), (0.5, ""), (1.0, "both empty")])
    ]
    (spread,) = spreads(rows, "a", ("WT", "TC"))

    assert spread.quartiles == (0.25, 0.5, 0.75)
    assert spread.empty == (1, 1, 0)
    assert spread_table([spread]).rows[0][3:] == ("0.500", "0.250 to 0.750", "3", "3", "1 / 1 / 0")
    assert spread.to_json()["mean"] == pytest.approx(0.5)
    (alone,) = spreads(rows[:1], "a", ("WT",))
    assert (alone.to_json()["low"], np.isnan(alone.mean.low)) == (None, True)
