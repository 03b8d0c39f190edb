"""Published numbers are data that a reader can check against the papers."""

import pytest
from pydantic import ValidationError

from glioforge.core import SpecError
from glioforge.papers.published import PAPERS, PublishedTable, published
from glioforge.studies.question import load_study
from glioforge.studies.spec import AugmentationSpec
from glioforge.studies.variants import study_files


@pytest.mark.parametrize("paper", PAPERS)
def test_every_paper_says_whom_it_tested(paper):
    """With its question, and with tables whose rows are even."""
    found = published(paper)

    assert found.tested > 1
    assert found.citation
    assert all(len(row.mean) == len(table.columns) for table in found.tables for row in table.rows)


def test_numbers_are_those_of_the_papers():
    """A few of each table, and the counts of best values of Carver et al., who say 1, 3, 4 and 6 of 12."""
    dice = published("foroozandeh_eklund").tables[0]
    assert dice.rows[1].mean == (6.62, 6.65, 6.42, 39.11, 12.9, 12.51, 12.11)
    assert published("guo2020").tables[0].rows[1].mean[-1] == 0.813
    best = [0] * 5
    for table in published("carver").tables[1:]:
        for row in table.rows:
            top = min(row.mean) if table.metric == "hd95" else max(row.mean)
            best = [count + (value == top) for count, value in zip(best, row.mean, strict=True)]
    assert best == [0, 1, 3, 4, 6]


def test_an_unknown_paper_is_refused():
    """With the names of those there are."""
    with pytest.raises(SpecError, match="shin2018"):
        published("shin2019")


def test_uneven_tables_are_refused():
    """A row with one number too few, and a comparison with a column that is not there."""
    table = {"name": "a", "title": "A", "metric": "dice", "unit": "Dice", "columns": ["x", "y"]}
    with pytest.raises(ValidationError, match="rows of"):
        PublishedTable.model_validate({**table, "rows": [{"name": "r", "mean": [1.0]}]})
    with pytest.raises(ValidationError, match="against"):
        PublishedTable.model_validate({**table, "against": [0, 2], "rows": [{"name": "r", "mean": [1.0, 2.0]}]})


def test_arms_beside_printed_numbers_are_arms_of_the_studies():
    """So that no column stays a gap by a misspelt name; pix2pix without tissue is the one left out."""
    known: dict[str, set[str]] = {paper: set() for paper in PAPERS}
    for name in study_files():
        study = load_study(name, ["budget=smoke"], phantoms=True)
        if study.after is not None and study.after.paper in PAPERS:
            arms = [arm.name for arm in study.every_arm] if isinstance(study, AugmentationSpec) else study.methods
            known[study.after.paper] |= set(arms)
    for paper in PAPERS:
        named = {arm for table in published(paper).tables for row in table.rows for arm in row.arms}
        assert {arm for arm in named if not arm.startswith("pix2pix-")} <= known[paper]
