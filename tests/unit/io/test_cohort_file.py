"""A cohort comes back from its file as it was, wherever its folder moves."""

import importlib
import json
from dataclasses import replace

import pytest
from hypothesis import given

from glioforge.core.cohort import Cohort
from glioforge.core.errors import InputFileError, OutputError
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.io.atomic_write import write_json
from glioforge.io.cohort_file import READERS, read_cohort, write_cohort
from glioforge.io.ingestion import ingest
from glioforge.io.nifti_reader import NiftiReader
from strategies import cohorts


def test_cohort_comes_back(tmp_path, brats_case):
    """Cases, scheme, lineage, facts and fingerprint are read back, and cases load."""
    brats_case("BraTS20_Training_000", folder="scans")
    cohort = ingest(tmp_path / "scans")
    for folder in (tmp_path / "scans", tmp_path / "elsewhere"):
        assert write_cohort(cohort, folder) == folder / "cohort.json"
        again = read_cohort(folder)
        assert again == cohort
        assert (again.source, again.file_scheme) == (cohort.source, BRATS2017)
        assert again.fingerprint == cohort.fingerprint
        assert again.cases[0].load().case_id == "BraTS20_Training_000"


def test_folder_can_be_moved(tmp_path, brats_case):
    """Files below the cohort's folder are found after a move."""
    brats_case("BraTS20_Training_000", folder="scans")
    write_cohort(ingest(tmp_path / "scans"), tmp_path / "scans")
    (tmp_path / "scans").rename(tmp_path / "moved")
    assert read_cohort(tmp_path / "moved").cases[0].load().modalities


def test_same_cohort_gives_the_same_bytes(tmp_path, brats_case):
    """Two writes are one file."""
    brats_case("BraTS20_Training_000")
    cohort = ingest(tmp_path)
    assert write_cohort(cohort, tmp_path / "a").read_bytes() == write_cohort(cohort, tmp_path / "b").read_bytes()


def test_empty_cohort_comes_back(tmp_path):
    """No cases are a cohort as well."""
    write_cohort(Cohort("none", (), COMPLETE), tmp_path)
    assert read_cohort(tmp_path) == Cohort("none", (), COMPLETE)


def test_reader_settings_are_kept(tmp_path, brats_case):
    """A reader that verifies still verifies after reading back."""
    brats_case("BraTS20_Training_000")
    cohort = ingest(tmp_path)
    strict = replace(cohort, cases=tuple(replace(ref, reader=NiftiReader(verify=True)) for ref in cohort))
    write_cohort(strict, tmp_path)
    assert read_cohort(tmp_path).cases[0].reader == NiftiReader(verify=True)


@pytest.mark.parametrize("kind", READERS)
def test_every_format_has_its_reader(kind):
    """The text of each format names a class of that format."""
    module, _, name = READERS[kind].partition(":")
    assert getattr(importlib.import_module(module), name).format == kind


@given(cohort=cohorts(smallest=1))
def test_cases_without_a_format_are_refused(tmp_path_factory, cohort):
    """A case that lives in memory only cannot be named in a file."""
    with pytest.raises(OutputError, match="a reader of a known format"):
        write_cohort(cohort, tmp_path_factory.mktemp("cohort"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 9}, "version 9"),
        ({"cases": [{}]}, "KeyError"),
        ({"cases": None}, "TypeError"),
        ({"scheme": {}}, "KeyError"),
        ({"case": {"format": "tiff"}}, "format 'tiff' is not one of"),
        ({"case": {"scheme": "brats2013"}}, "cases in schemes"),
        ({"case": {"lineage": {}}}, "KeyError"),
    ],
)
def test_damaged_file_is_refused(tmp_path, brats_case, change, message):
    """Other versions, missing keys and unknown formats are told with the file's path."""
    brats_case("BraTS20_Training_000")
    path = write_cohort(ingest(tmp_path), tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    values["cases"][0].update(change.pop("case", {}))
    path.write_text(json.dumps({**values, **change}), encoding="utf-8")
    with pytest.raises(InputFileError, match=rf"cohort\.json: not a cohort \(.*{message}"):
        read_cohort(tmp_path)


def test_missing_file_is_refused(tmp_path):
    """A folder without a cohort is refused; an exported data set is called one."""
    with pytest.raises(
        InputFileError, match=r"no cohort\.json in the folder; expected a folder that ingest or prepare"
    ):
        read_cohort(tmp_path)
    write_json(tmp_path.with_name(f"private-{tmp_path.name}") / "step.json", {"key": {"verb": "export"}})
    with pytest.raises(InputFileError, match="this is an exported data set, no cohort"):
        read_cohort(tmp_path)
