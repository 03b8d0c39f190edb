"""Figures of audits are PNG files with the same drawing as SVG, also for a single row."""

from glioforge.report.leaks import Bounded, bound_plot, planted_plot, roc_plot
from glioforge.report.page import PNG_SIGNATURE, Drawing


def test_figures_name_their_rows():
    """Titles stand in the drawing, and a bound far beyond its limit has a place on the axis."""
    rows = [Bounded("copy rate", 0.9, 1.0, 0.01, 0.0), Bounded("donor linkage", 0.0, 0.01, 0.02, 0.003)]
    figures = {
        "copy rate": bound_plot(rows),
        "membership": roc_plot({"membership": ((0.0, 0.1, 1.0), (0.0, 0.5, 1.0))}),
        "planted: blur": planted_plot({"blur": [9.0, 11.0]}, [1.0, 2.0], [0.5], 7.5),
    }

    for title, figure in figures.items():
        assert isinstance(figure, Drawing)
        assert figure.startswith(PNG_SIGNATURE)
        assert title.encode() in figure.svg
