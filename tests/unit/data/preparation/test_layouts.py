"""Data sets of every layout become prepared cohorts, and what cannot be prepared is told."""

import nibabel as nib
import numpy as np
import pytest

from fixtures_layouts import FOUR, LAYOUTS
from glioforge.core.errors import GlioforgeError
from glioforge.core.schemes import complete_scheme
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.io.ingestion import ingest


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_can_be_prepared(tmp_path, name):
    """Whole tumour, core and enhancing tumour keep their volume in the complete scheme; so does a cavity."""
    writer, heads, _, _ = LAYOUTS[name]
    writer(tmp_path / "scans", heads)
    cohort = ingest(tmp_path / "scans")
    prepared = prepare(cohort, PrepareSpec(), tmp_path / "prepared")
    assert (prepared.scheme, prepared.modalities) == (complete_scheme(cohort.scheme), FOUR)
    ref = prepared.cases[0]
    labels, before = ref.load().require_labels(), cohort.cases[0].load().require_labels()
    for region in ("WT", "TC", "ET", *(("RC",) if "RC" in before.scheme.regions else ())):
        assert labels.volume_ml(region) == pytest.approx(before.volume_ml(region))


def test_a_head_of_one_voxel_is_told(tmp_path):
    """Images of which a single voxel is not background end in a typed error that names the case."""
    writer, heads, _, _ = LAYOUTS["brats"]
    writer(tmp_path / "scans", dict(list(heads.items())[:1]))
    for path in (tmp_path / "scans").rglob("*.nii.gz"):
        image = nib.load(path)
        voxels = np.zeros(image.shape, np.int16)
        voxels[1, 2, 3] = 0 if "seg" in path.name else 40 + len(path.name)
        nib.Nifti1Image(voxels, image.affine).to_filename(path)
    with pytest.raises(GlioforgeError, match="BraTS20_Training_001|same image"):
        prepare(ingest(tmp_path / "scans"), PrepareSpec(), tmp_path / "prepared")
