"""Contrasts on different grids become one case where a reference is named; label maps come back from a template."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from typer.testing import CliRunner

from fixtures_layouts import head, tumour
from glioforge.cli.main import app
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError, DependencyError, GeometryError, InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2017, BRATS2023
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.data.preparation.register import (
    AlignedReader,
    RegisterSpec,
    read_template,
    register_case,
    register_volumes,
)
from glioforge.data.preparation.resample import resampled, restore
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.io.digest import case_digest
from glioforge.io.ingestion import ingest
from glioforge.io.itk import deform, register
from glioforge.io.layout import LAYOUTS
from glioforge.io.nifti import read_image, write_image, write_labels
from glioforge.io.nifti_reader import digest_of, read_scans

T1, FLAIR = Modality.T1, Modality.FLAIR
SHAPE = (30, 34, 28)
GRID = Geometry(SHAPE, np.array([[-4.0, 0, 0, 58], [0, -4, 0, 66], [0, 0, 4, -54], [0, 0, 0, 1]]))


def turned(degrees, shift):
    """A rotation about the k axis, then a shift in mm."""
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift
    return matrix


@pytest.fixture(scope="module")
def contrasts():
    """Two contrasts of one smooth anatomy, the second a curve of the first."""
    rng = np.random.default_rng(3)
    places = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2
    brain = ((places / np.array([11, 13, 10])) ** 2).sum(axis=-1) < 1
    field = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2)
    field = (field - field.min()) / np.ptp(field)
    first = np.where(brain, 100 + 300 * field, 0).astype(np.float32)
    second = np.where(brain, 80 + 400 * (field - 0.6) ** 2 + 50 * field, 0).astype(np.float32)
    return brain, {T1: Volume(first, GRID, T1), FLAIR: Volume(second, GRID, FLAIR)}


def displaced(volume, transform, grid=GRID):
    """The volume as a scanner would see a head moved by a transform."""
    voxels = resampled(volume.voxels, volume.geometry, grid, transform)
    return Volume(voxels, grid, volume.modality)


def apart(found, moved, brain):
    """Largest distance in voxels between where brain voxels end up and where they belong."""
    points = np.argwhere(brain)[::20]
    world = np.c_[points, np.ones(len(points))] @ GRID.affine.T
    return np.linalg.norm((world @ (moved @ found).T - world)[:, :3], axis=1).max() / 4


@pytest.mark.parametrize("affine", [False, True])
def test_a_moved_contrast_is_brought_back_within_half_a_voxel(contrasts, affine):
    """Rotated by 6 degrees and shifted by two voxels, another contrast finds its place, twice the same."""
    brain, images = contrasts
    moved = turned(6, (8, -5, 4))
    found = register(images[T1], displaced(images[FLAIR], moved), affine=affine)
    assert apart(found, moved, brain) < 0.5
    assert np.array_equal(found, register(images[T1], displaced(images[FLAIR], moved), affine=affine))


def test_contrasts_on_other_grids_land_on_the_reference(contrasts):
    """A contrast with thick slices comes out on the reference's grid, near where it was."""
    brain, images = contrasts
    thick = Geometry((30, 34, 14), GRID.affine @ np.diag([1.0, 1, 2, 1]))
    moved = turned(-4, (4, 0, -4))
    other = displaced(images[FLAIR], moved, thick)
    together, transforms = register_volumes({T1: images[T1], FLAIR: other}, T1)
    assert together[FLAIR].geometry == GRID
    assert apart(transforms[FLAIR], moved, brain) < 0.75
    with pytest.raises(CaseError, match=r"contrasts \['t1', 'flair'\]; expected t2, the reference"):
        register_volumes({T1: images[T1], FLAIR: other}, Modality.T2)


def test_a_cohort_on_a_template_comes_back_to_its_own_grid(contrasts, tmp_path):
    """Images lie on the template's grid, and a restored label map on the scan's, where the lesion was."""
    brain, images = contrasts
    write_image(tmp_path / "template.nii.gz", images[T1])
    moved = turned(5, (10, 6, -8))
    grid = Geometry(SHAPE, GRID.permuted((1, 0, 2), (False, True, False)).affine)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[12:18, 12:19, 11:17] = 2
    truth = resampled(labels.astype(np.float32), GRID, grid, moved) > 1
    own = LabelMap((2 * truth).astype(np.uint8), grid, BRATS2023)
    seen = {m: displaced(v, moved, grid) for m, v in images.items()}
    mask = resampled(brain.astype(np.float32), GRID, grid, moved) > 0.5
    case = Case("a", "a", seen, Lineage.real("scan", "a"), own, mask)
    scans = Cohort("one", (write_case(tmp_path / "scans", case, scheme=BRATS2023),), BRATS2023)
    spec = PrepareSpec(
        registration=RegisterSpec(reference=T1, contrasts=None, template=tmp_path / "template.nii.gz"),
        tissue=None,
        grid={"centre": "grid", "size": SHAPE},
    )
    prepared = prepare(scans, spec, tmp_path / "out")["a"].load()
    found = prepared.labels.lesion
    expected = labels[::-1, ::-1] > 0
    assert prepared.geometry.matches(GRID.permuted((0, 1, 2), (True, True, False)))
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.85
    back = restore(prepared.labels, prepared)
    assert back.geometry == grid
    assert 2 * (back.lesion & truth).sum() / (back.lesion.sum() + truth.sum()) > 0.85


def test_the_contrasts_of_a_case_are_brought_onto_the_reference(contrasts):
    """What was done is recorded as plain numbers."""
    _, images = contrasts
    case = Case("a", "a", {**images, FLAIR: displaced(images[FLAIR], turned(0, (6, 0, 0)))}, Lineage.real("s", "a"))
    registered, facts = register_case(case, RegisterSpec(reference=T1))
    assert facts["contrasts"]["flair"][0][3] == pytest.approx(-6, abs=1)
    before = np.corrcoef(case.images[FLAIR].voxels.ravel(), images[FLAIR].voxels.ravel())[0, 1]
    after = np.corrcoef(registered.images[FLAIR].voxels.ravel(), images[FLAIR].voxels.ravel())[0, 1]
    assert after > max(before, 0.97)


def test_demons_straighten_what_an_affine_cannot(contrasts):
    """A locally stretched image is brought nearer to the original; other grids are refused."""
    _, images = contrasts
    places = np.indices(SHAPE).astype(np.float64)
    bent = places + 1.2 * np.sin(places / 5)[[1, 2, 0]]
    crooked = Volume(ndimage.map_coordinates(images[T1].voxels, bent, order=1), GRID, T1)
    field = deform(images[T1], crooked)
    steps = np.moveaxis(field, -1, 0) / np.diag(GRID.affine)[:3, None, None, None]
    straight = ndimage.map_coordinates(crooked.voxels, places + steps, order=1)
    before, after = (np.abs(v - images[T1].voxels).mean() for v in (crooked.voxels, straight))
    assert after < 0.6 * before
    with pytest.raises(GeometryError, match="moving image lies on grid"):
        deform(images[T1], Volume(crooked.voxels[1:].copy(), Geometry((29, 34, 28), GRID.affine), T1))


def test_the_built_in_template_is_a_brain_in_ras():
    """The ICBM average, at 1 mm."""
    template = read_template("mni152", T1)
    assert template.geometry.orientation == "RAS"
    assert template.geometry.spacing == (1.0, 1.0, 1.0)


def test_without_simpleitk_the_remedy_is_told(contrasts, monkeypatch):
    """Registration is optional; the message says what to install."""
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(DependencyError, match=r"need SimpleITK.*pip install 'glioforge\[registration\]'"):
        register(contrasts[1][T1], contrasts[1][FLAIR])


T1CE = Modality.T1CE
SHIFT = np.array([[1.0, 0, 0, 5], [0, 1, 0, -4], [0, 0, 1, 3], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A case whose FLAIR was taken with other slices, after the head had moved by some millimetres."""
    folder = tmp_path_factory.mktemp("grids") / "scans"
    images, labels = head(1, (T1CE, FLAIR))
    grid = images[T1CE].geometry
    affine = grid.affine.copy()
    affine[:3, 2] *= 2
    i, j, k = grid.shape
    thick = Geometry((i, j, k // 2 + 2), affine)
    flair = resampled(images[FLAIR].voxels, grid, thick, SHIFT)
    write_image(folder / "p" / "p_t1ce.nii.gz", images[T1CE])
    write_image(folder / "p" / "p_flair.nii.gz", Volume(np.rint(flair), thick, FLAIR))
    write_labels(folder / "p" / "p_seg.nii.gz", tumour(labels, BRATS2017))
    return folder, images


def test_other_grids_are_refused_with_the_option_that_takes_them(scans):
    """The message names the option; labels that lie elsewhere than the reference are told apart."""
    with pytest.raises(InputFileError, match=r"flair image lies on grid(.|\n)*--register-to t1ce, or register_to in"):
        ingest(scans[0])
    with pytest.raises(InputFileError, match=r"labels image lies on grid(.|\n)*contrast on whose grid the labels lie"):
        ingest(scans[0], register_to=FLAIR)
    with pytest.raises(InputFileError, match=r"image lies on grid"):
        ingest(scans[0], register_to=Modality.T2)


def flair_of(case):
    """FLAIR as it was registered."""
    return case.images[FLAIR].voxels


def flair_left(ref):
    """FLAIR on the other grid, had the head not moved."""
    scan = read_image(ref.images[FLAIR], FLAIR)
    return resampled(scan.voxels, scan.geometry, read_image(ref.images[T1CE], T1CE).geometry, np.eye(4))


def _as_if_ingested_for_t2(ref):
    """The case with the hash that its files would have with T2 as reference."""
    files = digest_of(read_scans(ref, {}))
    return replace(ref, digest=case_digest({"files": files, "register_to": "t2"}))


def test_a_named_reference_brings_all_contrasts_onto_its_grid(scans, tmp_path):
    """The moved contrast lies where it belongs, labels stay voxel for voxel, and the cohort file keeps the reader."""
    folder, images = scans
    cohort = ingest(folder, LAYOUTS.parse({"kind": "brats", "register_to": "t1ce"}))
    write_cohort(cohort, tmp_path)
    ref = read_cohort(tmp_path)["p"]
    assert isinstance(ref.reader, AlignedReader)
    assert ref.digest != ingest(folder, register_to=T1CE).fingerprint
    case = ref.load()
    assert case.geometry.matches(images[T1CE].geometry)
    transform = np.array(case.facts["registered"]["transforms"]["flair"])
    assert np.allclose(transform[:3, 3], np.linalg.inv(SHIFT)[:3, 3], atol=2.5)
    assert np.array_equal(case.images[T1CE].voxels, np.rint(images[T1CE].voxels))
    mine, other = (
        np.corrcoef(v.ravel(), images[FLAIR].voxels.ravel())[0, 1] for v in (flair_of(case), flair_left(ref))
    )
    assert mine > other
    with pytest.raises(CaseError, match=r"expected t2, the reference"):
        AlignedReader("t2")(_as_if_ingested_for_t2(ref))


def test_verbs_take_the_option(scans, tmp_path):
    """`ingest` and `prepare` register on the way; without the option both stop with code 1."""
    run = CliRunner()
    for verb in ("ingest", "prepare"):
        words = [verb, str(scans[0]), "--out", str(tmp_path / verb)]
        assert run.invoke(app, words).exit_code != 0
        assert run.invoke(app, [*words, "--register-to", "t1ce"]).exit_code == 0
    prepared = read_cohort(tmp_path / "prepare")["p"].load()
    assert prepared.modalities == (T1CE, FLAIR)
    assert prepared.facts["registered"]["reference"] == "t1ce"
