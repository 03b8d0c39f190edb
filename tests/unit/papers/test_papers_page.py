"""The page of the papers: printed numbers beside those of a study, and gaps that say why."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.core import SpecError
from glioforge.io.run_folder import read_json
from glioforge.io.tables import ResultRow
from glioforge.papers import ours as ours_module
from glioforge.papers.ours import Ours, by_paper, cell, ours_of
from glioforge.papers.page import papers_page, write_papers_page
from glioforge.papers.published import AlsoRow, published
from glioforge.report.page import Table
from glioforge.report.scores import ResultTable

ROWS = [
    ResultRow("s", arm, 0, 0, f"c{n}", f"c{n}", region, metric, value + n / 10, "1")
    for arm, region, metric, value in (
        ("real-gan", "WT", "dice", 0.5),
        ("real-four", "classes", "weighted_class_dice", 0.7),
        ("real-four-leaky", "classes", "weighted_class_dice", 0.8),
    )
    for n in range(2)
]
STUDY = Ours("shin2018", ResultTable(ROWS, noun="phantom"), Path("run"), "A study?", "smoke", {"Method": ("Short.",)})


def test_a_cell_holds_mean_spread_and_count():
    """Of the arm, region and metric that the printed number names; errors are percent of what is missing."""
    table, errors = published("shin2018").tables[0], published("foroozandeh_eklund").tables[0]

    assert cell((STUDY,), table, table.rows[1], 0).text == "0.55 ± 0.0707 (n 2)"
    found = cell((STUDY,), errors, errors.rows[1], 0)
    assert (found.mean, found.leaky) == pytest.approx((25.0, 15.0))
    assert "LEAKY 15" in found.text


def test_a_further_row_takes_another_grid_and_other_arms():
    """Such as that of the paper, and the mean of subsets in place of the first one."""
    half = [replace(row, arm="real-mean", value=row.value / 2) for row in ROWS[:2]]
    study = replace(STUDY, grids={"own": ResultTable([*ROWS, *half], noun="phantom")})
    table = published("shin2018").tables[0]
    also = AlsoRow(title="on our grid", grid="own", arms={"real-gan": "real-mean"})

    assert cell((study,), table, table.rows[1], 0, AlsoRow(title="same", grid="own")).mean == pytest.approx(0.55)
    assert cell((study,), table, table.rows[1], 0, also).mean == pytest.approx(0.275)


def test_errors_of_images_are_in_grey_values():
    """Of which 255 span the reference: a range of 5 with errors of 0.5 and 0.4 is one of 25.5 and 20.4."""
    row = ResultRow("s", "net", 0, 0, "c", "c", "brain", "mse", 0.25, "1", "t1", "scan", "one draw", "prepared")
    values = {"mse": 0.25, "mae": 0.4, "psnr": 20.0, "ssim": 0.8}
    rows = [replace(row, metric=name, value=value) for name, value in values.items()]
    study = Ours(
        "carver", ResultTable([*rows, replace(row, sample="mean of draws", value=9.0)]), Path("run"), "", "", {}
    )
    table = published("carver").tables[0]

    found = [cell((study,), table, table.rows[0], place) for place in range(4)]
    assert [one.mean for one in found] == pytest.approx([25.5**2, 20.4, 20.0, 0.8])
    assert cell((study,), table, table.rows[1], 0).why == "brain/t1ce not scored"
    assert "255 grey values span" in str(papers_page({"carver": (study,)}).sections[1].blocks)


def test_gaps_say_why():
    """No study, no such arm, no such region, and a number that no study asks for."""
    shin, carver = published("shin2018").tables[0], published("carver").tables
    row = shin.rows[1].model_copy(update={"region": "RC"})

    assert cell((), shin, shin.rows[0], 0).why == "no study given"
    assert cell((STUDY,), shin, shin.rows[2], 0).why == "no arm real-wang in this study"
    assert cell((STUDY,), shin, row, 0).why == "RC not scored"
    unasked = carver[0].rows[0].model_copy(update={"arms": ()})
    assert cell((STUDY,), carver[0], unasked, 0).why == "no study asks this"
    assert cell((STUDY,), carver[0], carver[0].rows[0], 0).why == "no arm net in this study"


def test_the_page_shows_all_papers_and_the_differences_of_a_study(tmp_path):
    """With the same numbers in a file for programs."""
    page = papers_page({"shin2018": (STUDY,)})
    shin = page.sections[0]
    tables = [block for block in shin.blocks if isinstance(block, Table)]

    assert len(page.sections) == 5
    assert page.verdict.endswith("Shin et al. 2018 (2 phantoms tested, budget smoke).")
    assert page.notices[0].text.endswith("the studies after Shin et al. 2018.")
    assert tables[0].rows[0][1] == "0.64 ± 0.14 (0.60 to 0.68)"
    assert tables[0].rows[5][1].startswith("0.55")
    assert tables[0].rows[6][:2] == (
        "GAN-based, with augmentation, ours, on the 256 x 256 x 108 grid",
        "gap: not scored on grid 256x256x108",
    )
    assert tables[-1].rows == (("Method", "Short."),)
    write_papers_page(tmp_path / "papers.html", {"shin2018": (STUDY,)})
    values = read_json(tmp_path / "papers.json")["shin2018"]["tables"]["table-1"]
    assert values["ours"]["GAN-based, with augmentation"][0]["n"] == 2
    assert "replicates a paper" in (tmp_path / "papers.html").read_text(encoding="utf-8")


def test_the_first_study_that_has_an_arm_counts(monkeypatch):
    """Several may follow one paper, each with other arms."""
    monkeypatch.setattr(ours_module, "ours_of", lambda _: STUDY)
    found = by_paper([Path("a"), Path("b")])
    other = Ours("shin2018", ResultTable([]), Path("b"), "B", "smoke", {})
    table = published("shin2018").tables[0]

    assert found == {"shin2018": (STUDY, STUDY)}
    assert cell((other, STUDY), table, table.rows[1], 0).count == 2


def test_a_study_after_no_paper_is_refused(monkeypatch):
    """With a command that makes one which is."""
    spec = type("Spec", (), {"after": None, "name": "own"})
    monkeypatch.setattr(ours_module, "read_study", lambda _: type("Study", (), {"spec": spec}))
    monkeypatch.setattr(ours_module, "require_finished", lambda _: None)
    with pytest.raises(SpecError, match="glioforge study shin2018"):
        ours_of(Path("own"))


def test_the_verb_writes_the_page_without_any_study(tmp_path):
    """And asks for a folder where no page of the papers is wanted."""
    done = CliRunner().invoke(app, ["report", "--papers", str(tmp_path / "p.html")], catch_exceptions=False)

    assert done.exit_code == 0
    assert (tmp_path / "p.html").is_file()
    assert CliRunner().invoke(app, ["report"]).exit_code == 2
