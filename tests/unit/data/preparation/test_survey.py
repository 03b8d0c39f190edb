"""Registration and stripping run once per case where the grid is fitted; scans that changed are noticed."""

import os

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation import register as registering, strip as stripping, survey as sources
from glioforge.data.preparation.pipeline import prepare
from glioforge.data.preparation.register import RegisterSpec
from glioforge.data.preparation.spec import GridSpec, PrepareSpec
from glioforge.data.preparation.strip import StripSpec
from glioforge.data.preparation.survey import Survey, known_of, measured, require_unchanged
from glioforge.data.store import write_case
from glioforge.io.ingestion import ingest
from glioforge.io.nifti_reader import NiftiReader, files_behind

SHAPE = (24, 26, 22)
GRID = Geometry.isotropic(SHAPE, 8.0)
SPEC = PrepareSpec(
    registration=RegisterSpec(reference=Modality.T1),
    strip=StripSpec(method="morphology", plausible_ml=(50, 4000)),
    tissue=None,
    grid=GridSpec(multiple=2),
)


@pytest.fixture
def cohort(tmp_path):
    """One head in two contrasts, with a rim of scalp."""
    places = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2
    radius = np.sqrt(((places / np.array([10, 11, 9])) ** 2).sum(axis=-1))
    field = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 2) * 400
    head = np.where(radius < 0.75, 500 + field, np.where((radius > 0.9) & (radius < 1), 700, 20)).astype(np.float32)
    images = {Modality.T1: head, Modality.T2: np.roll(900 - head, 1, axis=0)}
    volumes = {m: Volume(v, GRID, m) for m, v in images.items()}
    return Cohort("heads", (write_case(tmp_path / "raw", Case("h", "s", volumes, Lineage.real("x", "s"))),), COMPLETE)


def test_slow_steps_run_once(tmp_path, cohort, monkeypatch):
    """Measuring keeps what it found; preparing with the fitted size given from the start gives the same voxels."""
    calls = []
    for module, name in ((registering, "register"), (stripping, "by_morphology")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, _real=real, _name=name, **k: calls.append(_name) or _real(*a, **k))
    fitted = prepare(cohort, SPEC, tmp_path / "fitted").cases[0].load()
    assert sorted(calls) == ["by_morphology", "register"]
    given = SPEC.model_copy(update={"grid": GridSpec(multiple=2, size=fitted.geometry.shape)})
    other = prepare(cohort, given, tmp_path / "given").cases[0].load()
    assert sorted(calls) == ["by_morphology"] * 2 + ["register"] * 2
    for modality, volume in fitted.images.items():
        assert np.array_equal(volume.voxels, other.images[modality].voxels)
    assert np.array_equal(fitted.brain, other.brain)
    assert fitted.facts["prepared"]["registration"] == other.facts["prepared"]["registration"]
    assert fitted.facts["prepared"]["strip"]["method"] == "morphology"


def test_damaged_notes_are_not_believed(tmp_path, cohort):
    """A note whose mask is gone, or that is no note, is as good as none; so is one of another spec."""
    survey = Survey(cohort.cases[0], SPEC, tmp_path / "survey")
    assert known_of(survey) is None
    extent = measured(survey)
    assert known_of(survey).stripped.any()
    bare = PrepareSpec(tissue=None)
    assert known_of(Survey(cohort.cases[0], bare, tmp_path / "survey")) is None
    survey.mask.unlink()
    assert known_of(survey) is None
    survey.note.write_text("{}")
    assert known_of(survey) is None
    assert measured(survey) == extent


PLAIN_SPEC = PrepareSpec(grid=GridSpec(multiple=1), tissue=None)
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
    before = prepare(cohort, PLAIN_SPEC, tmp_path / "one").cases[0].load()
    save(scans / f"{NAME}_seg.nii.gz", labels(2))
    for folder, names in (("one", r"\(BraTS20_Training_000_seg\.nii\.gz\)"), ("two", r"\(among .*_seg\.nii\.gz.*\)")):
        with pytest.raises(
            InputFileError, match=rf"changed since they were ingested {names}.* ingest the folder again"
        ):
            prepare(cohort, PLAIN_SPEC, tmp_path / folder)
    lines = Lines()
    after = prepare(ingest(scans), PLAIN_SPEC, tmp_path / "one", progress=lines).cases[0].load()
    assert any("its scans have changed since it was prepared; prepared again" in line for line in lines.said)
    assert [case.labels.volume_ml("ET") for case in (before, after)] == [8.0, 0.0]


def test_files_that_look_as_noted_are_not_read_again(scans, tmp_path, monkeypatch):
    """Sizes and times suffice; other times alone mean a look at the contents, once."""
    cohort = ingest(scans)
    read = []
    real = NiftiReader.require_unchanged
    monkeypatch.setattr(NiftiReader, "require_unchanged", lambda self, ref: read.append(ref.case_id) or real(self, ref))
    first = prepare(cohort, PLAIN_SPEC, tmp_path / "out")
    assert prepare(cohort, PLAIN_SPEC, tmp_path / "out") == first
    assert read == []
    os.utime(scans / f"{NAME}_seg.nii.gz", (1, 1))
    for _ in range(2):
        assert prepare(cohort, PLAIN_SPEC, tmp_path / "out") == first
    assert read == [cohort.cases[0].case_id]
    (tmp_path / "out" / "survey" / f"{cohort.cases[0].case_id}.files.json").write_text("?")
    prepare(cohort, PLAIN_SPEC, tmp_path / "out")
    assert len(read) == 2


def test_scans_that_are_gone_leave_the_prepared_cases_usable(scans, tmp_path):
    """A prepared folder outlives the scans it was made from."""
    cohort = ingest(scans)
    first = prepare(cohort, PLAIN_SPEC, tmp_path / "out")
    (scans / f"{NAME}_t1.nii.gz").unlink()
    assert prepare(cohort, PLAIN_SPEC, tmp_path / "out") == first


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
