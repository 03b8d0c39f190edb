"""Promises about the cases that a study is given."""

from dataclasses import replace

import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.protocols import Silent
from glioforge.io.cohort_file import write_cohort
from glioforge.studies.base import PhantomData, StudySpec
from glioforge.studies.given import read_given
from toy_cohort import toy_case, toy_cohort as in_memory


@pytest.fixture
def folder(tmp_path):
    """A cohort of four subjects of grade HGG and three of LGG."""
    from glioforge.data.store import write_case

    refs = [write_case(tmp_path / "cases", toy_case(seed)) for seed in range(7)]
    graded = tuple(replace(ref, facts={**ref.facts, "grade": "HGG" if n < 4 else "LGG"}) for n, ref in enumerate(refs))
    write_cohort(Cohort("graded", graded, in_memory([0]).scheme), tmp_path)
    return tmp_path


def study(**changes):
    """Settings of a study."""
    return StudySpec(name="s", title="S", **changes)


def test_a_study_takes_the_cases_that_fulfil_its_conditions(folder):
    """And its numbers depend on them, while a study without conditions is what it was."""
    assert len(read_given(study(), folder, Silent())) == 7
    assert [ref.subject_id for ref in read_given(study(where=("grade=HGG",)), folder, Silent())] == [
        "s00",
        "s01",
        "s02",
        "s03",
    ]
    assert "where" not in study().identity()
    assert study(where=("grade=HGG",)).identity()["where"] == ["grade=HGG"]


def test_conditions_that_leave_too_few_cases_are_refused_before_anything_is_written(folder):
    """Nobody, or fewer than a split needs."""
    with pytest.raises(CohortError, match="no case has grade=IV; values of grade here: HGG, LGG"):
        read_given(study(where=("grade=IV",)), folder, Silent())
    with pytest.raises(CohortError, match="2 subjects; expected at least 3"):
        read_given(study(where=("subject=s00,s01",)), folder, Silent())


def test_phantoms_and_folders_exclude_each_other(folder):
    """A study that makes phantoms takes no folder, and another one needs one."""
    with pytest.raises(SpecError, match="no --data, because this study makes phantoms"):
        read_given(study(data=PhantomData(cases=4)), folder, Silent())
    with pytest.raises(SpecError, match="--data FOLDER"):
        read_given(study(), None, Silent())
    assert read_given(study(data=PhantomData(cases=4)), None, Silent()) is None


def test_regions_that_no_label_map_names_are_refused_before_anything_is_written(folder):
    """No cavity without surgery; the message says what to leave out."""
    with pytest.raises(CohortError, match=r"names no RC.*regions='\[WT, TC\]'"):
        read_given(study(regions=("WT", "RC", "TC")), folder, Silent())
