"""Scans that change after they were ingested are noticed, at the cost of a look at their sizes and times."""

import os

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.protocols import Silent
from glioforge.core.volume import Modality
from glioforge.data.preparation import survey as sources
from glioforge.data.preparation.pipeline import GridSpec, PrepareSpec, prepare
from glioforge.data.preparation.survey import require_unchanged
from glioforge.io.ingestion import ingest
from glioforge.io.nifti_reader import NiftiReader, files_behind

SPEC = PrepareSpec(grid=GridSpec(multiple=1), tissue=None)
NAME = "BraTS20_Training_000/BraTS20_Training_000"


def save(path, voxels, spacing=20.0):
    """Write a NIfTI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.diag([-spacing, -spacing, spacing, 1.0])), path)


def labels(value):
    """A label map with one voxel of tumour."""
    voxels = np.zeros((8, 8, 8), dtype=np.uint8)
    voxels[3, 3, 3:6] = (1, 2, value)
    return voxels


@pytest.fixture
def scans(tmp_path):
    """A folder of one case with T1 and labels."""
    voxels = np.zeros((8, 8, 8), dtype=np.int16)
    voxels[1:7, 1:7, 1:7] = np.random.default_rng(0).integers(1, 900, (6, 6, 6))
    save(tmp_path / "scans" / f"{NAME}_t1.nii.gz", voxels)
    save(tmp_path / "scans" / f"{NAME}_seg.nii.gz", labels(4))
    return tmp_path / "scans"


class Lines(Silent):
    """A progress that keeps what is said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        """Keep a line."""
        self.said.append(text)


def test_a_label_file_that_changed_after_ingest_is_refused(scans, tmp_path):
    """In the folder of before and in a new one; ingested again, the case is made again and that is said."""
    cohort = ingest(scans)
    before = prepare(cohort, SPEC, tmp_path / "one").cases[0].load()
    save(scans / f"{NAME}_seg.nii.gz", labels(2))
    for folder, names in (("one", r"\(BraTS20_Training_000_seg\.nii\.gz\)"), ("two", r"\(among .*_seg\.nii\.gz.*\)")):
        with pytest.raises(
            InputFileError, match=rf"changed since they were ingested {names}.* ingest the folder again"
        ):
            prepare(cohort, SPEC, tmp_path / folder)
    lines = Lines()
    after = prepare(ingest(scans), SPEC, tmp_path / "one", progress=lines).cases[0].load()
    assert any("its scans have changed since it was prepared; prepared again" in line for line in lines.said)
    assert [case.labels.volume_ml("ET") for case in (before, after)] == [8.0, 0.0]


def test_files_that_look_as_noted_are_not_read_again(scans, tmp_path, monkeypatch):
    """Sizes and times suffice; other times alone mean a look at the contents, once."""
    cohort = ingest(scans)
    read = []
    real = NiftiReader.require_unchanged
    monkeypatch.setattr(NiftiReader, "require_unchanged", lambda self, ref: read.append(ref.case_id) or real(self, ref))
    first = prepare(cohort, SPEC, tmp_path / "out")
    assert prepare(cohort, SPEC, tmp_path / "out") == first
    assert read == []
    os.utime(scans / f"{NAME}_seg.nii.gz", (1, 1))
    for _ in range(2):
        assert prepare(cohort, SPEC, tmp_path / "out") == first
    assert read == [cohort.cases[0].case_id]
    (tmp_path / "out" / "survey" / f"{cohort.cases[0].case_id}.files.json").write_text("?")
    prepare(cohort, SPEC, tmp_path / "out")
    assert len(read) == 2


def test_scans_that_are_gone_leave_the_prepared_cases_usable(scans, tmp_path):
    """A prepared folder outlives the scans it was made from."""
    cohort = ingest(scans)
    first = prepare(cohort, SPEC, tmp_path / "out")
    (scans / f"{NAME}_t1.nii.gz").unlink()
    assert prepare(cohort, SPEC, tmp_path / "out") == first


def test_registered_cases_are_compared_without_registering_again(scans, tmp_path, monkeypatch):
    """Their digest holds the reference contrast as well."""
    voxels = np.zeros((8, 8, 4), dtype=np.int16)
    voxels[1:7, 1:7, 1:3] = np.random.default_rng(1).integers(1, 900, (6, 6, 2))
    save(scans / f"{NAME}_t2.nii.gz", voxels, spacing=19.0)
    (ref,) = ingest(scans, register_to=Modality.T1)
    monkeypatch.setattr("glioforge.data.preparation.register.register_volumes", None)
    require_unchanged(tmp_path, ref)
    assert sources.stamps_of(ref).keys() >= {str(scans / f"{NAME}_t2.nii.gz")}
    save(scans / f"{NAME}_t2.nii.gz", voxels + 1, spacing=19.0)
    with pytest.raises(InputFileError, match="changed since they were ingested"):
        require_unchanged(tmp_path, ref)


def test_all_files_that_are_read_together_are_looked_at(tmp_path):
    """Shares of a tissue map, and voxels beside a header."""
    for name in ("a.mhd", "a.zraw", "b.raw", *(f"s_label-{t}_probseg.nii.gz" for t in ("GM", "WM", "CSF"))):
        (tmp_path / name).touch()
    assert [p.name for p in files_behind(tmp_path / "a.mhd")] == ["a.mhd", "a.zraw"]
    assert len(files_behind(tmp_path / "s_label-WM_probseg.nii.gz")) == 3
    assert files_behind(tmp_path / "t1.nii.gz") == (tmp_path / "t1.nii.gz",)
