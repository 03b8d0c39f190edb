"""Phantom cohorts as files: marked, resumable, the same from any number of workers, and read back."""

import json

import numpy as np
import pytest

from glioforge.compute.parallel import ParallelSpec
from glioforge.core.errors import CohortError, OutputError
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.phantom.cohort import PhantomSpec, count_phantoms, make_phantom, write_phantom_cohort
from glioforge.io.nifti import read_image, read_labels

TINY = PhantomSpec(shape=(24, 24, 16))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two cases with their truth."""
    out = tmp_path_factory.mktemp("phantoms") / "cohort"
    return out, write_phantom_cohort(out, cases=2, seed=7, spec=TINY, truth=True)


def contents(folder) -> dict[str, bytes]:
    """Bytes of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_layout_is_that_of_brats(written):
    """One folder a case, five images named after it, and a sidecar."""
    out, folders = written
    assert [f.name for f in folders] == ["phantom-007-0000", "phantom-007-0001"]
    parts = ("t1", "t1ce", "t2", "flair", "seg")
    expected = {f"phantom-007-0000_{part}.nii.gz" for part in parts} | {"phantom-007-0000.json"}
    assert {p.name for p in folders[0].iterdir()} == expected
    assert {p.name for p in out.iterdir() if p.is_file()} == {"README.txt", "dataset.json", "name_mapping.csv"}


def test_phantoms_of_earlier_calls_are_counted(written, tmp_path):
    """By the table; a folder without one holds none."""
    assert count_phantoms(written[0]) == 2
    assert count_phantoms(tmp_path) == 0


def test_files_hold_the_phantom(written):
    """What is read back is what was made: voxels, grid and labels."""
    _, folders = written
    phantom = make_phantom(7, 1, TINY)
    for modality, image in phantom.case.images.items():
        read = read_image(folders[1] / f"phantom-007-0001_{modality}.nii.gz", modality)
        assert np.array_equal(read.voxels, image.voxels)
        assert read.geometry.matches(phantom.case.geometry)
        assert read.geometry.orientation == "LPS"
    labels = read_labels(folders[1] / "phantom-007-0001_seg.nii.gz", BRATS2017)
    assert np.array_equal(labels.voxels, phantom.case.labels.voxels)


def test_every_file_says_that_it_is_a_phantom(written):
    """Headers, sidecars, the data set's own file and the README say so."""
    import nibabel

    out, folders = written
    for path in [*folders[0].glob("*.nii.gz"), *(out.parent / "cohort-truth").rglob("*.nii.gz")]:
        assert nibabel.load(path).header["descrip"].item().decode().startswith("PHANTOM glioforge seed 7 case ")
    assert json.loads((folders[0] / "phantom-007-0000.json").read_text())["phantom"] == "phantom-007-0000"
    assert json.loads((out / "dataset.json").read_text())["phantom"] is True
    assert "NOT PATIENTS" in (out / "README.txt").read_text()


def test_truth_lies_beside(written):
    """The sibling folder holds the seven classes and the images without noise, unrounded."""
    out, _ = written
    folder = out.parent / "cohort-truth" / "phantom-007-0000"
    phantom = make_phantom(7, 0, TINY)
    tissue = read_labels(folder / "phantom-007-0000_tissue.nii.gz", COMPLETE)
    assert np.array_equal(tissue.voxels, phantom.truth.voxels)
    clean = read_image(folder / "phantom-007-0000_t1_noisefree.nii.gz", Modality.T1)
    assert np.array_equal(clean.voxels, phantom.noise_free[Modality.T1].voxels)


def test_grades_can_be_read_from_the_table(written):
    """The table of grades names every case."""
    out, _ = written
    lines = (out / "name_mapping.csv").read_text().splitlines()
    grades = [make_phantom(7, n, TINY).case.facts["grade"] for n in (0, 1)]
    assert lines == ["Grade,phantom_subject_ID", *(f"{g},phantom-007-000{n}" for n, g in enumerate(grades))]


def test_resumed_is_the_same_and_touches_nothing(written, monkeypatch):
    """A second run makes no case again; a missing file is made again with the same bytes."""
    out, folders = written
    before = contents(out)
    victim = folders[0] / "phantom-007-0000_t2.nii.gz"
    victim.unlink()
    untouched = (folders[1] / "phantom-007-0001_t2.nii.gz").stat().st_mtime_ns
    write_phantom_cohort(out, cases=2, seed=7, spec=TINY, truth=True)
    assert contents(out) == before
    assert (folders[1] / "phantom-007-0001_t2.nii.gz").stat().st_mtime_ns == untouched
    monkeypatch.setattr("glioforge.data.phantom.cohort.make_phantom", None)
    write_phantom_cohort(out, cases=1, seed=7, spec=TINY)
    assert contents(out) == before


@pytest.mark.slow
def test_worker_count_does_not_matter(written, tmp_path):
    """Two processes write the same bytes as one."""
    out, _ = written
    write_phantom_cohort(tmp_path / "two", cases=2, seed=7, spec=TINY, parallel=ParallelSpec(workers=2))
    assert contents(tmp_path / "two") == contents(out)


def test_other_settings_are_refused(written):
    """A folder of another seed or spec is not mixed with this one."""
    out, _ = written
    with pytest.raises(OutputError, match="seed differ from the settings now asked for"):
        write_phantom_cohort(out, cases=1, seed=8, spec=TINY)
    with pytest.raises(OutputError, match="spec differ"):
        write_phantom_cohort(out, cases=1, seed=7, spec=TINY.model_copy(update={"noise": 2.0}))


@pytest.mark.parametrize(("cases", "seed"), [(0, 7), (1, -1)])
def test_impossible_numbers_are_refused(tmp_path, cases, seed):
    """No case, or a negative seed, says what was expected."""
    with pytest.raises(CohortError, match="at least one case, and a seed of 0 or above"):
        write_phantom_cohort(tmp_path / "none", cases=cases, seed=seed)


def test_healthy_phantoms_have_no_grade_in_the_table(tmp_path):
    """Nor do they when a later call reads it from their sidecars."""
    healthy = TINY.model_copy(update={"healthy": True})
    for _ in range(2):
        (folder,) = write_phantom_cohort(tmp_path / "healthy", cases=1, seed=8, spec=healthy)
        assert (tmp_path / "healthy" / "name_mapping.csv").read_text().splitlines()[1] == f",{folder.name}"
    assert not read_labels(folder / f"{folder.name}_seg.nii.gz", BRATS2017).voxels.any()
