"""Cases that do not fit each other are named when they are prepared, and refused when they would train one model."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from glioforge.compute.parallel import ParallelSpec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.geometry import Geometry
from glioforge.core.protocols import Silent
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.fitting import require_one_grid, voxel_sizes
from glioforge.data.preparation.pipeline import GridSpec, PrepareSpec, prepare
from glioforge.runs.segment import prepared_for
from glioforge.runs.train import TrainingRunSpec, run_training
from toy_cohort import cohort_of_cases, toy_case

SPEC = PrepareSpec(grid=GridSpec(size=(16, 16, 16)), tissue=None)
UNET = {"segmenter": {"kind": "unet"}}


def scan(seed, spacing=10.0, contrasts=(Modality.T1, Modality.FLAIR)):
    """A toy case with another slice thickness, or with some contrasts alone."""
    case = toy_case(seed)
    affine = np.diag([10.0, 10.0, spacing, 1.0])
    grid = Geometry(case.geometry.shape, affine)
    images = {m: Volume(case.images[m].voxels, grid, m) for m in contrasts}
    return replace(case, images=images, labels=replace(case.require_labels(), geometry=grid))


class Lines(Silent):
    """A progress that keeps what is said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        """Keep a line."""
        self.said.append(text)


@pytest.fixture
def prepared(tmp_path):
    """Prepares cases in memory; returns the cohort and what was said."""

    def run(*cases, name="out", **changes):
        lines = Lines()
        spec = SPEC.model_copy(update=changes)
        return prepare(cohort_of_cases(cases), spec, tmp_path / name, progress=lines), lines.said

    return run


def test_voxel_sizes_that_differ_are_named_and_refused_by_training(prepared, tmp_path):
    """Both groups, their cases, and the option that resamples them; sizes within 1 % are one."""
    cases = [scan(n, 10.0) for n in range(4)] + [scan(4, 10.05), scan(5, 30.0)]
    mixed, said = prepared(*cases)
    groups = r"10 x 10 x 10 mm \(s00-1, s01-1, s02-1 and 2 more\) and 10 x 10 x 30 mm \(s05-1\)"
    assert [line for line in said if "voxel sizes differ" in line and "grid.spacing_mm" in line]
    with pytest.raises(CohortError, match=rf"{groups}.*--set grid\.spacing_mm=1\.0"):
        run_training(mixed, TrainingRunSpec.model_validate(UNET), tmp_path / "model", progress=Silent())
    assert not (tmp_path / "model").exists()
    resampled, said = prepared(*cases, name="resampled", grid=GridSpec(size=(16, 16, 16), spacing_mm=10.0))
    assert not [line for line in said if "differ" in line]
    require_one_grid(resampled)


def test_grids_of_other_shapes_are_refused(prepared):
    """Cohorts that were prepared apart and put together."""
    one, _ = prepared(scan(1), name="one")
    other, _ = prepared(scan(2), name="other", grid=GridSpec(size=(16, 16, 8)))
    with pytest.raises(CohortError, match=r"16 x 16 x 16 \(s01-1\) and 16 x 16 x 8 \(s02-1\).*grid\.size"):
        require_one_grid(Cohort("both", one.cases + other.cases, COMPLETE))
    assert voxel_sizes(cohort_of_cases([toy_case(1)])) == {}


def test_contrasts_that_differ_are_kept_only_where_that_is_asked_for(prepared, tmp_path):
    """Preparation names both groups and the option; training names the settings that take them."""
    cases = [scan(1), scan(2), scan(3), scan(4, contrasts=(Modality.T1,))]
    groups = r"t1 \+ flair \(s01-1, s02-1, s03-1\) and t1 \(s04-1\)"
    with pytest.raises(CohortError, match=rf"contrasts differ: {groups}.*--allow-missing"):
        prepared(*cases)
    both, said = prepared(*cases, allow_missing=True)
    assert [ref.modalities for ref in both][-2:] == [(Modality.T1, Modality.FLAIR), (Modality.T1,)]
    assert any("contrasts differ" in line and "gaps: true" in line for line in said)
    with pytest.raises(CohortError, match=rf"{groups}.*segmenter\.modalities"):
        run_training(both, TrainingRunSpec.model_validate(UNET), tmp_path / "model", progress=Silent())
    with pytest.raises(CohortError, match=r"cases without any of \['flair'\]: s04-1"):
        prepared(*cases, name="flair", allow_missing=True, modalities=(Modality.FLAIR,))
    common, _ = prepared(*cases, name="common", modalities=(Modality.T1,))
    assert common.modalities == (Modality.T1,)


def test_a_model_refuses_scans_of_another_voxel_size_than_it_learned_from(prepared, tmp_path):
    """Its folder knows the grids of its training cases; scans that are resampled to one size have no other."""
    prepared(scan(1), name="training")
    run = tmp_path / "model"
    run.mkdir()
    shutil.copyfile(tmp_path / "training" / "prepare.json", run / "preparation.json")
    how = {"parallel": ParallelSpec(), "progress": Silent()}
    alike, other = (_as_it_came(case) for case in (scan(2), scan(3, 20.0)))
    assert len(prepared_for(alike, run, tmp_path / "one", **how)) == 1
    with pytest.raises(CohortError, match=r"10 x 10 x 20 mm: s03-1; .* training cases, 10 x 10 x 10 mm; .*spacing_mm"):
        prepared_for(other, run, tmp_path / "two", **how)


def _as_it_came(case):
    """A cohort of one case that was not prepared."""
    (ref,) = cohort_of_cases([replace(case, labels=case.labels.to(BRATS2023))])
    return Cohort("scans", (replace(ref, scheme="brats2023"),), BRATS2023)
