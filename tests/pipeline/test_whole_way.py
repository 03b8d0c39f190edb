"""From phantoms to a report, as a user runs it."""

import base64
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glioforge.io.cohort_file import read_cohort
from glioforge.io.tables import read_results
from glioforge.studies.engine import write_report

GLIOFORGE = [sys.executable, "-c", "from glioforge.cli.main import run; run()"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

IMAGE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
"""Pictures of a page."""


def test_every_arm_region_and_metric_is_scored(finished_study: Path) -> None:
    """The long table holds each arm, region and metric for each test subject."""
    rows = read_results(finished_study)
    overlap = {(r.arm, r.region, r.metric) for r in rows if not r.contrast}
    subjects = {r.subject_id for r in rows}

    assert {arm for arm, _, _ in overlap} == {"real", "real+synthetic", "synthetic", "real+control"}
    assert {region for _, region, _ in overlap} == {"WT", "TC", "ET"}
    assert {"dice", "hd95", "sensitivity", "precision"} <= {metric for _, _, metric in overlap}
    assert len(subjects) == 2


def test_synthetic_cases_know_their_parents_and_never_a_test_subject(finished_study: Path) -> None:
    """Lineage of each synthetic case names training subjects alone and at least one edit."""
    test_subjects = {r.subject_id for r in read_results(finished_study)}
    made = read_cohort(finished_study / "fold-0" / "cases" / "generator" / "made")

    assert len(made) > 0
    for ref in made:
        assert ref.lineage.is_synthetic
        assert ref.lineage.parents
        assert ref.lineage.edits
        assert not test_subjects & set(ref.lineage.subjects)


def test_the_report_stands_alone(finished_study: Path) -> None:
    """One file, with pictures inside and nothing fetched from elsewhere."""
    page = (finished_study / "report.html").read_text(encoding="utf-8")

    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def pixels(text: str) -> np.ndarray:
    """Pixels of a picture in base64."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), dtype=int)


def test_the_report_can_be_written_again(finished_study: Path) -> None:
    """`write_report` gives the same page from the stored results; another process may round a grey level otherwise."""
    before = (finished_study / "report.html").read_text(encoding="utf-8")
    after = write_report(finished_study).read_text(encoding="utf-8")
    pairs = list(zip(IMAGE.findall(before), IMAGE.findall(after), strict=True))

    assert IMAGE.sub("", after) == IMAGE.sub("", before)
    assert pairs
    for first, second in pairs:
        ours, theirs = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(x))).convert("RGB"), int) for x in (first, second)
        )
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 3


@pytest.mark.slow
def test_killed_and_resumed_equals_undisturbed(tiny_study: Path, finished_study: Path, tmp_path: Path) -> None:
    """Kill -9 at several instants, then the same command: the same results and synthetic cases."""
    out = tmp_path / "run"
    command = [*GLIOFORGE, "study", str(tiny_study), "--out", str(out)]
    for seconds in (8, 12, 16, 20):
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert (out / "results.csv").read_bytes() == (finished_study / "results.csv").read_bytes()
    for file in sorted(finished_study.rglob("*.b2nd")):
        assert (out / file.relative_to(finished_study)).read_bytes() == file.read_bytes(), file.name


def test_other_settings_in_the_same_folder_are_refused(tiny_study: Path, finished_study: Path) -> None:
    """A finished folder is never overwritten by another study; exit code and message tell."""
    command = [*GLIOFORGE, "study", str(tiny_study), "--out", str(finished_study), "--set", "seed=99"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "seed" in done.stderr
    assert "Traceback" not in done.stderr
