"""Studies that come with the package: every budget of each is a whole study, on scans and on phantoms."""

import pytest

from glioforge.core import SpecError
from glioforge.studies.base import PhantomData
from glioforge.studies.question import load_study
from glioforge.studies.variants import resolved, study_files

BUDGETS = ("smoke", "small", "paper")


@pytest.mark.parametrize("name", study_files())
def test_every_budget_is_a_study_that_says_what_differs(name):
    """And of whom; `paper` names its methods' preset `paper`, smaller budgets shorter trainings."""
    for budget in BUDGETS:
        scans = load_study(name, [f"budget={budget}"])
        phantoms = load_study(name, [f"budget={budget}"], phantoms=True)

        assert scans.after is not None
        assert not isinstance(scans.data, PhantomData)
        assert isinstance(phantoms.data, PhantomData)


def test_overrides_win_over_the_changes_of_a_budget():
    """And those of phantoms over those of the budget."""
    values = {"budget": "a", "budgets": {"a": {}}, "changes": {"a": {"x.y": 1, "z": 1}}, "phantoms": {"a": {"z": 2}}}

    assert resolved(values, ["x.y=3"], "f", phantoms=True) == {
        "budget": "a",
        "budgets": {"a": {}},
        "x": {"y": 3},
        "z": 2,
    }


def test_any_study_runs_on_phantoms():
    """Those of the default size, where its file says nothing."""
    assert resolved({"name": "a"}, (), "f", phantoms=True) == {"name": "a", "data": {"kind": "phantom"}}


def test_an_unknown_budget_or_study_is_refused():
    """With the names of those there are."""
    with pytest.raises(SpecError, match="one of smoke, small, paper"):
        load_study("shin2018", ["budget=large"])
    with pytest.raises(SpecError, match="did you mean 'shin2018'"):
        load_study("shin2019")


def test_studies_after_papers_ask_for_what_the_papers_print():
    """Grids of Shin et al. and subsets of Carver et al.; scores alone depend on them."""
    shin, carver = (load_study(name, ["budget=smoke"], phantoms=True) for name in ("shin2018", "carver"))

    assert set(shin.also.key) == {"grids"}
    assert carver.also.key == {"metrics": ("specificity",)}
    assert len(carver.also.means["quarter-mean"].arms) == 4
    assert "also" not in shin.identity()
