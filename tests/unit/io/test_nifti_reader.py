"""A reference is read with every check, each time; tissue probabilities become label maps, or are refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from fixtures_layouts import head
from glioforge.core.errors import InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.ingestion import ingest
from glioforge.io.nifti import write_image, write_mask
from glioforge.io.nifti_reader import NiftiReader, read_shares


def test_case_is_read_with_labels_and_brain(tmp_path, brats_case, save, mask):
    """Images, labels, brain mask and facts come with the case."""
    brats_case("BraTS20_Training_000")
    save("BraTS20_Training_000/BraTS20_Training_000_brain.nii.gz", mask)
    (ref,) = ingest(tmp_path)
    case = ref.load()
    path = tmp_path / "BraTS20_Training_000" / "BraTS20_Training_000_t2.nii.gz"
    np.testing.assert_array_equal(case.images[Modality.T2].voxels, nib.load(path).get_fdata())
    np.testing.assert_array_equal(case.brain, mask == 1)
    assert case.require_labels().scheme.name == "brats2017"
    assert case.facts == ref.facts


def test_changed_files_are_refused(tmp_path, brats_case, save, image):
    """Any change is found; damage, another grid and unknown labels also where contents are not compared."""
    name = "BraTS20_Training_000/BraTS20_Training_000"
    brats_case("BraTS20_Training_000")
    (ref,) = ingest(tmp_path)
    ref.load()
    save(f"{name}_t1.nii.gz", image)
    loose = NiftiReader(verify=False)
    loose(ref)
    with pytest.raises(InputFileError, match=r"files that have changed since they were ingested .*_t1\.nii\.gz"):
        ref.load()
    save(f"{name}_t1.nii.gz", image[:5])
    with pytest.raises(InputFileError, match="t1ce lies on grid"):
        loose(ref)
    save(f"{name}_seg.nii.gz", np.full((7, 6, 5), 3, np.uint8))
    with pytest.raises(InputFileError, match=r"3 \(210 voxels\)"):
        loose(ref)


NAMES = {"GM": "grey_matter", "WM": "white_matter", "CSF": "csf"}


def scan(folder: Path, subject: str, seed: int):
    """A T1 in its BIDS place, and where derivatives of it go."""
    images, labels = head(seed, (Modality.T1,))
    write_image(folder / subject / "anat" / f"{subject}_T1w.nii.gz", images[Modality.T1])
    return labels, folder / "derivatives" / "prep" / subject / "anat"


def shares(place: Path, subject: str, labels, factor: float = 0.9) -> None:
    """Probabilities of the three tissues, 0.9 where a class is and 0.05 elsewhere in the brain."""
    for short, name in NAMES.items():
        values = np.where(labels.region(name), factor, 0.05 * (labels.voxels > 0)).astype(np.float32)
        volume = Volume(values, labels.geometry, Modality.T1)
        write_image(place / f"{subject}_label-{short}_probseg.nii.gz", volume)


def test_probabilities_become_the_likeliest_tissue(tmp_path):
    """Where a class is likeliest it is the label; outside the brain it is background; preparation keeps it."""
    labels, place = scan(tmp_path / "raw", "sub-01", 1)
    shares(place, "sub-01", labels)
    cohort = ingest(tmp_path / "raw")
    assert cohort.scheme.name == "bids_tissue"
    found = cohort["sub-01"].load().require_labels()
    for name in NAMES.values():
        assert np.array_equal(found.region(name), labels.region(name))
    prepared = prepare(cohort, PrepareSpec(), tmp_path / "out")["sub-01"].load()
    assert prepared.require_labels().scheme == COMPLETE
    assert prepared.require_labels().volume_ml("white_matter") >= labels.volume_ml("white_matter")


def test_a_lesion_mask_is_a_label_map_of_one_lesion(tmp_path):
    """It comes before tissue, and counts as enhancing where parts of tumours are told apart."""
    labels, place = scan(tmp_path / "raw", "sub-01", 1)
    shares(place, "sub-01", labels)
    write_mask(place / "sub-01_label-lesion_mask.nii.gz", labels.lesion, labels.geometry)
    cohort = ingest(tmp_path / "raw")
    assert cohort.scheme.name == "lesion"
    found = cohort["sub-01"].load().require_labels()
    assert np.array_equal(found.region("WT"), labels.lesion)
    assert np.array_equal(found.to(COMPLETE).region("ET"), labels.lesion)


def test_what_is_no_set_of_probabilities_is_refused(tmp_path):
    """A missing class, percentages, another grid and another name are told, with the file."""
    labels, place = scan(tmp_path / "raw", "sub-01", 1)
    shares(place, "sub-01", labels, factor=90.0)
    with pytest.raises(InputFileError, match=r"label-GM_probseg.*values from 0 to 90; expected probabilities"):
        ingest(tmp_path / "raw")
    shares(place, "sub-01", labels)
    i, j, k = labels.geometry.shape
    other = Volume(np.zeros((i, j, k - 1), np.float32), Geometry((i, j, k - 1), labels.geometry.affine), Modality.T1)
    write_image(place / "sub-01_label-WM_probseg.nii.gz", other)
    with pytest.raises(InputFileError, match=r"label-WM_probseg.*tissue probability lies on grid"):
        ingest(tmp_path / "raw")
    (place / "sub-01_label-WM_probseg.nii.gz").unlink()
    with pytest.raises(InputFileError, match=r"no sub-01_label-WM_probseg\.nii\.gz beside it"):
        ingest(tmp_path / "raw")
    with pytest.raises(InputFileError, match="no tissue probability by its name"):
        read_shares(place / "sub-01_dseg.nii.gz")
