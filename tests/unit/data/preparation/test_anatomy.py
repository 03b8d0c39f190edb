"""Healthy anatomies from label maps alone: ingested, prepared, joined, given a lesion, and shown to a generator."""

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.anatomy_schemes import COMPLETE_STRUCTURES
from glioforge.core.case import Case
from glioforge.core.errors import CohortError, InputFileError, OutputError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE, complete_scheme, scheme_named
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.cohort_file import read_cohort
from glioforge.io.ingestion import ingest, join_cohorts
from glioforge.io.layouts.label_maps import LabelMapsSpec
from glioforge.lesions.edited_cohort import edit_cohort
from glioforge.lesions.recipe import RecipeSpec
from glioforge.synthesis.compose import for_generator
from toy_cohort import cohort_of_cases

LAYOUT = LabelMapsSpec()
SHAPE = (36, 40, 36)


def ball(*centre, radius):
    """A ball in voxels."""
    return sum((axis - c) ** 2 for axis, c in zip(np.indices(SHAPE), centre, strict=True)) < radius**2


def anatomy():
    """A small head with FreeSurfer's values, a cortical parcel, skull, and an unnamed voxel deep inside."""
    i, j, k = np.indices(SHAPE).astype(float)
    radius = np.sqrt(((i - 17.5) / 15) ** 2 + ((j - 19.5) / 17) ** 2 + ((k - 17.5) / 15) ** 2)
    left = i < 17.5
    values = np.zeros(SHAPE, np.int32)
    values[radius < 1.12] = 507
    values[radius < 1] = 24
    values[radius < 0.95] = np.where(left, 1005, 42)[radius < 0.95]
    values[radius < 0.75] = np.where(left, 2, 41)[radius < 0.75]
    values[radius < 0.2] = 4
    values[(k < 9) & (radius < 0.95) & (j < 18)] = 8
    values[(abs(i - 17.5) < 3) & (k < 12) & (abs(j - 19.5) < 3) & (radius < 0.95)] = 16
    values[22:24, 24:26, 20:22] = 57
    values[10, 24, 22] = 999
    return values


def write_anatomies(folder, *names):
    """One file per subject."""
    folder.mkdir()
    for name in names:
        nib.save(nib.Nifti1Image(anatomy(), np.diag([2.0, 2.0, 2.0, 1.0])), folder / f"{name}.nii.gz")
    return folder


def donors(*names):
    """Patients with a small lesion each, in memory."""
    cases = []
    for name in names:
        voxels = np.where(ball(17, 19, 17, radius=14), 4, 0).astype(np.uint8)
        voxels[ball(24, 22, 20, radius=3)] = 2
        voxels[ball(24, 22, 20, radius=2)] = 3
        labels = LabelMap(voxels, Geometry.isotropic(SHAPE, 2.0), COMPLETE)
        cases.append(Case(f"{name}-1", name, {}, Lineage.real("patients", name), labels))
    return cohort_of_cases(cases)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder of two prepared anatomies."""
    place = tmp_path_factory.mktemp("anatomies")
    cohort = ingest(write_anatomies(place / "maps", "brain_0", "brain_1"), LAYOUT, scheme="synthseg")
    prepare(cohort, PrepareSpec(), place / "prepared")
    return place / "prepared"


@pytest.fixture(scope="module")
def prepared(place):
    """The two anatomies."""
    return read_cohort(place)


def test_structures_are_kept_and_the_head_is_left_out(prepared):
    """Cortical parcels are cortex, lesions of white matter are that, a hole takes the nearest class."""
    labels = prepared.cases[0].load().require_labels()
    truth = anatomy()
    assert prepared.scheme == COMPLETE_STRUCTURES
    assert not prepared.modalities
    counts = {name: int(labels.region(name).sum()) for name in labels.scheme.tissue}
    assert counts["cerebellum_grey"] == int((truth == 8).sum())
    assert counts["brainstem"] == int((truth == 16).sum())
    assert counts["ventricles"] == int((truth == 4).sum())
    assert counts["grey_matter"] == int(np.isin(truth, (1005, 42)).sum())
    assert counts["white_matter"] == int(np.isin(truth, (2, 41, 57, 999)).sum())
    assert not labels.lesion.any()


def test_a_map_without_a_cerebrum_is_refused(tmp_path):
    """A tumour map that is called FreeSurfer's would lose all of its labels."""
    (tmp_path / "maps").mkdir()
    tumour = np.zeros((8, 8, 8), np.uint8)
    tumour[2:5, 2:5, 2:5] = 4
    nib.save(nib.Nifti1Image(tumour, np.eye(4)), tmp_path / "maps" / "a.nii.gz")
    with pytest.raises(InputFileError, match="without cerebral white matter and cerebral cortex"):
        ingest(tmp_path / "maps", LAYOUT, scheme="freesurfer")


def test_label_maps_are_never_guessed(tmp_path):
    """Without the layout's name the folder is refused, and the message names it."""
    with pytest.raises(InputFileError, match="--layout label_maps --scheme freesurfer"):
        ingest(write_anatomies(tmp_path / "maps", "brain"))


def test_files_of_one_name_take_the_name_of_their_folder(tmp_path):
    """As FreeSurfer leaves them: `sub-01/mri/aseg`."""
    for name in ("sub-01", "sub-02"):
        (tmp_path / name).mkdir()
        write_anatomies(tmp_path / name / "mri", "aseg", "other")
    cohort = ingest(tmp_path, LabelMapsSpec(name="aseg"), scheme="freesurfer")
    assert [ref.case_id for ref in cohort] == ["sub-01", "sub-02"]


def test_a_generator_is_shown_tissue_alone(prepared):
    """Values of tissue are those of `complete`, so that edits read both alike."""
    assert all(COMPLETE_STRUCTURES.labels[name] == value for name, value in COMPLETE.labels.items())
    assert complete_scheme(scheme_named("fastsurfer")) == COMPLETE_STRUCTURES
    labels = prepared.cases[0].load().require_labels()
    shown = for_generator(labels, COMPLETE)
    assert shown.scheme == COMPLETE
    assert ((shown.voxels > 0) == (labels.voxels > 0)).all()
    assert (shown.region("csf") == (labels.region("csf") | labels.region("ventricles"))).all()
    assert for_generator(shown, COMPLETE) is shown


def test_lesions_of_another_cohort_are_inserted(prepared, tmp_path):
    """The donor's subject is in the lineage; another donor cohort is another command."""
    recipe = RecipeSpec(name="graft", attempts=20, steps=[{"edit": {"kind": "insert", "mass_effect": None}}])
    edited = edit_cohort(prepared, recipe, tmp_path / "edited", seed=3, donors=donors("p1", "p2"))
    assert len(edited) == 2
    for ref in edited:
        labels = ref.load().require_labels()
        assert labels.scheme == COMPLETE_STRUCTURES
        assert labels.region("ET").any()
        assert set(ref.lineage.subjects) & {"p1", "p2"}
    with pytest.raises(OutputError, match="donors"):
        edit_cohort(prepared, recipe, tmp_path / "edited", seed=3, donors=donors("p1"))


def test_cohorts_prepared_alike_are_joined_where_they_lie(place, tmp_path):
    """The same command changes nothing; other preparations and ids that are there twice are refused."""
    more = ingest(write_anatomies(tmp_path / "more", "brain_2"), LAYOUT, scheme="freesurfer")
    prepare(more, PrepareSpec(), tmp_path / "third")
    joined = join_cohorts([place, tmp_path / "third"], tmp_path / "all")
    assert [ref.case_id for ref in joined] == ["brain_0", "brain_1", "brain_2"]
    assert joined.cases[2].load().require_labels().region("brainstem").any()
    assert join_cohorts([place, tmp_path / "third"], tmp_path / "all").fingerprint == joined.fingerprint
    with pytest.raises(CohortError, match="case ids used twice"):
        join_cohorts([place, place], tmp_path / "twice")
    prepare(more, PrepareSpec(grid={"spacing_mm": 3.0}), tmp_path / "coarse")
    with pytest.raises(CohortError, match="different preparations"):
        join_cohorts([place, tmp_path / "coarse"], tmp_path / "mixed")
    with pytest.raises(CohortError, match="at least two"):
        join_cohorts([place], tmp_path / "alone")
