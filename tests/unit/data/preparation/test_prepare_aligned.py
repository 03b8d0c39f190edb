"""Contrasts of one head on different grids become one case where a reference is named, else they are refused."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from fixtures_layouts import head, tumour
from glioforge.cli.main import app
from glioforge.core.errors import CaseError, InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.schemes import BRATS2017
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.register import AlignedReader
from glioforge.data.preparation.resample import resampled
from glioforge.io.cohort_file import read_cohort, write_cohort
from glioforge.io.digest import case_digest
from glioforge.io.ingestion import ingest
from glioforge.io.layout import LAYOUTS
from glioforge.io.nifti import read_image, write_image, write_labels
from glioforge.io.nifti_reader import digest_of, read_scans

T1CE, FLAIR = Modality.T1CE, Modality.FLAIR
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
