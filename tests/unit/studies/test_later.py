"""Frozen models of a finished study score later subjects once, and nobody of the study."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from scipy import ndimage
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.core.errors import CohortError, InputFileError, LeakageError
from glioforge.core.rng import stream
from glioforge.io.ingestion import ingest
from glioforge.io.tables import read_results
from glioforge.studies.engine import run_study
from glioforge.studies.later import score_later
from glioforge.studies.lock import Standing
from glioforge.studies.question import load_study

pytestmark = pytest.mark.slow  # a whole study, if a tiny one

BUDGET = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
STUDY = {
    "kind": "segmenters",
    "seeds": 1,
    "name": "tiny",
    "title": "Which is better?",
    "split": {"kind": "holdout", "test": 0.25, "validation": 0.25},
    "prepare": {"tissue": None},
    "methods": {name: {"segmenter": {"kind": "unet", "widths": [4, 8]}, "budget": BUDGET} for name in ("a", "b")},
    "references": ["a"],
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}
SHAPE = (32, 36, 28)


def write_person(folder, name, seed, change=lambda voxels, order: voxels):
    """Write a 5-mm head with texture and a lumpy lesion in BraTS layout, disguised by `change(voxels, order)`."""
    rng = stream(seed, "later")
    radius = sum(((a - n / 2 + 0.5) / (n * 0.45)) ** 2 for a, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    brain = radius < 1
    texture, lumps = (ndimage.gaussian_filter(rng.normal(size=SHAPE), s) for s in (1.0, 2.5))
    spot = np.array(SHAPE) / 2 + rng.uniform(-5, 5, 3)
    near = np.sqrt(sum((a - p) ** 2 for a, p in zip(np.indices(SHAPE), spot, strict=True)))
    labels = np.zeros(SHAPE, np.uint8)
    for value, size in ((2, 6.0), (4, 4.0), (1, 2.0)):
        labels[(near * (1 + 0.25 * lumps / lumps.std()) < size) & brain] = value
    place = folder / name
    place.mkdir(parents=True)
    affine = np.diag([-5.0, -5.0, 5.0, 1.0])
    for power, contrast in enumerate(("t1", "t1ce", "t2", "flair"), 1):
        image = np.maximum(5 + texture / texture.std() + (labels == 4), 0.5) ** (power / 2) * brain
        nib.save(nib.Nifti1Image(change(image, 1).astype(np.float32), affine), place / f"{name}_{contrast}.nii.gz")
    nib.save(nib.Nifti1Image(change(labels, 0).astype(np.uint8), affine), place / f"{name}_seg.nii.gz")


def disguised(voxels, order):
    """Mirrored, shifted, and with noise in the images."""
    moved = ndimage.shift(voxels[::-1], (1, -1, 0), order=order)
    noise = stream(1, "noise").normal(0, 0.2, moved.shape) * (moved > 0) * moved.std()
    return moved + noise if order else moved


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder with a finished study, and scans of two people who came later."""
    folder = tmp_path_factory.mktemp("later")
    for seed in range(4):
        write_person(folder / "scans", f"Brats18_A_{seed}_1", seed)
    for seed in (7, 8):
        write_person(folder / "new", f"Brats18_B_{seed}_1", seed)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    run_study(load_study(folder / "study.yaml"), folder / "run", data=folder / "scans")
    return folder


def test_later_subjects_are_scored_once(place):
    """With a table, a page and a lock of their own; again in the same folder is no second time, elsewhere it is."""
    assert score_later(place / "run", place / "new", dry_run=True).name == "report.html"
    assert not (place / "run" / "later").exists()
    page = score_later(place / "run", place / "new")
    text = page.read_text(encoding="utf-8")

    rows = read_results(page.parent)
    assert {row.arm for row in rows} == {"a", "b"}
    assert len({row.subject_id for row in rows}) == 2
    assert "Pre-registered." in text
    assert "Looks at the test subjects" in text
    assert Standing.read(page.parent).scans == 2
    assert score_later(place / "run", place / "new").read_text(encoding="utf-8") == text
    with pytest.raises(CohortError, match="2 of 2 scans were scored by these models"):
        score_later(place / "run", place / "new", out=place / "elsewhere")
    assert not (place / "elsewhere").exists()


def test_a_stopped_scoring_goes_on(place, tmp_path):
    """The look is known, and the rows that are there stay; what comes out is the same."""
    done = score_later(place / "run", place / "new").parent
    before = (done / "results.csv").read_bytes()
    again = tmp_path / "again"
    shutil.copytree(done, again)
    (again / "done.json").unlink()
    (again / "results.csv").unlink()

    score_later(place / "run", place / "new", out=again)
    assert (again / "results.csv").read_bytes() == before


@pytest.mark.parametrize("name", ["Brats18_A_1_1", "Brats18_C_1_1"])
def test_a_subject_of_the_study_is_refused(place, tmp_path, name):
    """Under its own name by the firewall, under another and disguised by the search; nothing is written."""
    shutil.copytree(place / "new", tmp_path / "new")
    write_person(tmp_path / "new", name, 1, disguised)

    with pytest.raises(LeakageError, match="Brats18_A_1_1" if "C" in name else "the study"):
        score_later(place / "run", tmp_path / "new", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_cases_without_labels_or_contrasts_are_refused(place, tmp_path):
    """With what is missing."""
    shutil.copytree(place / "new", tmp_path / "new")
    for file in (tmp_path / "new").rglob("*_seg.nii.gz"):
        file.unlink()
    with pytest.raises(CohortError, match="a label map for every case"):
        score_later(place / "run", tmp_path / "new", out=tmp_path / "out")
    shutil.rmtree(tmp_path / "new")
    shutil.copytree(place / "new", tmp_path / "new")
    for file in (tmp_path / "new").rglob("*_t2.nii.gz"):
        file.unlink()
    with pytest.raises(CohortError, match="t2"):
        score_later(place / "run", tmp_path / "new", out=tmp_path / "out")


def test_only_a_finished_study_scores(place, tmp_path):
    """Anything else is named."""
    with pytest.raises(InputFileError):
        score_later(place / "scans", place / "new")


def test_the_command_line_scores_and_refuses_options_that_would_change_the_models(place):
    """`--score` takes a folder of a study; `--set` and the like are for those that are not finished."""
    run, new = str(place / "run"), str(place / "new")
    done = CliRunner().invoke(app, ["study", run, "--score", new, "--dry-run"])
    assert done.exit_code == 0, done.output
    refused = CliRunner().invoke(app, ["study", run, "--score", new, "--set", "seed=2"])
    assert refused.exit_code == 2
    assert CliRunner().invoke(app, ["study", str(place / "study.yaml")]).exit_code == 2
    assert len(ingest(Path(new))) == 2
