"""Figures of reports."""

import io
from functools import cache

import numpy as np
import pytest

from glioforge.core.protocols import Stage
from glioforge.io.tables import ResultRow
from glioforge.report.compare import compare_arms
from glioforge.report.page import PNG_SIGNATURE
from glioforge.report.plots import difference_plot, funnel, look_of, subject_plot, training_plot
from glioforge.report.scores import ResultTable
from glioforge.report.style import legend_below, sheet
from glioforge.report.tables import Trained

ARMS = {"real": "Real", "more": "Real + synthetic", "absent": "Never trained"}
ROWS = ResultTable(
    ResultRow("toy", arm, 0, seed, f"s{n}-1", f"s{n}", region, "dice", 0.5 + n / 20 + better + seed / 50, "1")
    for n in range(7)
    for seed in range(2)
    for region in ("WT", "TC")
    for arm, better in (("real", 0.0), ("more", 0.1))
)
TRAINED = [
    Trained("Real", 0, 0, 20, 1.0, [{"step": 10, "score": 0.4}, {"step": 20, "score": 0.6}], plateaued=True),
    Trained("More", 0, 0, 20, 1.0, [{"step": 10, "score": 0.2, "odd": 1.0}, {"step": 20, "score": None}]),
]
TITLES = ("Real", "More", "Never trained")


def pixels(png):
    """Pixels of a PNG file."""
    from matplotlib.image import imread

    assert png.startswith(PNG_SIGNATURE)
    return imread(io.BytesIO(png))


def has_colour(png, colour, tolerance=0.02):
    """Whether a colour occurs in a picture."""
    wanted = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return bool((np.abs(pixels(png)[..., :3] - wanted) < tolerance).all(axis=-1).any())


DRAWN = {
    "subjects": lambda: subject_plot(ROWS, ARMS, ["WT", "TC"]),
    "trainings": lambda: training_plot(TRAINED, TITLES),
    "differences": lambda: difference_plot(compare_arms(ROWS, ARMS, ["WT", "TC"]), ARMS, "difference in Dice"),
    "funnel": lambda: funnel([Stage("made", 12), Stage("class_statistics", 7)]),
}


@cache
def drawn(name):
    """A figure, drawn once for all tests."""
    return DRAWN[name]()


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_drawn_the_same_every_time(name):
    """Every figure shows something, and the same input gives the same bytes."""
    first, second = drawn(name), DRAWN[name]()

    assert first == second
    assert pixels(first).std() > 0.01


@pytest.mark.parametrize(
    "empty",
    [
        lambda: training_plot([], ()),
        lambda: funnel([]),
        lambda: funnel([Stage("made", 0)]),
        lambda: subject_plot(ResultTable([]), ARMS, ["WT"]),
        lambda: difference_plot([], ARMS, "difference"),
    ],
)
def test_empty_figures_are_still_figures(empty):
    """Nothing to show gives empty axes and no error."""
    assert pixels(empty()).ndim == 3


def test_arms_keep_their_colours_from_figure_to_figure():
    """The second arm has the second colour in both figures of arms."""
    assert has_colour(drawn("subjects"), "#D55E00")
    assert has_colour(drawn("differences"), "#D55E00")
    assert has_colour(drawn("subjects"), "#0072B2")


def test_a_ring_marks_the_score_that_levelled_off():
    """Only where the training stopped at its plateau; scalars may be chosen by name."""
    flat = [Trained(t.title, 0, 0, 20, 1.0, t.history, plateaued=False) for t in TRAINED]
    one = {"score": "mean Dice of validation subjects"}

    assert training_plot(TRAINED, TITLES, one) != training_plot(flat, TITLES, one)
    assert pixels(training_plot(TRAINED, TITLES, one)).shape == pixels(training_plot(flat, TITLES, one)).shape


def test_few_arms_are_joined_by_subject():
    """A line joins each subject's values of up to five arms; of more, dots alone."""
    few = {f"arm {n}": f"arm {n}" for n in range(5)}
    rows = [
        ResultRow("toy", arm, 0, 0, "a", "a", "WT", "dice", place / 10, "1")
        for place, arm in enumerate([*few, "arm 5"])
    ]
    table = ResultTable(rows)
    joined, dots = (pixels(subject_plot(table, arms, ["WT"])) for arms in (few, {**few, "arm 5": "arm 5"}))
    greys = [(np.abs(shown[..., :3] - 0.7).max(axis=-1) < 0.05).sum() for shown in (joined, dots)]

    assert greys[0] > 3 * greys[1]


def test_no_two_methods_look_alike():
    """Up to 49 of them."""
    assert len({str(look_of(place)) for place in range(49)}) == 49


def test_figures_open_no_window():
    """Drawing leaves no figure behind in matplotlib's global state."""
    import sys

    DRAWN["funnel"]()

    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_names_are_drawn_as_they_are():
    """A `$` begins no formula, whose errors would stop a report, and letters without a glyph warn of nothing."""
    from glioforge.report.style import png, sheet

    figure = sheet(1, 1)
    figure.text(0.1, 0.5, "P$_{1 日")
    figure.text(0.1, 0.2, "cost: 5$ and 7$ x_")

    assert png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("letters", [10, 40, 70])
def test_a_legend_fits_below_its_figure(letters):
    """Long titles take fewer columns, and more rows make the figure taller."""
    titles = [f"{n} {'e' * letters}"[:letters] for n in range(9)]
    figure = sheet(7.2, 3.6)
    axes = figure.subplots()
    for title in titles:
        axes.plot([0], [0], label=title)
    legend_below(figure, titles)
    figure.draw_without_rendering()
    shown = figure.legends[0].get_window_extent()
    assert shown.x0 >= 0
    assert shown.x1 <= figure.bbox.width
    assert axes.get_window_extent().height > 0.4 * 3.6 * figure.dpi
