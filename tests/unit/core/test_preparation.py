"""Models see only what was prepared as their training cases were."""

from dataclasses import replace

import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.preparation import preparations_of, require_prepared_alike, require_unprepared
from glioforge.core.schemes import scheme_named
from strategies import case_ref


def prepared(number, preparation):
    """A case with the fact."""
    return replace(case_ref(f"c{number}", f"s{number}"), facts={"preparation": preparation})


def test_known_preparations_are_told_once():
    """Cases without the fact tell nothing."""
    assert preparations_of([prepared(1, "b"), prepared(2, "a"), prepared(3, "b"), case_ref("x", "x")]) == ("a", "b")
    assert preparations_of([]) == ()


def test_alike_and_unknown_cases_pass(tmp_path):
    """Phantoms without a preparation are taken, and a model that knows of none takes everything."""
    require_prepared_alike([prepared(1, "a"), case_ref("x", "x")], ("a", "b"), tmp_path)
    require_prepared_alike([prepared(1, "z")], (), tmp_path)
    require_prepared_alike([], ("a",), tmp_path)


def test_cases_prepared_otherwise_are_named_with_the_command_that_mends_it(tmp_path):
    """The settings lie in the model's folder; where they don't, the sentence is general."""
    cases = [prepared(n, "z") for n in range(7)]
    with pytest.raises(CohortError) as caught:
        require_prepared_alike(cases, ("a",), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: cases prepared with other settings than the model's training cases: "
        "c0, c1, c2, c3, c4 and 2 more; "
        "expected preparation a; prepare the scans with the settings of the cohort that the model was trained on"
    )
    model = tmp_path / "my model"
    model.mkdir()
    (model / "preparation.yaml").write_text("{}")
    with pytest.raises(CohortError, match=r"prepare SCANS --spec '.*my model/preparation\.yaml' --out FOLDER"):
        require_prepared_alike(cases[:1], ("a",), model)


def test_a_prepared_cohort_is_not_prepared_again():
    """Its voxels would be resampled twice; scans and an empty cohort pass."""
    known, scan = prepared(1, "a"), case_ref("x", "x")
    require_unprepared(Cohort("scans", (scan,), scheme_named(scan.scheme)))
    require_unprepared(Cohort("none", (), scheme_named(scan.scheme)))
    with pytest.raises(CohortError, match="done: already prepared; expected scans, or an ingested cohort"):
        require_unprepared(Cohort("done", (known,), scheme_named(scan.scheme)))
    with pytest.raises(CohortError, match="cases that are already prepared: c1;"):
        require_unprepared(Cohort("both", (known, scan), scheme_named(scan.scheme)))
