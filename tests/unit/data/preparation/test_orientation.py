"""One head stored in any orientation is prepared alike, and finds its way back voxel for voxel."""

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from fixtures_layouts import head, tumour
from glioforge.cli.main import app
from glioforge.core.schemes import BRATS2017
from glioforge.core.volume import Modality
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.data.preparation.resample import restore
from glioforge.io.cohort_file import read_cohort
from glioforge.io.ingestion import ingest

TURNED = np.array([[0.98, -0.17, 0.1], [0.18, 0.98, -0.08], [-0.08, 0.1, 0.99]])


def stored(voxels: np.ndarray, affine: np.ndarray, codes: str) -> nib.Nifti1Image:
    """An image whose axes run as the codes say; the head stays where it is."""
    image = nib.Nifti1Image(voxels, affine)
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(codes))
    return image.as_reoriented(turn)


def write(folder, codes: str, *, oblique: bool) -> None:
    """The asymmetric toy head with its tumour, in an orientation."""
    images, labels = head(1, (Modality.T1, Modality.FLAIR))
    affine = np.array(labels.geometry.affine)
    if oblique:
        u, _, v = np.linalg.svd(TURNED)
        affine[:3] = u @ v @ affine[:3]
    arrays = {str(m): volume.voxels.astype(np.int16) for m, volume in images.items()}
    arrays["seg"] = tumour(labels, BRATS2017).voxels
    (folder / "p").mkdir(parents=True)
    for name, voxels in arrays.items():
        image = stored(voxels, affine, codes)
        image.set_sform(image.affine, 1)
        image.set_qform(image.affine, 1)
        image.to_filename(folder / "p" / f"p_{name}.nii.gz")


@pytest.fixture(scope="module")
def upright(tmp_path_factory):
    """The prepared head as stored in RAS."""
    folder = tmp_path_factory.mktemp("upright")
    write(folder / "scans", "RAS", oblique=False)
    return prepare(ingest(folder / "scans"), PrepareSpec(), folder / "prepared")["p"].load()


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIL", "oblique LAS"])
def test_orientation_of_the_files_does_not_matter(tmp_path, upright, codes):
    """RAS, LPS, PIL and oblique files give the same voxels, and labels return to the file's own grid."""
    write(tmp_path / "scans", codes[-3:], oblique=codes.startswith("oblique"))
    cohort = ingest(tmp_path / "scans")
    prepared = prepare(cohort, PrepareSpec(), tmp_path / "prepared")["p"].load()
    np.testing.assert_array_equal(prepared.require_labels().voxels, upright.require_labels().voxels)
    for modality, volume in upright.images.items():
        np.testing.assert_array_equal(prepared.images[modality].voxels, volume.voxels)
    back = restore(prepared.require_labels().to(BRATS2017), prepared)
    source = cohort["p"].load().require_labels()
    assert back.geometry.matches(source.geometry)
    np.testing.assert_array_equal(back.voxels, source.voxels)


def test_the_verbs_do_the_same(tmp_path, upright):
    """`ingest` and then `prepare` of oblique files give the voxels of the upright head."""
    write(tmp_path / "scans", "PIL", oblique=True)
    for words in (["ingest", "scans", "--out", "found"], ["prepare", "found", "--out", "prepared"]):
        result = CliRunner().invoke(app, [words[0], str(tmp_path / words[1]), words[2], str(tmp_path / words[3])])
        assert result.exit_code == 0, result.output
    prepared = read_cohort(tmp_path / "prepared")["p"].load()
    np.testing.assert_array_equal(prepared.require_labels().voxels, upright.require_labels().voxels)
    for modality, volume in upright.images.items():
        np.testing.assert_array_equal(prepared.images[modality].voxels, volume.voxels)
