"""Simulated readers answer a study through its own store, and the report is of what they answered."""

import pytest

from glioforge.core.errors import OutputError
from glioforge.reader.answers import read_answers
from glioforge.reader.create import create_study
from glioforge.reader.demo import simulate_study
from glioforge.reader.demo_cases import demo_cohorts
from glioforge.reader.lock import status_of
from glioforge.reader.report import report_study
from glioforge.reader.spec import ReaderSpec


@pytest.mark.slow
def test_a_simulated_study_is_a_whole_study(tmp_path):
    """Created, answered to the end in order, locked, exported and reported; an open study has no report."""
    spec = ReaderSpec(title="Toy demonstration", real=4, synthetic=4, practice=1, repeats=0.25)
    cohorts = demo_cohorts(4, seed=3)
    page = simulate_study(tmp_path, spec, cohorts, readers={"A": "expert", "B": "chance"})
    answers = read_answers(tmp_path / "report" / "answers.csv")
    create_study(tmp_path / "open", spec, cohorts)

    assert {reader.name: reader.done for reader in status_of(tmp_path / "study").readers} == {"A": 11, "B": 11}
    assert sum(not a.practice and not a.repeat_of for a in answers) == 16
    assert page.read_text(encoding="utf-8").count("SIMULATED") > 5
    with pytest.raises(OutputError, match="still open"):
        report_study(tmp_path / "open", tmp_path / "early")
