"""A run can say what it was made with."""

import json
import subprocess

import pytest

from glioforge.io import step_key as module
from glioforge.io.step_key import run_facts


def test_facts_are_plain_and_name_versions():
    """Facts are JSON and hold the versions of Glioforge and numpy."""
    facts = run_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["packages"]["glioforge"]
    assert facts["packages"]["numpy"]


def test_commit_is_told_and_marked_when_files_differ(tmp_path):
    """In a checkout the commit is named; changed files are marked; elsewhere there is none."""
    assert module._commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "f").write_text("1", encoding="utf-8")
    subprocess.run([*git, "add", "f"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "c"], check=True)
    commit = module._commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "f").write_text("2", encoding="utf-8")
    assert module._commit(tmp_path) == f"{commit}+changed"


@pytest.mark.parametrize("name", ["no-such-package-anywhere"])
def test_missing_package_has_no_version(name):
    """A package that is not installed has no version."""
    assert module._version(name) is None


def test_the_processor_is_named(tmp_path):
    """By the system, or by its architecture where the system does not say."""
    info = tmp_path / "cpuinfo"
    info.write_text("flags : avx2\nmodel name\t: Some CPU @ 3 GHz\nmodel name\t: Some CPU @ 3 GHz\n", encoding="utf-8")
    assert module._processor(info) == "Some CPU @ 3 GHz"
    assert module._processor(tmp_path / "none")
    assert run_facts()["processor"]
