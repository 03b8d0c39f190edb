"""Promises of `studies.record`: what a task left comes back whole, under the names of whoever reads it."""

import json
import math

from glioforge.core.lineage import Lineage
from glioforge.io.tables import ResultRow
from glioforge.studies.record import Clock, Cost, Record, Training, of_kind, rows_of
from glioforge.training.budget import Outcome

OUTCOME = Outcome(4, 2, 0.5, True, 1.5, 0, ({"step": 4, "score": 0.5},), ("collapse at 3",))


def row(study, arm, fold, value=0.5):
    """A number of one subject."""
    return ResultRow(study, arm, fold, 2, "a", "a", "WT", "dice", value, "1", note="a note")


def full():
    """A record with something in every field."""
    rows = (row("one", "real", 1), row("one", "scans", 1, math.nan))
    training = Training.of(12, OUTCOME)
    return Record(
        "fold-1/scores/real/seed-2",
        "scores",
        1,
        "real",
        2,
        rows,
        training,
        Cost(1.0, 2.0, 3.0, 4.0),
        ("a note",),
        made={"weights": "abc"},
        lineage=Lineage.real("toy", "s"),
        details={"kept": 3},
    )


def test_a_record_comes_back_from_json():
    """NaN included, which JSON cannot hold."""
    values = json.loads(json.dumps(full().to_json(), allow_nan=False))
    named = Record("fold-1/scores/real/seed-2", "scores", 1, "real", 2)
    back = Record.from_json(values, named, "one")

    assert repr(back) == repr(full())
    assert back.training.history == OUTCOME.history


def test_another_study_reads_the_same_numbers_under_its_own_names():
    """Study, fold, arm and seed are those of the task that asks; rows of a further arm keep its name."""
    named = Record("fold-0/scores/more/seed-0", "scores", 0, "more", 0)
    back = Record.from_json(full().to_json(), named, "two")

    assert [(r.study, r.fold, r.arm, r.seed) for r in back.rows] == [("two", 0, "more", 0), ("two", 0, "scans", 0)]
    assert back.task == named.task


def test_records_are_chosen_by_kind_and_those_left_out_are_passed_over():
    """In their order."""
    kept, other, empty = full(), Record("b", "pilot"), Record("c", "scores", left_out="nothing to score")

    assert of_kind([kept, other, empty], "scores") == [kept]
    assert of_kind([kept, other, empty], "pilot", "scores") == [kept, other]
    assert len(rows_of([kept, other, kept])) == 4


def test_a_clock_measures_time_and_memory():
    """A pace is handed on."""
    cost = Clock().cost(0.25)

    assert cost.seconds >= 0
    assert cost.peak_gib > 0
    assert cost.seconds_per_volume == 0.25
