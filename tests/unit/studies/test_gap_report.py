"""Which distance ranks the arms as the gain does: shown from eight arms on, on subjects on whom nothing was tuned."""

from dataclasses import replace

import pytest

from glioforge.core.errors import LeakageError
from glioforge.core.lineage import Lineage
from glioforge.io.tables import ResultRow
from glioforge.report.page import Note, Table
from glioforge.report.scores import ResultTable
from glioforge.studies.gap_report import agreement_blocks, gains_of, require_untouched
from glioforge.studies.question import parse_study
from glioforge.studies.record import Record
from glioforge.studies.results import Results
from toy_study import toy_fold

SOURCES = [f"source-{n}" for n in range(9)]


def spec_of(count, **more):
    """A study of a baseline and so many arms, each with a source of its own."""
    arms = [
        {"name": f"arm-{n}", "title": f"Arm {n}", "source": SOURCES[n], "synthetic_share": 0.5} for n in range(count)
    ]
    values = {
        "kind": "augmentation",
        "name": "ranks",
        "title": "Ranks",
        "data": {"kind": "phantom"},
        "sources": {name: {"kind": "folder", "path": name, "subjects": []} for name in SOURCES[:count]},
        "segmenter": {"kind": "unet"},
        "arms": [{"name": "real", "title": "Real"}, *arms],
        "budgets": {"small": {"segmenter": {"steps": 10}, "seeds": 1}},
    }
    return parse_study({**values, **more}, "here")


def record_of(source, value, task=""):
    """Distances of a source: one with a value of its own, one that is the same for all."""
    known = {"floor": 0.1, "floor_low": 0.0, "floor_high": 0.2, "subjects": 4}
    rows = [
        {"name": "random_convolution/kid", "value": value, **known},
        {"name": "labels/transport", "value": 1.0, **known},
        {"name": "random_convolution/manifold_recall", "value": value, **known},
    ]
    return Record(task or f"fold-0/gap/{source}", "gap", arm=source, details={"numbers": rows})


def overlap(dice):
    """Dice of three subjects under each arm."""
    return ResultTable(
        ResultRow("ranks", arm, 0, 0, f"s{n}", f"s{n}", region, "dice", value + n / 100, "1")
        for arm, value in dice.items()
        for n in range(3)
        for region in ("WT", "TC", "ET")
    ).with_mean(("WT", "TC", "ET"))


def test_eight_arms_get_a_table_of_every_distance_that_differs():
    """Recall is no distance, and a number that is the same for all arms ranks nothing."""
    records = [record_of(name, float(n)) for n, name in enumerate(SOURCES)]
    scores = overlap({"real": 0.5, **{f"arm-{n}": 0.8 - n / 50 for n in range(9)}})
    table, note = agreement_blocks(spec_of(9), records, scores)
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [("random convolution/kid", "−1.00")]
    assert "These of 1 distances rank the 9 arms" in note.text


def test_a_distance_that_ranks_the_other_way_is_no_evidence():
    """Larger distances with larger gains are not what a distance promises."""
    records = [record_of(name, float(n)) for n, name in enumerate(SOURCES)]
    scores = overlap({"real": 0.5, **{f"arm-{n}": 0.6 + n / 50 for n in range(9)}})
    _, note = agreement_blocks(spec_of(9), records, scores)
    assert "None of 1 distances ranks the 9 arms" in note.text


@pytest.mark.parametrize("count", [1, 7])
def test_fewer_than_eight_arms_are_no_evidence(count):
    """Whatever the correlation."""
    records = [record_of(SOURCES[n], float(n)) for n in range(count)]
    scores = overlap({"real": 0.5, **{f"arm-{n}": 0.8 - n / 50 for n in range(count)}})
    (note,) = agreement_blocks(spec_of(count), records, scores)
    assert isinstance(note, Note)
    assert f"{count} arms with a distance and a gain, and fewer than 8 arms are no evidence" in note.text


def test_on_a_curve_each_arm_has_its_own_reference_and_its_own_cases():
    """The gain is over the baseline of as many subjects, the distance that of what they made."""
    spec = spec_of(1, curve={"subjects": [1, 2]})
    scores = overlap({"real-n1": 0.3, "arm-0-n1": 0.5, "real-n2": 0.6, "arm-0-n2": 0.65})
    assert gains_of(spec, scores) == pytest.approx({"arm-0-n1": 0.2, "arm-0-n2": 0.05})
    records = [record_of("source-0", n, f"fold-0/trained-on-n{n:.0f}-draw-0/gap/source-0") for n in (1.0, 2.0)]
    (note,) = agreement_blocks(spec, records, scores)
    assert "2 arms" in note.text


def test_subjects_that_something_was_tuned_on_are_refused(tmp_path):
    """By kind and arm, fold by fold."""
    row = ResultRow("toy", "real", 0, 0, "a", "a", "WT", "dice", 0.5, "1")
    scores = Record("fold-0/scores/real", "scores", arm="real", rows=(row,))
    clean = Record("fold-0/segmenters/real", "segmenter", arm="real", lineage=Lineage.real("scan", "b"))
    study = toy_fold(tmp_path).study
    require_untouched(Results(study, (), (scores, clean)))
    require_untouched(Results(study, (), (scores, replace(clean, fold=1, lineage=Lineage.real("scan", "a")))))
    touched = replace(clean, kind="generator", lineage=clean.lineage.through("validation cases", ["a"]))
    with pytest.raises(LeakageError, match="generator real was tuned"):
        require_untouched(Results(study, (), (scores, clean, touched)))
