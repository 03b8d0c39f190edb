"""Batches of slices are a function of seed and step, and hold what they say."""

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
from glioforge.data import sampling
from glioforge.data.pairs import MixedPairs, SlicePairs
from glioforge.data.slices import Slices, StoredSlices
from glioforge.data.store import stored_bytes, write_case

T1, FLAIR = Modality.T1, Modality.FLAIR


def case_of(name, shape=(8, 10, 12), tumour=(5,), modalities=(T1, FLAIR)):
    """A case whose brain fills slices 2 to 9, with tumour in the slices named; each voxel tells its slice."""
    grid = Geometry.isotropic(shape)
    labels = np.zeros(shape, dtype=np.uint8)
    labels[1:-1, 1:-1, 2:10] = 4
    for k in tumour:
        labels[3:5, 3:5, k] = 3
    heights = np.broadcast_to(np.arange(shape[2], dtype=np.float32) / 4, shape)
    images = {m: Volume((heights + n).copy(), grid, m) for n, m in enumerate(modalities)}
    return Case(name, name, images, Lineage.real("scan", name), LabelMap(labels, grid, COMPLETE))


@pytest.fixture
def cohort_in(tmp_path):
    """Makes cohorts of stored cases."""

    def make(*cases):
        return Cohort("toy", tuple(write_case(Path(tmp_path), case) for case in cases), COMPLETE)

    return make


@pytest.fixture
def two(cohort_in):
    """Two cases, one slice with tumour each."""
    return cohort_in(case_of("a"), case_of("b", tumour=(3,)))


def test_a_batch_has_the_promised_keys_types_and_shapes(two):
    """Images float32, labels int64, brain bool, case int64, in the contrasts' order asked for."""
    batch = SlicePairs(two, (FLAIR, T1), batch_size=4, seed=1).batch(0)
    assert {k: (tuple(v.shape), v.dtype) for k, v in batch.items()} == {
        "images": ((4, 2, 8, 10), torch.float32),
        "labels": ((4, 8, 10), torch.int64),
        "brain": ((4, 8, 10), torch.bool),
        "case": ((4,), torch.int64),
    }
    assert torch.equal(batch["images"][:, 0], batch["images"][:, 1] + 1)
    assert torch.equal(batch["brain"], batch["labels"] > 0)


@given(seed=st.integers(0, 5), steps=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_a_batch_depends_on_seed_and_step_alone(seed, steps, tmp_path_factory):
    """Neither the order of the calls nor an earlier sampler changes a batch."""
    folder = tmp_path_factory.mktemp("store")
    cohort = Cohort("toy", (write_case(folder, case_of("a")), write_case(folder, case_of("b"))), COMPLETE)
    forwards, backwards = (SlicePairs(cohort, (T1,), batch_size=3, seed=seed) for _ in range(2))
    first = {step: forwards.batch(step) for step in steps}
    second = {step: backwards.batch(step) for step in reversed(steps)}
    assert all(torch.equal(first[s][k], second[s][k]) for s in steps for k in first[s])


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0.05, 0.2), (0.3, 0.33, 0.47), (1.0, 1.0, 1.0)])
def test_slices_with_tumour_come_as_often_as_asked(two, share, low, high):
    """The share counts on top of the tumour slices (one in eight) among all others."""
    pairs = SlicePairs(two, (T1,), batch_size=5, seed=0, lesion_share=share)
    found = torch.cat([(pairs.batch(s)["labels"] == 3).any(dim=(1, 2)) for s in range(200)])
    assert low <= found.float().mean() <= high


def test_a_slab_follows_the_tumour_of_each_training_case(cohort_in):
    """Only slices of the slab are drawn; it stays in the grid, and lies around a healthy brain's middle."""
    cohort = cohort_in(case_of("a", tumour=(3,)), case_of("b", tumour=(8, 9)), case_of("c", tumour=()))
    pairs = SlicePairs(cohort, (T1,), batch_size=4, seed=0, lesion_share=0.0, slab=4)
    drawn = {row for step in range(60) for row in pairs.draw(step)}
    assert [sorted(number for case, number in drawn if case == n) for n in range(3)] == [
        [2, 3, 4, 5],
        [7, 8, 9],
        [4, 5, 6, 7],
    ]
    tumour = SlicePairs(cohort, (T1,), batch_size=4, seed=0, lesion_share=1.0, slab=1)
    assert {row for step in range(30) for row in tumour.draw(step)} == {(0, 3), (1, 8)}


def test_a_cohort_without_tumour_gives_slices_all_the_same(cohort_in):
    """Healthy cohorts can be sampled, and only slices with brain are."""
    pairs = SlicePairs(cohort_in(case_of("a", tumour=())), (T1,), batch_size=4, seed=0)
    assert pairs.length == 8
    assert pairs.batch(0)["brain"].any(dim=2).any(dim=1).all()


def test_neighbours_are_further_channels_and_repeat_at_the_ends(two):
    """Context adds the slices below and above; at the first slice the one below is itself."""
    pairs = SlicePairs(two, (T1, FLAIR), batch_size=1, seed=0, context=1)
    middle, edge = pairs.take([(0, 5), (0, 0)])["images"]
    assert middle[:, 0, 0].tolist() == [1.0, 2.0, 1.25, 2.25, 1.5, 2.5]
    assert edge[:, 0, 0].tolist() == [0.0, 1.0, 0.0, 1.0, 0.25, 1.25]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_cut_along_any_axis(two, axis):
    """The other two axes keep their order."""
    pairs = SlicePairs(two, (T1,), batch_size=1, seed=0, axis=axis)
    truth = two["a"].load()
    batch = pairs.take([(0, 4)])
    assert np.array_equal(batch["labels"][0], truth.labels.voxels.take(4, axis=axis))
    assert np.array_equal(batch["images"][0, 0], truth.images[T1].voxels.take(4, axis=axis))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("size", [None, (7, 13)])
def test_slices_read_from_the_store_are_those_held_in_memory(cohort_in, axis, size):
    """The same batches, with neighbours, missing contrasts and a common size; no voxel stays in memory."""
    cohort = cohort_in(case_of("a"), case_of("b", tumour=(3,), modalities=(FLAIR,)))
    how = {"axis": axis, "size": size, "batch_size": 4, "seed": 3, "context": 1, "gaps": True}
    held = SlicePairs(cohort, (FLAIR, T1), in_memory=True, **how)
    read = SlicePairs(cohort, (FLAIR, T1), in_memory=False, **how)
    for step in range(5):
        ours, theirs = held.batch(step), read.batch(step)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert all(isinstance(stack, StoredSlices) for stack in read._stacks)


def test_a_cohort_is_read_from_the_store_where_memory_is_short(two, monkeypatch):
    """A quarter of the machine's memory decides; a validation set of floats counts with their size."""
    needed = sum(stored_bytes(ref) for ref in two)
    assert needed == 2 * 8 * 10 * 12 * (2 * 2 + 2)
    for memory, fits in ((4 * needed, True), (4 * needed - 4, False)):
        monkeypatch.setattr(sampling, "usable_memory", lambda memory=memory: memory)
        assert sampling.fits_in_memory(two) is fits
        kinds = {type(stack) for stack in SlicePairs(two, (T1,), batch_size=1, seed=0)._stacks}
        assert kinds == ({Slices} if fits else {StoredSlices})
    monkeypatch.setattr(sampling, "usable_memory", lambda: 4 * needed)
    assert not sampling.fits_in_memory(two, bytes_per_voxel=4)


@given(size=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_padding_and_cutting_keep_the_centre(size, tmp_path_factory):
    """Voxel n // 2 stays the centre, and slices larger than the grid are padded with 0."""
    cohort = Cohort("toy", (write_case(tmp_path_factory.mktemp("store"), case_of("a")),), COMPLETE)
    plain = SlicePairs(cohort, (T1,), batch_size=1, seed=0).take([(0, 5)])["images"][0, 0]
    fitted = SlicePairs(cohort, (T1,), batch_size=1, seed=0, size=size).take([(0, 5)])["images"][0, 0]
    assert fitted.shape == size
    assert fitted[size[0] // 2, size[1] // 2] == plain[4, 5]
    expected = plain[4:5].expand(min(size[0], 8), -1)[:, : min(size[1], 10)]
    assert torch.count_nonzero(fitted) == torch.count_nonzero(expected)


def test_no_rows_give_an_empty_batch(two):
    """Taking nothing gives tensors of length 0."""
    assert SlicePairs(two, (T1,), batch_size=1, seed=0).take([])["images"].shape == (0, 1, 8, 10)


def test_a_mix_holds_its_share_on_average(two):
    """A share that does not fit the batch holds over many steps, and each slice tells its side."""
    real, synthetic = (SlicePairs(two, (T1,), batch_size=3, seed=s) for s in (1, 2))
    mixed = MixedPairs(real, synthetic, 0.5)
    batches = [mixed.batch(step) for step in range(200)]
    assert all(b["images"].shape == (3, 1, 8, 10) for b in batches)
    assert 0.45 < torch.cat([b["synthetic"] for b in batches]).float().mean() < 0.55
    assert torch.equal(mixed.batch(7)["images"], MixedPairs(real, synthetic, 0.5).batch(7)["images"])


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (1.0, 3)])
def test_a_mix_of_one_side_is_that_side(two, share, count):
    """Shares 0 and 1 take every slice from one source, and the same ones as it would give."""
    real, synthetic = (SlicePairs(two, (T1,), batch_size=3, seed=s) for s in (1, 2))
    batch = MixedPairs(real, synthetic, share).batch(4)
    assert int(batch["synthetic"].sum()) == count
    assert torch.equal(batch["images"], (synthetic if share else real).batch(4)["images"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch size 0"),
        ({"context": -1}, "context -1"),
        ({"lesion_share": 1.5}, "lesion share 1.5"),
        ({"axis": 3}, "axis 3"),
        ({"modalities": (Modality.T2,)}, "case 'a' without t2"),
    ],
)
def test_impossible_settings_are_refused(two, change, message):
    """Errors say which setting is wrong."""
    settings = {"modalities": (T1,), "batch_size": 2, "seed": 0, **change}
    with pytest.raises(CohortError, match=message):
        SlicePairs(two, settings.pop("modalities"), **settings)


def test_cohorts_that_cannot_be_cut_are_refused(cohort_in):
    """No cases, no labels, no brain, or grids that differ."""
    with pytest.raises(CohortError, match="no cases"):
        SlicePairs(Cohort("none", (), COMPLETE), (T1,), batch_size=1, seed=0)
    with pytest.raises(CohortError, match="case 'c' without labels"):
        SlicePairs(cohort_in(dataclasses.replace(case_of("c"), labels=None)), (T1,), batch_size=1, seed=0)
    empty = dataclasses.replace(case_of("d"), brain=np.zeros((8, 10, 12), dtype=bool))
    with pytest.raises(CohortError, match="no slice with brain"):
        SlicePairs(cohort_in(dataclasses.replace(empty)), (T1,), batch_size=1, seed=0)
    unequal = cohort_in(case_of("a"), case_of("e", shape=(10, 10, 12)))
    with pytest.raises(CohortError, match="slices of sizes"):
        SlicePairs(unequal, (T1,), batch_size=1, seed=0)
    assert SlicePairs(unequal, (T1,), batch_size=1, seed=0, size=(16, 16)).size == (16, 16)


def test_a_mix_of_sources_that_differ_is_refused(two):
    """Contrasts, size and batch size must agree, and the share must be one."""
    real = SlicePairs(two, (T1,), batch_size=3, seed=1)
    with pytest.raises(CohortError, match="the same contrasts, size, batch size and scheme"):
        MixedPairs(real, SlicePairs(two, (FLAIR,), batch_size=3, seed=1), 0.5)
    with pytest.raises(CohortError, match="share 2"):
        MixedPairs(real, real, 2.0)


def test_gaps_read_as_0_and_are_told(cohort_in):
    """A contrast that one case lacks is 0 there; what it has stands in its place."""
    cohort = cohort_in(case_of("a"), case_of("b", modalities=(FLAIR,)))
    pairs = SlicePairs(cohort, (T1, FLAIR), batch_size=2, seed=1, context=1, gaps=True)
    batch = pairs.take([(0, 4), (1, 4)])
    assert batch["available"].tolist() == [[True, True], [False, True]]
    assert not batch["images"][1, 0::2].any()
    assert torch.equal(batch["images"][1, 3], torch.full((8, 10), 1.0))
    assert pairs.take([])["available"].shape == (0, 2)
    assert "available" not in SlicePairs(cohort, (FLAIR,), batch_size=2, seed=1).batch(0)


def test_a_case_without_any_contrast_is_refused_also_with_gaps(cohort_in):
    """There is nothing to learn from it."""
    with pytest.raises(CohortError, match="case 'b' without t1, t2; expected at least one of the contrasts"):
        SlicePairs(cohort_in(case_of("b", modalities=(FLAIR,))), (T1, Modality.T2), batch_size=1, seed=1, gaps=True)
