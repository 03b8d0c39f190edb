"""The doctor's page and verb tell everything found, and the exit code tells errors."""

import json

import pytest
from typer.testing import CliRunner

from fixtures_layouts import LAYOUTS
from glioforge.cli.main import app
from glioforge.data.doctor.examine import examine
from glioforge.report.html import render
from glioforge.report.page import Figure, Note
from glioforge.runs import doctor


@pytest.fixture
def scans(tmp_path):
    """Two sound cases of BraTS."""
    writer, heads, _, _ = LAYOUTS["brats"]
    writer(tmp_path / "scans", heads)
    return tmp_path / "scans"


def test_sound_folder_has_a_page_without_findings(scans):
    """The page says so, and shows every case with its picture."""
    page = doctor.doctor_page(examine(scans))
    assert page.verdict == (
        "2 cases in layout brats, labels brats2017 (named as in BraTS 2016-2021; values 1, 2, 4): "
        "0 errors, 0 warnings, 0 remarks. Ready to ingest."
    )
    assert [section.heading for section in page.sections] == ["What to fix", "Cases", "Pictures"]
    assert sum(isinstance(block, Figure) for block in page.sections[-1].blocks) == 2
    assert "Nothing was found." in render(page)


def test_findings_stand_in_summary_list_and_captions(scans):
    """A missing contrast and a damaged file are told with case, file and remedy; same diagnosis, same bytes."""
    first, second = sorted(path for path in scans.iterdir())
    next(first.glob("*_t2.nii.gz")).unlink()
    next(second.glob("*_t1.nii.gz")).write_bytes(b"x")
    diagnosis = examine(scans)
    text = render(doctor.doctor_page(diagnosis))
    for part in ("file missing", "no t2 file", "file cannot be used", f"{second.name}_t1.nii.gz", "copy or download"):
        assert part in text
    assert str(scans) not in text
    assert text == render(doctor.doctor_page(diagnosis))


def test_every_finding_names_its_file(scans):
    """Also in the table of what to fix: the file, else the folder of the case, below the folder that was looked at."""
    first, second = sorted(path for path in scans.iterdir())
    next(first.glob("*_t2.nii.gz")).unlink()
    next(second.glob("*_t1.nii.gz")).write_bytes(b"x")
    diagnosis = examine(scans)
    examples = {topic: example for _, topic, _, _, example, _ in doctor.topics(diagnosis)}
    files = {finding.topic: doctor.file_of(finding, diagnosis) for finding in diagnosis.findings}

    assert examples["file cannot be used"].startswith(f"{second.name}/{second.name}_t1.nii.gz: ")
    assert files["file missing"].startswith(first.name)
    assert all(name and not name.startswith("/") for name in files.values())


def test_long_lists_are_cut_and_counted(scans, monkeypatch):
    """What does not fit is said to stand elsewhere."""
    for path in scans.rglob("*_t1.nii.gz"):
        path.write_bytes(b"x")
    monkeypatch.setattr(doctor, "_MOST_ROWS", 1)
    monkeypatch.setattr(doctor, "_MOST_PICTURES", 1)
    page = doctor.doctor_page(examine(scans))
    assert sum(isinstance(block, Note) for section in page.sections for block in section.blocks) == 2
    assert "1 more stand in the JSON file" in render(page)


def test_verb_writes_page_and_table_and_exits_by_errors(scans, tmp_path):
    """Exit code 0 without errors and 1 with one; the findings are printed and written."""
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["doctor", str(scans), "--out", str(out), "--spacing", "2"])
    assert (result.exit_code, json.loads((out / "doctor.json").read_text())["counts"]["error"]) == (0, 0)
    assert "0 errors" in result.output
    next(scans.rglob("*_t2.nii.gz")).unlink()
    result = CliRunner().invoke(app, ["doctor", str(scans)])
    assert result.exit_code == 1
    assert "file missing" in result.output
    assert (out / "doctor.html").read_text().startswith("<!")


def test_empty_folder_has_a_page(tmp_path):
    """A folder without scans gives a page that says what is known of layouts."""
    page = doctor.doctor_page(examine(tmp_path))
    assert page.verdict.startswith("0 cases: 1 error")
    assert "no case found" in render(page)
