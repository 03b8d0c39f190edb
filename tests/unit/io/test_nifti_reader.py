"""A reference is read with every check, each time."""

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.volume import Modality
from glioforge.io.ingestion import ingest
from glioforge.io.nifti_reader import NiftiReader


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
