"""Every verb on a tiny phantom cohort, in the order in which a user types them."""

import json
from pathlib import Path

import nibabel as nib
import pytest
import yaml
from typer.testing import CliRunner, Result

from glioforge.cli.main import app
from glioforge.core.errors import GlioforgeError
from glioforge.io.cohort_file import read_cohort

GENERATOR = {
    "synthesizer": {"kind": "spade", "preset": "sound", "ngf": 2, "hidden": 8, "critic_width": 4},
    "budget": {"steps": 3, "validate_every": 3, "checkpoint_every": 3},
    "accelerator": {"threads": 1},
}
SEGMENTER = {
    "segmenter": {"kind": "unet", "preset": "sound", "widths": [4, 8, 16]},
    "budget": {"steps": 3, "validate_every": 3, "checkpoint_every": 3},
    "accelerator": {"threads": 1},
}


def call(*words: object) -> Result:
    """Run a verb; a typed error is raised for the test to see."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with phantoms, their cohort, the prepared cohort and the two YAML files."""
    folder = tmp_path_factory.mktemp("verbs")
    call("phantom", "--cases", 4, "--seed", 3, "--out", folder / "scans", "--set", "shape=[48, 48, 40]")
    call("ingest", folder / "scans", "--out", folder / "cohort")
    call("prepare", folder / "cohort", "--out", folder / "prepared")
    for name, values in (("generator", GENERATOR), ("segmenter", SEGMENTER)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def generator(place: Path) -> Path:
    """Folder of a generator trained by the verb."""
    call("train", place / "generator.yaml", place / "prepared", "--out", place / "generator")
    return place / "generator"


@pytest.fixture(scope="module")
def segmenter(place: Path) -> Path:
    """Folder of a segmenter trained by the verb."""
    call("train", place / "segmenter.yaml", place / "prepared", "--out", place / "segmenter")
    return place / "segmenter"


def test_ingest_tells_phantoms_from_patients(place: Path) -> None:
    """A phantom's cohort says that no patient stands behind it."""
    assert {ref.lineage.kind for ref in read_cohort(place / "cohort")} == {"phantom"}


@pytest.mark.slow
def test_workers_synthesize_the_same_bytes(place: Path, generator: Path) -> None:
    """Edits and images are the same files from one process and from two."""
    recipe = place / "mirror.yaml"
    recipe.write_text(yaml.safe_dump({"name": "mirror", "steps": [{"edit": {"kind": "mirror"}}]}), encoding="utf-8")
    for workers in (1, 2):
        options = ("--recipe", recipe, "--no-nifti", "--workers", workers)
        call("synthesize", generator, place / "prepared", "--out", place / f"made-{workers}", *options)
    one, two = read_cohort(place / "made-1"), read_cohort(place / "made-2")

    assert len(one) > 0
    assert [(ref.case_id, ref.digest, ref.lineage) for ref in one] == [
        (ref.case_id, ref.digest, ref.lineage) for ref in two
    ]


def test_training_keeps_test_subjects_away(place: Path, generator: Path) -> None:
    """The model's folder names the subjects of each side, and none is on two."""
    sides = json.loads((generator / "split.json").read_text(encoding="utf-8"))

    assert sorted(name for side in sides.values() for name in side) == sorted(
        read_cohort(place / "prepared").subject_ids
    )
    assert len(sides["test"]) == 1


@pytest.mark.parametrize("model", ["generator", "segmenter"])
def test_estimate_prints_cost_and_writes_nothing(place: Path, model: str) -> None:
    """Parameters, memory and time before any training; the output folder is not made."""
    out = place / "estimated"
    said = call("train", place / f"{model}.yaml", place / "prepared", "--out", out, "--estimate").output

    names = [line.split(":")[0] for line in said.splitlines()][-6:]
    assert names[:2] + names[3:] == ["batch", "memory", "peak", "time", "in all"]
    assert names[2].startswith("computing in ")
    assert names[2].endswith("on cpu, 1 thread")
    assert "parameters" in said
    assert not out.exists()


def test_synthetic_volumes_say_that_they_are_synthetic(place: Path, generator: Path) -> None:
    """Edited, generated and exported cases keep grid and lineage, and every header is marked."""
    recipe = place / "recipe.yaml"
    edit = {"kind": "translate", "distance_mm": [5, 15]}
    recipe.write_text(yaml.safe_dump({"name": "shift", "steps": [{"edit": edit}]}), encoding="utf-8")
    call("synthesize", generator, place / "prepared", "--out", place / "synthetic", "--recipe", recipe)
    files = sorted((place / "synthetic" / "nifti").rglob("*.nii.gz"))
    again = place / "again"
    call("ingest", place / "synthetic" / "nifti", "--out", again)

    assert len(files) >= 5
    assert all(nib.load(file).header["descrip"].item().startswith(b"SYNTHETIC") for file in files)
    assert all(ref.lineage.is_synthetic for ref in read_cohort(again))
    assert {s for ref in read_cohort(again) for s in ref.lineage.subjects} <= set(
        read_cohort(place / "cohort").subject_ids
    )


def test_segment_then_evaluate(place: Path, segmenter: Path) -> None:
    """Masks lie on the scans' own grids, and their scores end in a table and a page."""
    call("segment", segmenter, place / "scans", "--out", place / "masks")
    result = call("evaluate", place / "masks", place / "cohort", "--out", place / "scores")

    assert "report.html" in result.output.replace("\n", "")
    assert (place / "scores" / "results.csv").read_text(encoding="utf-8").count("dice") >= 12


def test_dry_run_prints_settings_and_writes_nothing(place: Path) -> None:
    """`--dry-run` shows every default, and the folder is not made."""
    result = call(
        "train", place / "generator.yaml", place / "prepared", "--out", place / "none", "--dry-run", "--set", "seed=9"
    )

    assert yaml.safe_load(result.output)["seed"] == 9
    assert yaml.safe_load(result.output)["synthesizer"]["ngf"] > 0
    assert not (place / "none").exists()


def test_methods_are_listed() -> None:
    """Every family appears, as a table and as JSON."""
    listed = json.loads(call("methods", "--json").output)

    assert {entry["family"] for entry in listed} == {
        "synthesizer",
        "segmenter",
        "sampler",
        "edit",
        "filter",
        "layout",
        "recipe",
        "scheme",
    }
    assert all(entry["summary"] for entry in listed)
    assert "spade" in call("methods").output


@pytest.mark.parametrize("damage", ["truncated", "missing contrast", "unknown label", "NaN"])
def test_damaged_scans_are_refused_with_file_and_remedy(place: Path, tmp_path: Path, damage: str) -> None:
    """One typed error that names the file; nothing is written."""
    import shutil

    import numpy as np

    scans = tmp_path / "scans"
    shutil.copytree(place / "scans", scans)
    case = min(folder for folder in scans.iterdir() if folder.is_dir())
    file = case / f"{case.name}_{'seg' if damage == 'unknown label' else 't1'}.nii.gz"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-200])
    elif damage == "missing contrast":
        file.unlink()
    else:
        image = nib.load(file)
        voxels = np.asarray(image.dataobj).astype(np.float32)
        voxels[10, 10, 10] = np.nan if damage == "NaN" else 7
        image.set_data_dtype(np.float32)
        nib.save(nib.Nifti1Image(voxels, image.affine, image.header), file)
    with pytest.raises(GlioforgeError) as caught:
        call("ingest", scans, "--out", tmp_path / "cohort")

    assert case.name in str(caught.value)
    assert not (tmp_path / "cohort").exists()
