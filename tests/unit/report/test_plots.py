"""Figures of reports."""

import io
from functools import cache

import numpy as np
import pytest

from glioforge.core.errors import OutputError
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.core.verdict import Stage
from glioforge.io.tables import ResultRow
from glioforge.report.compare import compare_arms
from glioforge.report.page import PNG_SIGNATURE
from glioforge.report.plots import (
    Curve,
    arm_plot,
    curves,
    difference_plot,
    funnel,
    label_legend,
    picture_grid,
)
from glioforge.report.slices import Outline, Picture, case_pictures
from toy_cohort import toy_case

ARMS = {"real": "Real", "more": "Real + synthetic", "absent": "Never trained"}
ROWS = [
    ResultRow("toy", arm, 0, seed, f"s{n}-1", f"s{n}", region, "dice", 0.5 + n / 20 + better + seed / 50, "1")
    for n in range(4)
    for seed in range(2)
    for region in ("WT", "TC")
    for arm, better in (("real", 0.0), ("more", 0.1))
]
CASE = toy_case(1)


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
    "grid": lambda: picture_grid([("real", case_pictures(CASE.labels, CASE.images, 6, outlined=["WT"]))], list("abc")),
    "legend": lambda: label_legend(COMPLETE),
    "curves": lambda: curves([Curve("Real", [0, 10, 20], [0.1, 0.5, 0.6], plateau=15), Curve("More", [0], [0.2])]),
    "arms": lambda: arm_plot(ROWS, ARMS, ["WT", "TC"]),
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
        lambda: curves([]),
        lambda: funnel([]),
        lambda: funnel([Stage("made", 0)]),
        lambda: arm_plot([], ARMS, ["WT"]),
        lambda: difference_plot([], ARMS, "difference"),
    ],
)
def test_empty_figures_are_still_figures(empty):
    """Nothing to show gives empty axes and no error."""
    assert pixels(empty()).ndim == 3


def test_grid_shows_its_pictures_where_they_belong():
    """A red picture in the second of two columns reddens the right half alone."""
    red = np.zeros((20, 20, 3), np.uint8)
    red[:, :, 0] = 255
    shown = pixels(picture_grid([("row", [Picture(np.zeros_like(red)), Picture(red, text="3 ml")])], ["one", "two"]))
    reddish = (shown[..., 0] > 0.9) & (shown[..., 1] < 0.1)
    middle = shown.shape[1] // 2

    assert reddish[:, middle:].mean() > 0.3
    assert not reddish[:, :middle].any()


def test_outlines_of_whole_or_thin_pictures_are_left_out():
    """A region that fills a picture, or a picture of one line, has no border to draw and is no error."""
    black = np.zeros((4, 4, 3), np.uint8)
    thin = np.zeros((1, 4, 3), np.uint8)
    full = Picture(black, (Outline(np.ones((4, 4), dtype=bool), (255, 0, 0)),))
    line = Picture(thin, (Outline(np.eye(1, 4, dtype=bool), (255, 0, 0)),))

    assert not has_colour(picture_grid([("row", [full, line])], ["a", "b"]), "#ff0000")


@pytest.mark.parametrize("rows", [[], [("empty", [])], [("long", [Picture(np.zeros((4, 4, 3), np.uint8))] * 3)]])
def test_a_grid_must_fit_its_columns(rows):
    """No pictures at all, or more than titles, are refused."""
    with pytest.raises(OutputError, match=r"a row of \d pictures for 2 column titles; expected 1 to as many as titles"):
        picture_grid(rows, ["one", "two"])


def test_arms_keep_their_colours_from_figure_to_figure():
    """The second arm has the second colour in both figures of arms."""
    assert has_colour(drawn("arms"), "#D55E00")
    assert has_colour(drawn("differences"), "#D55E00")
    assert has_colour(drawn("arms"), "#0072B2")


def test_legends_name_the_labels_of_any_scheme():
    """A scheme with fewer labels has a narrower legend."""
    assert pixels(label_legend(BRATS2023)).shape[1] < pixels(label_legend(COMPLETE)).shape[1]


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
