"""`glioforge filter` on the command line, and `filter_cohort`."""

import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from glioforge.cli.fidelity import filter as filter_verb
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.quality.base import FILTERS
from glioforge.runs.filter import filter_cohort, filter_from
from toy_cohort import toy_case, toy_cohort, with_labels


def run(*arguments):
    """Call the verb alone."""
    app = typer.Typer()
    app.command()(filter_verb)
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three real cases; of two synthetic ones the second has a lesion far from any real size."""
    folder = tmp_path_factory.mktemp("cohorts")
    real = [toy_case(seed) for seed in range(3)]
    donor = toy_case(0)
    huge = with_labels(donor, np.where(donor.brain, 2, 0), "huge")
    made = [_synthetic(case) for case in (with_labels(donor, donor.labels.voxels, "alike"), huge)]
    for name, cases in (("real", real), ("made", made)):
        refs = tuple(write_case(folder / name / "cases", case) for case in cases)
        write_cohort(Cohort(name, refs, COMPLETE), folder / name)
    return folder


def _synthetic(case):
    lineage = Lineage.synthetic("toy", {"p": Lineage.real("toy", "parent")}, seed=1)
    return replace(case, subject_id=f"synthetic-{case.case_id}", lineage=lineage)


def test_the_funnel_is_printed_and_what_passes_is_a_cohort(folders, tmp_path):
    """One of two cases is kept, readable, with parents and training subjects behind it; every verdict is written."""
    arguments = (folders / "made", "--train", folders / "real", "--filter", "plausible_labels", "--out", tmp_path / "k")
    done, again = run(*arguments), run(*arguments)

    assert done.exit_code == again.exit_code == 0, done.output
    counts = [[word for word in line.split() if word.isalnum() or "_" in word] for line in done.output.splitlines()]
    assert ["made", "2"] in counts
    assert ["plausible_labels", "1"] in counts
    kept = read_cohort(tmp_path / "k")
    assert [ref.case_id for ref in kept] == ["alike"]
    assert set(kept.cases[0].lineage.subjects) == {"parent", "s00", "s01", "s02"}
    assert set(kept.cases[0].load().lineage.subjects) == {"parent", "s00", "s01", "s02"}
    verdicts = json.loads((tmp_path / "k" / "verdicts.json").read_text())
    assert [(row["case_id"], row["keep"]) for row in verdicts] == [("alike", True), ("huge", False)]


def test_a_cohort_of_which_nothing_passes_is_empty(folders, tmp_path):
    """It is written all the same, and nobody takes an earlier cohort for it."""
    made = read_cohort(folders / "made").select(["huge"])
    kept, verdicts = filter_cohort(
        made, read_cohort(folders / "real"), [FILTERS.parse("plausible_labels")], tmp_path / "k"
    )

    assert len(kept) == len(read_cohort(tmp_path / "k")) == 0
    assert [row.keep for row in verdicts] == [False]


def test_settings_come_from_a_file(tmp_path):
    """A YAML file with `filter`; anything else is refused with what there is."""
    (tmp_path / "f.yaml").write_text("filter: {kind: plausible_labels, tolerance: 3}")

    assert filter_from(str(tmp_path / "f.yaml")).tolerance == 3
    with pytest.raises(SpecError, match="plausible_labels"):
        filter_from("plausible")


def test_limits_come_from_real_cases(folders, tmp_path):
    """A synthetic case among the training cases is refused, before anything is written."""
    with pytest.raises(CohortError, match="2 synthetic cases among the training cases"):
        filter_cohort(toy_cohort([1]), read_cohort(folders / "made"), [], tmp_path / "k")
    assert not (tmp_path / "k").exists()
