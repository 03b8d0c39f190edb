"""Batches of patches are a function of seed and step, lie where they say, and hold what the case holds there."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.pairs import MixedPairs
from glioforge.data.patches import PatchPairs
from glioforge.data.store import write_case
from toy_cohort import cohort_of_cases, toy_case

T1, FLAIR = Modality.T1, Modality.FLAIR
SHAPE = (8, 10, 12)


def case_of(name, shape=SHAPE, tumour=True):
    """A case whose brain leaves a rim of one voxel; every voxel's intensity is its own."""
    grid = Geometry.isotropic(shape)
    labels = np.zeros(shape, dtype=np.uint8)
    labels[1:-1, 1:-1, 1:-1] = 4
    if tumour:
        labels[2:4, 3, -3] = 3
    own = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape) / 256
    images = {m: Volume(own + n, grid, m) for n, m in enumerate((T1, FLAIR))}
    return Case(name, name, images, Lineage.real("scan", name), LabelMap(labels, grid, COMPLETE))


@pytest.fixture
def two():
    """Two cases of different grids, both with tumour."""
    return cohort_of_cases([case_of("a"), case_of("b", (6, 10, 9))])


def patches(cohort, size=(4, 5, 6), **changes):
    """Batches of three unless changed."""
    return PatchPairs(cohort, (FLAIR, T1), **{"size": size, "batch_size": 3, "seed": 1, **changes})


def test_patches_read_from_the_store_are_those_held_in_memory(tmp_path):
    """The same batches, also where a patch reaches beyond the grid or does not meet it."""
    cases = (case_of("a"), case_of("b", (6, 10, 9)))
    cohort = Cohort("toy", tuple(write_case(tmp_path, case) for case in cases), COMPLETE)
    for size in ((4, 5, 6), (7, 12, 4), None):
        held, read = (patches(cohort, size=size, in_memory=there) for there in (True, False))
        for step in range(5):
            ours, theirs = held.batch(step), read.batch(step)
            assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        rows = [(0, (-2, 3, 1)), (1, (50, 0, 0))]
        ours, theirs = held.take(rows), read.take(rows)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def reference(case, corner, size):
    """The patch cut from the case by padding it generously first."""
    voxels, room = case.require_labels().voxels, 40
    around = np.stack([np.pad(a, room) for a in (voxels, case.images[FLAIR].voxels)])
    i, j, k = (first + room for first in corner)
    return around[:, i : i + size[0], j : j + size[1], k : k + size[2]]


def test_a_batch_has_the_promised_keys_types_and_shapes(two):
    """Images float32, labels int64, brain bool, case and corner int64, in the contrasts' order asked for."""
    batch = patches(two).batch(0)
    assert {k: (tuple(v.shape), v.dtype) for k, v in batch.items()} == {
        "images": ((3, 2, 4, 5, 6), torch.float32),
        "labels": ((3, 4, 5, 6), torch.int64),
        "brain": ((3, 4, 5, 6), torch.bool),
        "case": ((3,), torch.int64),
        "corner": ((3, 3), torch.int64),
    }
    assert torch.equal(batch["brain"], batch["labels"] > 0)


@pytest.mark.parametrize("size", [(4, 5, 6), (1, 1, 1), (8, 10, 12), (11, 7, 20), (16, 16, 16), None])
def test_a_patch_holds_what_the_case_holds_at_its_corner(two, size):
    """Inside the grid the case's own voxels, outside 0, for patches smaller and larger than the grids."""
    source = patches(two, size)
    cases = [ref.load() for ref in two]
    for step in range(4):
        batch = source.batch(step)
        for labels, images, case, corner in zip(
            batch["labels"], batch["images"], batch["case"], batch["corner"].tolist(), strict=True
        ):
            true_labels, true_image = reference(cases[int(case)], corner, source.size)
            assert np.array_equal(labels, true_labels)
            assert np.allclose(images[0], true_image, atol=1e-4)


def test_without_a_size_patches_are_whole_grids_padded_to_the_largest(two):
    """The smaller grid lies in the middle."""
    source = patches(two, None)
    assert source.size == SHAPE
    assert {row for step in range(8) for row in source.draw(step)} == {(0, (0, 0, 0)), (1, (-1, 0, -2))}


@given(seed=st.integers(0, 5), steps=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_a_batch_depends_on_seed_and_step_alone(seed, steps):
    """Neither the order of the calls nor an earlier sampler changes a batch."""
    cohort = cohort_of_cases([case_of("a"), case_of("b", (6, 10, 9))])
    forwards, backwards = (patches(cohort, seed=seed) for _ in range(2))
    first = {step: forwards.batch(step) for step in steps}
    second = {step: backwards.batch(step) for step in reversed(steps)}
    assert all(torch.equal(first[s][k], second[s][k]) for s in steps for k in first[s])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_patches_near_tumour_come_as_often_as_asked(two, share):
    """Such patches hold a tumour voxel, and come first; others seldom do."""
    source = patches(two, (1, 1, 1), batch_size=5, lesion_share=share)
    found = torch.stack([(source.batch(s)["labels"] == 3).flatten(1).any(dim=1) for s in range(150)])
    assert found[:, : int(5 * share)].all()
    assert share - 0.04 <= found.float().mean() <= share + 0.04


def test_cases_count_alike_whatever_the_size_of_their_tumour():
    """A tumour of hundreds of voxels is drawn as often as one of two."""
    large = case_of("large")
    voxels = large.require_labels().voxels.copy()
    voxels[2:6, 2:8, 2:10] = 3
    cohort = cohort_of_cases([case_of("small"), dataclasses.replace(large, labels=large.labels.with_voxels(voxels))])
    source = patches(cohort, lesion_share=1.0)
    drawn = [case for step in range(200) for case, _ in source.draw(step)]
    assert 0.42 < np.mean(drawn) < 0.58


def test_every_brain_voxel_can_be_the_centre():
    """Patches of one voxel show the brain and nothing else, each of its voxels about as often."""
    case = case_of("a", (4, 4, 5), tumour=False)
    source = patches(cohort_of_cases([case]), (1, 1, 1), batch_size=50)
    corners = [corner for step in range(60) for _, corner in source.draw(step)]
    places, counts = np.unique(corners, axis=0, return_counts=True)
    assert {tuple(place) for place in places.tolist()} == set(zip(*np.nonzero(case.labels.voxels), strict=True))
    assert counts.min() > 150


def test_a_cohort_without_tumour_gives_patches_all_the_same():
    """Healthy cohorts can be sampled."""
    batch = patches(cohort_of_cases([case_of("a", tumour=False)])).batch(0)
    assert batch["brain"].flatten(1).any(dim=1).all()


def test_no_rows_and_places_beyond_the_grid_give_emptiness(two):
    """Taking nothing gives tensors of length 0; a patch that misses the grid is 0."""
    source = patches(two)
    assert source.take([])["images"].shape == (0, 2, 4, 5, 6)
    assert source.take([])["corner"].shape == (0, 3)
    beyond = source.take([(0, (50, 0, 0)), (0, (0, 0, -30))])
    assert not beyond["images"].any()
    assert not beyond["brain"].any()


def test_no_contrasts_give_labels_alone(two):
    """Networks for label maps need no image."""
    source = PatchPairs(two, (), size=(4, 4, 4), batch_size=2, seed=0)
    assert source.batch(0)["images"].shape == (2, 0, 4, 4, 4)


def test_a_stored_case_gives_the_same_patches_as_one_in_memory(tmp_path):
    """Both are read as integers."""
    case = toy_case(3)
    stored = Cohort("toy", (write_case(Path(tmp_path), case),), COMPLETE)
    ours, theirs = (
        PatchPairs(c, (T1,), size=(8, 8, 8), batch_size=2, seed=5) for c in (stored, cohort_of_cases([case]))
    )
    assert all(torch.equal(a, b) for a, b in zip(ours.batch(2).values(), theirs.batch(2).values(), strict=True))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_patches_of_two_cohorts_can_be_mixed(two, share):
    """`MixedPairs` takes patches as it takes slices, and refuses two sizes."""
    real, made = (patches(two, batch_size=5, seed=s) for s in (1, 2))
    batch = MixedPairs(real, made, share).batch(3)
    assert int(batch["synthetic"].sum()) == 5 * share
    assert batch["corner"].shape == (5, 3)
    with pytest.raises(CohortError, match="the same contrasts, size, batch size and scheme"):
        MixedPairs(real, patches(two, (4, 4, 4), batch_size=5), share)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch size 0"),
        ({"lesion_share": 1.5}, "lesion share 1.5"),
        ({"size": (4, 0, 4)}, r"patch \(4, 0, 4\)"),
    ],
)
def test_impossible_settings_are_refused(two, change, message):
    """Errors say which setting is wrong."""
    with pytest.raises(CohortError, match=message):
        patches(two, **change)


def test_cohorts_that_cannot_be_cut_are_refused(two):
    """No cases, no labels, no contrast, no brain."""
    with pytest.raises(CohortError, match="no cases to take patches from"):
        patches(Cohort("none", (), COMPLETE))
    with pytest.raises(CohortError, match="case 'c' without labels"):
        patches(cohort_of_cases([dataclasses.replace(case_of("c"), labels=None)]))
    with pytest.raises(CohortError, match="case 'a' without t2"):
        PatchPairs(two, (Modality.T2,), size=None, batch_size=1, seed=0)
    empty = dataclasses.replace(case_of("d"), brain=np.zeros(SHAPE, dtype=bool))
    with pytest.raises(CohortError, match="no case with brain"):
        patches(cohort_of_cases([empty]))


def test_gaps_read_as_0_and_are_told(two):
    """A contrast that one case lacks is 0 there."""
    whole = case_of("b", (6, 10, 9))
    bare = dataclasses.replace(whole, case_id="c", subject_id="c", images={FLAIR: whole.images[FLAIR]})
    cohort = cohort_of_cases([case_of("a"), bare])
    batch = patches(cohort, gaps=True).take([(0, (1, 1, 1)), (1, (1, 1, 1))])
    assert batch["available"].tolist() == [[True, True], [True, False]]
    assert not batch["images"][1, 1].any()
    assert batch["images"][1, 0].all()
    assert "available" not in patches(two).batch(0)
