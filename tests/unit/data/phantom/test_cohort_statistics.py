"""Twenty phantoms of the default size: the statistics that a neuroradiologist would look at."""

import numpy as np
import pytest

from glioforge.core.volume import Modality
from glioforge.data.phantom.make import Phantom, make_phantom


@pytest.fixture(scope="module")
def cohort() -> list[Phantom]:
    """The first twenty phantoms of a seed."""
    return [make_phantom(11, index) for index in range(20)]


@pytest.mark.slow
def test_volumes_over_a_cohort(cohort):
    """Whole tumours are about 60 ml, within 3 to 170 ml, and close to what was aimed at."""
    volumes = np.array([p.parameters["volumes_ml"]["WT"] for p in cohort])
    aims = np.array([p.parameters["tumour"]["aim_ml"] for p in cohort])
    assert 35 < np.median(volumes) < 90
    assert (volumes > 3).all()
    assert (volumes < 170).all()
    assert np.corrcoef(volumes, aims)[0, 1] > 0.95
    assert np.median(volumes / aims) == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_shares_of_regions_over_a_cohort(cohort):
    """High grade: core about a third of the whole, rim about half of the core. Low grade: mostly core."""
    high = [p.parameters["volumes_ml"] for p in cohort if p.case.facts["grade"] == "HGG"]
    low = [p.parameters["volumes_ml"] for p in cohort if p.case.facts["grade"] == "LGG"]
    assert 10 <= len(high) <= 19
    assert 0.25 < np.mean([v["TC"] / v["WT"] for v in high]) < 0.45
    assert 0.35 < np.mean([v["ET"] / v["TC"] for v in high]) < 0.7
    assert np.mean([v["TC"] / v["WT"] for v in low]) > 0.5
    assert np.mean([v["ET"] > 0 for v in low]) < 0.6


@pytest.mark.slow
def test_contrasts_over_a_cohort(cohort):
    """In pure voxels of every scan the contrasts have their order, and brains fit the field of view."""
    for phantom in cohort:
        pure = {t: phantom.tissue_fractions[t] > 0.85 for t in ("white_matter", "grey_matter", "csf")}
        levels = {m: {t: np.median(v.voxels[mask]) for t, mask in pure.items()} for m, v in phantom.case.images.items()}
        for modality in (Modality.T1, Modality.T1CE):
            assert levels[modality]["white_matter"] > levels[modality]["grey_matter"] > levels[modality]["csf"]
        assert levels[Modality.T2]["csf"] > levels[Modality.T2]["grey_matter"] > levels[Modality.T2]["white_matter"]
        flair = phantom.case.images[Modality.FLAIR].voxels
        oedema = np.median(flair[phantom.case.labels.region("oedema")])
        assert oedema > levels[Modality.FLAIR]["grey_matter"] > 3 * levels[Modality.FLAIR]["csf"]
        brain = phantom.case.brain
        assert not any(np.take(brain, end, axis=axis).any() for axis in range(3) for end in (0, -1))
