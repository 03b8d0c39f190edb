"""Without labels, swapped T1, T1ce and FLAIR give a hint; heads as they are give none."""

import numpy as np
import pytest

from fixtures_layouts import head
from glioforge.core.volume import Modality
from glioforge.data.doctor.contrasts import swapped_contrasts
from glioforge.data.doctor.opened import Opened
from glioforge.io.nifti import write_image
from glioforge.io.scan import read_scan

T1, T1CE, T2, FLAIR = Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Four contrasts of a head whose vessels take up the agent; without labels."""
    folder = tmp_path_factory.mktemp("hints")
    images, _ = head(1)
    found = {}
    for modality, volume in images.items():
        voxels = volume.voxels.copy()
        if modality == T1CE:
            inside = np.flatnonzero(voxels)
            voxels.flat[np.random.default_rng(0).choice(inside, len(inside) // 200)] += 600
        write_image(folder / f"{modality}.nii.gz", type(volume)(voxels, volume.geometry, modality))
        found[modality] = read_scan(folder / f"{modality}.nii.gz")
    return found


def hints(scans, *names):
    """What is found where files lie under these names for T1, T1ce, T2 and FLAIR."""
    images = dict(zip((T1, T1CE, T2, FLAIR), (scans[name] for name in names), strict=True))
    return [(f.severity, f.topic, f.what) for f in swapped_contrasts(Opened(images, None, None, None), "c")]


def test_heads_as_they_are_give_no_hint(scans):
    """Nothing is said of sound names, also where contrasts are missing."""
    assert hints(scans, T1, T1CE, T2, FLAIR) == []
    for left_out in (T1, T1CE, T2, FLAIR):
        some = {m: scan for m, scan in scans.items() if m != left_out}
        assert swapped_contrasts(Opened(some, None, None, None), "c") == []


@pytest.mark.parametrize(
    ("names", "pair", "why"),
    [
        ((FLAIR, T1CE, T2, T1), "T1 and FLAIR may be swapped", "in tissue T1 goes with T2"),
        ((T1, FLAIR, T2, T1CE), "T1ce and FLAIR may be swapped", "in tissue T1ce goes with T2"),
        ((T1CE, T1, T2, FLAIR), "T1 and T1ce may be swapped", "brightest spots are brighter on T1"),
    ],
)
def test_swapped_names_give_one_hint(scans, names, pair, why):
    """A remark that names the pair and says why; never a warning."""
    ((severity, topic, message),) = hints(scans, *names)
    assert (severity, topic) == ("remark", "contrasts may be swapped")
    assert pair in message
    assert why in message
