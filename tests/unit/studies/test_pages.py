"""Sections that the pages of all studies share."""

import json
from pathlib import Path

import pytest

from glioforge.io.tables import ResultRow
from glioforge.report.page import Figure, Folded, Note, Paragraph, Table
from glioforge.report.scores import Endpoint, ResultTable
from glioforge.studies.fold import Study
from glioforge.studies.pages import (
    difference_blocks,
    neutral,
    noun_of,
    quality_section,
    subject_figure,
    summary,
    table_of,
    trained_of,
    trainings_section,
)
from glioforge.studies.question import load_demo
from glioforge.studies.record import Cost, Record, Training
from glioforge.studies.results import Results

METHODS = {"a": "Method A", "b": "Method B", "never": "Never run"}
TABLE = ResultTable(
    ResultRow("toy", arm, 0, 0, f"s{n}", f"s{n}", "WT", "dice", 0.5 + n / 50 + shift, "1")
    for n in range(8)
    for arm, shift in (("a", 0.0), ("b", 0.1))
)
ENDPOINT = Endpoint("dice", "WT", TABLE, "Dice, WT")
HISTORY = ({"step": 1, "score": 0.2}, {"step": 2, "score": 0.5})
RECORDS = [
    Record(
        "b", "segmenter", 0, "b", 1, training=Training(7, 2, 2, 0.5, seconds=3.0, history=HISTORY), cost=Cost(9.0, 1.5)
    ),
    Record("a", "segmenter", 0, "a", training=Training(), cost=Cost(4.0, 1.0)),
    Record("i", "images", 0, "b", 1, cost=Cost(1.0, 1.0, seconds_per_volume=0.5)),
    Record("x", "segmenter", 0, "strange", training=Training()),
]


def results_of(records):
    """A study with these records and no rows."""
    return Results(Study(load_demo(), Path("nowhere"), Path("nowhere")), (), records)


RESULTS = results_of(RECORDS)


def test_phantoms_are_never_called_real():
    """Nor counted as subjects; titles of a study of scans stay as they are."""
    demo, scans = load_demo(), load_demo(["data={kind: folder}"])

    assert (noun_of(demo), noun_of(scans)) == ("phantom", "subject")
    assert table_of(demo, results_of(())).noun == "phantom"
    assert neutral(demo, "Real + synthetic") == "Phantom scans + synthetic"
    assert neutral(demo, "Not real, Realistic") == "Not phantom scans, Realistic"
    assert neutral(scans, "Real + synthetic") == "Real + synthetic"


def test_records_become_trainings_in_the_order_of_the_titles():
    """With the pace of the images made afterwards; without a network fitting time counts, and nothing was kept."""
    first, second = trained_of(RESULTS, METHODS, "segmenter")

    assert (first.title, first.steps, first.seconds, first.best_step, first.plateaued) == (
        "Method A",
        0,
        4.0,
        None,
        None,
    )
    assert (second.title, second.best_step, second.best_score, second.seconds) == ("Method B", 2, 0.5, 3.0)
    assert (second.seconds_per_volume, second.peak_gib, second.parameters) == (0.5, 1.5, 7)


def test_trainings_have_curves_and_steps():
    """Without any network there is a sentence in place of them."""
    figure, folded = trainings_section(trained_of(RESULTS, METHODS, "segmenter"), tuple(METHODS.values())).blocks

    assert isinstance(figure, Figure)
    assert len(folded.blocks[0].rows) == 2
    assert trainings_section([], ()).blocks == (Paragraph("No method has a network."),)


def test_differences_are_shown_for_each_reference():
    """One reference is open, several are folded, none gives nothing."""
    table, figure = difference_blocks([ENDPOINT], METHODS, ("a",))

    assert isinstance(table, Table)
    assert table.columns[1] == "Method"
    assert table.rows[0][:4] == ("WT", "Method B", "+0.100 (+0.100 to +0.100)", "better")
    assert isinstance(figure, Figure)
    assert [type(block) for block in difference_blocks([ENDPOINT], METHODS, ("a", "b"))] == [Folded, Folded]
    assert difference_blocks([ENDPOINT], METHODS, ()) == []
    assert subject_figure(TABLE, METHODS, ["WT"], "dice").caption.startswith("Dice of every unseen subject")


def test_summary_holds_what_the_tables_show():
    """Scores, differences and costs, as JSON."""
    found = summary(load_demo(), METHODS, ("a",), [ENDPOINT], trained_of(RESULTS, METHODS, "segmenter"))

    assert json.loads(json.dumps(found)) == found
    assert found["scores"]["b"]["dice WT Dice, WT"]["mean"] == pytest.approx(0.67)
    assert found["scores"]["never"]["dice WT Dice, WT"]["mean"] is None
    assert [entry["method"] for entry in found["differences"]["a"]] == ["b", "never"]
    assert [cost["Method"] for cost in found["costs"]] == ["Method A", "Method B"]


def test_quality_check_shows_funnel_and_reasons():
    """Of the generator; the control's cases are taken as they are; a filter that could not be fitted is a warning."""
    verdict = {"case_id": "c1", "filter": "class_statistics", "keep": False, "score": 9.0, "reason": "dark oedema"}
    details = {"made": 2, "kept": 1, "verdicts": [verdict, {**verdict, "case_id": "c2", "keep": True}]}
    plain = {"made": 3, "kept": 3, "verdicts": []}
    records = [
        Record("g", "synthetic", arm="generator", details=details, notes=("5 cases are too few",)),
        Record("c", "synthetic", arm="control", details=plain),
    ]
    text, figure, folded, note, control = quality_section(results_of(records)).blocks

    assert text.text == "Cases of the generator: 2 made, 1 kept for training."
    assert isinstance(figure, Figure)
    assert folded.blocks[0].rows == (("c1", "class statistics", "dark oedema"),)
    assert note == Note("A filter was left out: 5 cases are too few.", "warning")
    assert control.text.startswith("Cases of the control: 3 made, 3 kept for training, as they are")
