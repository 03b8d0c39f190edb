"""An atlas is the average of training brains, tells whose they were, and comes back from its folder."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, InputFileError, LeakageError
from glioforge.core.firewall import require_no_leak
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.atlas import PRIOR, Atlas, AtlasSpec, build_atlas
from glioforge.data.store import write_case

SHAPE = (24, 26, 22)
GRID = Geometry.isotropic(SHAPE, 6.0)


def brain(shift=0.0, stretch=1.0, seed=0, shape=SHAPE):
    """A prepared brain of shells, moved and stretched."""
    rng = np.random.default_rng(seed)
    places = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2 - shift
    radius = np.sqrt(((places / (np.array([9, 10.5, 8]) * stretch)) ** 2).sum(axis=-1))
    labels = np.where(radius < 1, np.select([radius > 0.9, radius > 0.6, radius > 0.2], [6, 5, 4], 6), 0)
    t1 = np.select([labels == 6, labels == 5, labels == 4], [-1.5, 0.0, 1.0]) + rng.normal(0, 0.2, shape)
    t1 += 0.3 * (places[..., 1] > 0)
    t1 = ndimage.gaussian_filter(t1, 0.6) * (labels > 0)
    return t1.astype(np.float32), -t1.astype(np.float32), labels.astype(np.uint8)


def cohort(folder, count=3, shape=SHAPE):
    """Prepared brains of so many subjects, the last of whom came twice."""
    refs = []
    for n in range(count):
        t1, t2, labels = brain(shift=0.6 * n - 0.6, stretch=0.94 + 0.06 * n, seed=n, shape=shape)
        grid = Geometry.isotropic(shape, 6.0)
        images = {Modality.T1: Volume(t1, grid, Modality.T1), Modality.T2: Volume(t2, grid, Modality.T2)}
        case = Case(f"c{n}", f"s{n}", images, Lineage.real("scan", f"s{n}"), LabelMap(labels, grid, COMPLETE), t1 != 0)
        refs.append(write_case(folder, case))
    return Cohort("train", tuple(refs), COMPLETE)


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Three training subjects."""
    return cohort(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def atlas(train):
    """Their average."""
    return build_atlas(train, AtlasSpec(rounds=2))


def test_the_average_looks_like_its_brains_and_is_sharper_than_a_plain_mean(atlas, train):
    """Tissue lies where the middle brain has it, after brains of other sizes were registered."""
    _, _, labels = brain()
    found = atlas.case.labels.voxels
    assert (found[labels > 0] == labels[labels > 0]).mean() > 0.8
    assert atlas.case.brain.sum() == pytest.approx((labels > 0).sum(), rel=0.15)
    plain = np.mean([ref.load().labels.voxels == 4 for ref in train], axis=0)
    assert (atlas.prior[0] > 0.9).sum() > 0.9 * (plain > 0.9).sum()


def test_probabilities_sum_to_one_in_the_brain_and_to_zero_outside(atlas):
    """Images are 0 outside the brain as well."""
    assert atlas.classes == ("white_matter", "grey_matter", "csf")
    assert atlas.prior.sum(axis=0)[atlas.case.brain] == pytest.approx(1, abs=1e-4)
    assert not atlas.prior[:, ~atlas.case.brain].any()
    assert all(not v.voxels[~atlas.case.brain].any() for v in atlas.case.images.values())


def test_the_firewall_reads_whose_brains_it_was_made_from(atlas, train):
    """A test subject behind the atlas is told."""
    assert atlas.lineage.subjects == ("s0", "s1", "s2")
    with pytest.raises(LeakageError, match=r"atlas was made from subjects \['s1'\]"):
        require_no_leak({"atlas": atlas.lineage}, train.of_subjects(["s1"], "test"))


def test_it_comes_back_from_its_folder(atlas, tmp_path):
    """Images, labels, brain, probabilities and lineage; a damaged or missing one is refused."""
    atlas.save(tmp_path)
    back = Atlas.load(tmp_path)
    assert back.lineage == atlas.lineage
    assert back.prior == pytest.approx(atlas.prior, abs=1 / 500)
    assert np.array_equal(back.case.labels.voxels, atlas.case.labels.voxels)
    (tmp_path / "atlas" / PRIOR).write_bytes(b"nothing")
    with pytest.raises(InputFileError, match="other contents"):
        Atlas.load(tmp_path)
    with pytest.raises(InputFileError, match="no atlas"):
        Atlas.load(tmp_path / "elsewhere")


def test_three_adjacent_slices_are_stacked_and_the_ends_repeat(atlas):
    """Two contrasts give six channels; below the first slice lies the first again."""
    images = atlas.case.stack((Modality.T1, Modality.T2))
    middle = atlas.adjacent_slices(10)
    assert middle.shape == (6, *SHAPE[:2])
    assert np.array_equal(middle[1], images[1, :, :, 9])
    assert np.array_equal(middle[4], images[0, :, :, 11])
    first = atlas.adjacent_slices(0)
    assert np.array_equal(first[:2], first[2:4])


def test_demons_bring_the_brains_nearer_to_each_other(train):
    """The same brains twice give the same atlas, with the deformable step too."""
    two = train.of_subjects(["s0", "s1"], "two")
    spec = AtlasSpec(rounds=1, demons_rounds=5)
    one, other = build_atlas(two, spec), build_atlas(two, spec)
    assert np.array_equal(one.prior, other.prior)
    affine = build_atlas(two, AtlasSpec(rounds=1))
    assert one.prior.max(axis=0)[one.case.brain].mean() > affine.prior.max(axis=0)[affine.case.brain].mean() - 0.02


def test_only_real_training_cases_of_one_shape_make_an_atlas(train, tmp_path):
    """Synthetic cases, empty cohorts and mixed shapes are refused."""
    made = Lineage.synthetic("spade", {"c0": train["c0"].lineage}, seed=0)
    synthetic = Cohort("mixed", (dataclasses.replace(train["c0"], lineage=made),), COMPLETE)
    with pytest.raises(CohortError, match=r"synthetic cases \['c0'\]"):
        build_atlas(synthetic)
    with pytest.raises(CohortError, match="no cases"):
        build_atlas(Cohort("none", (), COMPLETE))
    other = cohort(tmp_path, 1, (22, 26, 22))["c0"]
    mixed = Cohort("shapes", (train["c1"], other), COMPLETE)
    with pytest.raises(CohortError, match=r"cases of shapes .*; expected one shape"):
        build_atlas(mixed)
