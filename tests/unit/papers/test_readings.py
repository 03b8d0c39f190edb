"""Readings after a paper: their counts next to the printed ones, with what they are marked with."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.core import OutputError, SpecError
from glioforge.io.run_folder import read_json
from glioforge.papers.ours import by_paper
from glioforge.papers.page import papers_page
from glioforge.papers.readings import Refused, reading_blocks, reading_numbers
from glioforge.reader.analysis_readings import Readings
from glioforge.reader.answered import Answered, answered_of, is_reading
from glioforge.reader.demo import answer_study
from glioforge.reader.lock import lock_study
from glioforge.reader.published import HAN_2018, carver_answers, guo_answers, han_answers
from glioforge.reader.simulated import PROFILES
from glioforge.report.page import Table
from toy_reading import toy_study

FLAGS = {"SIMULATED": "the readers are simulated", "SEEN": "7 of 7 real subjects had a part"}


def reading(paper, answers, **flags):
    """A reading of these answers."""
    return Answered(paper, Path("reading"), "A reading", Readings.of(answers), 0.1, flags)


def han(name, method):
    """A reading of one generator, with the printed answers on its images."""
    kept = [one for one in han_answers() if one.item.rpartition("-")[0] == name]
    return reading("han2018", [replace(a, method=a.method if a.method == "real" else method) for a in kept], **FLAGS)


def rows_of(blocks, place=0):
    """Rows of one of the tables, by their first cell."""
    return {row[0]: row[1:] for row in [block for block in blocks if isinstance(block, Table)][place].rows}


def test_counts_stand_below_those_of_the_same_generator():
    """Answers as printed give the printed line again; pooled slices belong to the row that the paper calls concat."""
    ours = (han("t1c-dcgan-128", "dcgan-t1c"), han("concat-wgan-64", "wgan-concat-64"))
    blocks = reading_blocks("han2018", ours)
    rows = rows_of(blocks)

    for name in ("t1c-dcgan-128", "concat-wgan-64"):
        assert rows[f"{name}, ours, 1 simulated reader (SIMULATED, SEEN)"] == rows[name]
    assert len(rows) == len(HAN_2018) + 2
    assert rows_of(blocks, 1)["SEEN"] == ("all", "7 of 7 real subjects had a part.")
    numbers = reading_numbers("han2018", ours)["ours"]
    assert numbers["t1c-dcgan-128"][0]["counts"] == HAN_2018["t1c-dcgan-128"].cells
    assert numbers["t1-dcgan-128"] == []


def test_contrasts_of_carver_are_counted_over_all_methods():
    """T1ce is what the paper calls T1c."""
    answers = [
        replace(a, contrast="t1ce" if a.contrast == "t1c" else a.contrast, score=8.0 if a.method == "real" else 6.0)
        for a in carver_answers()
    ]
    ours = (reading("carver", answers),)
    blocks = reading_blocks("carver", ours)
    rows = rows_of(blocks)

    for contrast in ("flair", "t1", "t1c", "t2"):
        assert rows[f"{contrast}, ours, 1 reader"][:2] == rows[contrast][:2]
    assert rows_of(blocks, 1)["real, 1 reader"] == ("8.00 (8.00 to 8.00)", "36")
    assert reading_numbers("carver", ours)["scores"][0]["scores"] == {"pix2pix": 6.0, "real": 8.0}


def test_preferences_are_shares_of_decided_comparisons():
    """Each with its corrected p against SAMR."""
    one, sides = guo_answers()[0], ("left", "right")
    won = [True] * 9 + [False] * 3 + [None]
    pairs = [
        replace(one, item=f"i{n}", subject=f"s{n}", method="samr", other="shin", side=sides[n % 2], kind="preference")
        for n in range(13)
    ]
    calls = ["equal" if w is None else sides[(n + (not w)) % 2] for n, w in enumerate(won)]
    pairs = [replace(pair, call=call) for pair, call in zip(pairs, calls, strict=True)]
    ours = (reading("guo2020", pairs),)
    rows = rows_of(reading_blocks("guo2020", ours))

    assert rows["samr, ours, 1 reader"][0] == "9 of 12"
    assert rows["shin, ours, 1 reader"][0] == "3 of 12"
    assert [rows[f"{name}, ours, 1 reader"][2] for name in ("samr", "shin")] == ["–", "0.146"]
    numbers = reading_numbers("guo2020", ours)["ours"]
    assert numbers["shin"] == [{"title": "A reading", "readers": "1 reader", "flags": {}, "won": 3, "decided": 12}]
    assert numbers["pix2pix"] == []


def test_the_page_names_refused_readings_and_simulated_readers():
    """The first among its notices, the others with their reason."""
    refused = Refused("carver", "gan, budget smoke", "pixel shortcuts: levels (AUC 0.12)")
    page = papers_page({"carver": (refused,), "han2018": (han("t1-dcgan-128", "dcgan-t1"),)})

    assert page.notices[0].text == "Simulated readers, who looked at no image: the readings after Han et al. 2018."
    assert ("gan, budget smoke", refused.why) in [
        row for block in page.sections[1].blocks if isinstance(block, Table) for row in block.rows
    ]
    assert page.numbers["carver"]["reading"]["refused"] == {refused.what: refused.why}
    assert "reading" not in page.numbers["shin2018"]
    assert reading_blocks("shin2018") == []


def test_a_folder_of_a_reading_is_given_as_that_of_a_study(tmp_path):
    """Once it is locked, and where it follows a paper; a program in a reader's place is found out."""
    study = toy_study(tmp_path / "reading", after="carver", together=False)
    with study.store() as store:
        answer_study(study, store, "A", PROFILES["expert"])
    with pytest.raises(OutputError, match="still open"):
        answered_of(study.folder)
    lock_study(study.folder)
    done = CliRunner().invoke(app, ["report", str(study.folder), "--papers", str(tmp_path / "p.html")])

    assert done.exit_code == 0
    assert is_reading(study.folder)
    (found,) = by_paper([study.folder])["carver"]
    assert (found.who, "SIMULATED" in found.flags, found.shown) == ("1 simulated reader", True, 8)
    (ours,) = read_json(tmp_path / "p.json")["carver"]["reading"]["ours"]["t1"]
    assert sum(ours["counts"]) == 4
    other = toy_study(tmp_path / "other")
    with other.store() as store:
        answer_study(other, store, "A", PROFILES["expert"])
    lock_study(other.folder)
    with pytest.raises(SpecError, match="--preset han2018"):
        by_paper([other.folder])
