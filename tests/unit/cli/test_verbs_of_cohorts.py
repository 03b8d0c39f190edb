"""Verbs that take prepared cohorts, on the command line: label maps, mixings, audits and fidelity."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.core import COMPLETE, Cohort, GlioforgeError, Lineage
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from toy_cohort import toy_case

SETS = ("train", "unseen", "others")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """Prepared cohorts of two subjects each, and cases made from those of the first."""
    folder = tmp_path_factory.mktemp("cohorts")
    sets = {name: [toy_case(2 * place + i) for i in range(2)] for place, name in enumerate(SETS)}
    sets["release"] = [synthetic(case) for case in sets["train"]]
    for name, cases in sets.items():
        refs = tuple(write_case(folder / name / "cases", case) for case in cases)
        write_cohort(Cohort(name, refs, COMPLETE), folder / name)
    return folder


def synthetic(case):
    """The case as one that was made from itself."""
    lineage = Lineage.synthetic("toy", {case.case_id: case.lineage}, seed=1)
    return replace(case, case_id=f"{case.case_id}-made", subject_id=f"{case.subject_id}-made", lineage=lineage)


def run(*arguments):
    """Call the command line."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_label_maps_print_their_settings(folders, tmp_path):
    """A dry run writes nothing."""
    result = run("labels", folders / "train", "--out", tmp_path / "maps", "--dry-run")

    assert result.exit_code == 0, result.output
    assert "distractors:" in result.output
    assert not (tmp_path / "maps").exists()


def test_mixed_cases_are_counted(folders, tmp_path):
    """A case of each host, whose lineage names host and donor."""
    result = run("mix", folders / "train", "--kind", "cutmix", "--out", tmp_path / "mixed")

    assert result.exit_code == 0, result.output
    assert [len(ref.lineage.subjects) for ref in read_cohort(tmp_path / "mixed")] == [2, 2]


def test_an_audit_prints_its_plan(folders, tmp_path):
    """The sizes that it needs, and nothing written."""
    others = ("--train", folders / "train", "--held-out", folders / "unseen", "--control", folders / "others")
    result = run("audit", folders / "release", *others, "--out", tmp_path / "audit", "--dry-run")

    assert result.exit_code == 0, result.output
    assert "INCONCLUSIVE" in result.output
    assert not (tmp_path / "audit").exists()


def test_too_few_subjects_are_refused(folders, tmp_path):
    """Two subjects on a side cannot be halved into cohorts to compare."""
    result = run(
        "fidelity", folders / "release", folders / "unseen", "--features", "random_convolution", "--out", tmp_path / "f"
    )

    assert result.exit_code == 1
    assert isinstance(result.exception, GlioforgeError)


def test_a_folder_without_a_sampler_is_refused(folders, tmp_path):
    """A cohort is no trained model, and one finding cannot be asked of whole cases."""
    result = run("sample", folders / "train", "--out", tmp_path / "maps")
    whole = run("sample", tmp_path / "whole.yaml", "--ask", "tumour=present", "--out", tmp_path / "cases")

    assert isinstance(result.exception, GlioforgeError)
    assert whole.exit_code == 2
    assert "choose among them" in whole.output
