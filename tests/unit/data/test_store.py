"""The store gives back what was written, or says which file is damaged."""

import dataclasses
import json
import multiprocessing
from pathlib import Path

import blosc2
import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError, GeometryError, InputFileError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data import frames
from glioforge.data.frames import cut, decode, encode, hash_of, take
from glioforge.data.packed import pack, scale_for
from glioforge.data.slices import read_patch, read_slices
from glioforge.data.store import StoreReader, find_case, folder_of, read_labels, read_packed, write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from strategies import cases

SHAPE = (5, 6, 7)


def made(case_id="a", seed=0, modalities=(Modality.T1CE, Modality.FLAIR), **changes):
    """A case of random voxels."""
    rng = np.random.default_rng(seed)
    grid = Geometry.isotropic(SHAPE, 2.0)
    images = {m: Volume(rng.normal(size=SHAPE).astype(np.float32), grid, m) for m in modalities}
    labels = LabelMap(rng.integers(0, 7, SHAPE).astype(np.uint8), grid, COMPLETE)
    case = Case(case_id, "subject", images, Lineage.real("scan", "subject"), labels, labels.voxels > 0)
    return dataclasses.replace(case, **changes)


def equal(one, other):
    """Whether two cases hold the same voxels and facts."""
    same = [one.case_id, one.subject_id, one.session, one.modalities, one.geometry, one.lineage, dict(one.facts)] == [
        other.case_id, other.subject_id, other.session, other.modalities, other.geometry, other.lineage,
        dict(other.facts),
    ]  # fmt: skip
    images = all(np.array_equal(one.images[m].voxels, other.images[m].voxels) for m in one.modalities)
    masks = all(
        (a is None) == (b is None) and (a is None or np.array_equal(a, b))
        for a, b in (
            (one.brain, other.brain),
            (one.labels and one.labels.voxels, other.labels and other.labels.voxels),
        )
    )
    return same and images and masks


@given(case=cases())
def test_a_stored_case_is_close_and_storing_it_again_changes_nothing(case, tmp_path_factory):
    """Intensities keep to half a step, all else is exact, and a second round trip is exact altogether."""
    folder = tmp_path_factory.mktemp("store")
    ref = write_case(folder, case)
    back = ref.load()
    for modality in case.modalities:
        step = scale_for(case.images[modality].voxels)
        assert np.abs(back.images[modality].voxels - case.images[modality].voxels).max() <= step / 2 * 1.001
    assert np.array_equal(back.labels.voxels, case.labels.voxels)
    assert np.array_equal(back.brain, case.brain)
    again = write_case(folder / "again", back)
    assert again.digest == ref.digest
    assert equal(again.load(), back)


def test_zero_stays_exactly_zero_and_large_values_get_a_coarser_scale(tmp_path):
    """Background is exactly 0 after storing, also beside raw scanner intensities."""
    voxels = np.zeros(SHAPE, dtype=np.float32)
    voxels[2, 2, 2] = 3000.0
    case = made(images={Modality.T1: Volume(voxels, Geometry.isotropic(SHAPE, 2.0), Modality.T1)})
    back = write_case(tmp_path, case).load().images[Modality.T1].voxels
    assert np.count_nonzero(back) == 1
    assert back[2, 2, 2] == pytest.approx(3000, abs=0.1)


def unpacked(part):
    """Intensities, labels and brain of a part."""
    return part.images * np.float32(part.scales)[:, None, None], part.labels, part.brain


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_those_of_the_whole_case(axis, tmp_path):
    """Reading slices along any axis gives what cutting the loaded case gives."""
    case = made()
    ref = write_case(tmp_path, case)
    back = ref.load()
    images, labels, brain = unpacked(read_slices(ref, axis, [3, 0]))
    whole = back.stack(back.modalities)
    assert np.array_equal(images, np.stack([whole.take(n, axis=axis + 1) for n in (3, 0)]))
    assert np.array_equal(labels, np.stack([back.labels.voxels.take(n, axis=axis) for n in (3, 0)]))
    assert np.array_equal(brain, np.stack([back.brain.take(n, axis=axis) for n in (3, 0)]))
    none = read_slices(ref, axis, [])
    assert len(none.images) == len(none.labels) == 0
    assert none.images.shape[2:] == images.shape[2:]
    for beyond in (-1, SHAPE[axis]):
        with pytest.raises(GeometryError, match=rf"numbers from 0 to {SHAPE[axis] - 1} along axis {axis}"):
            read_slices(ref, axis, [0, beyond])


@given(data=st.data())
def test_a_patch_is_that_of_the_whole_case(data, tmp_path_factory):
    """Reading any box gives what cutting the loaded case gives."""
    ref = write_case(tmp_path_factory.mktemp("store"), made())
    start = tuple(data.draw(st.integers(0, n - 1)) for n in SHAPE)
    size = tuple(data.draw(st.integers(1, n - first)) for n, first in zip(SHAPE, start, strict=True))
    back = ref.load()
    box = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    images, labels, brain = unpacked(read_patch(ref, start, size))
    assert np.array_equal(images.transpose(1, 2, 3, 0), back.stack(back.modalities)[(slice(None), *box)])
    assert np.array_equal(labels.transpose(1, 2, 0), back.labels.voxels[box])
    assert np.array_equal(brain.transpose(1, 2, 0), back.brain[box])


def test_frames_of_other_blocks_and_filters_are_read_as_well(tmp_path):
    """Stores written with whole slices as blocks, shuffled, stay readable."""
    array = np.random.default_rng(0).integers(-99, 99, (7, 2, 5, 6), dtype=np.int16)
    old = blosc2.asarray(
        array, chunks=(4, 2, 5, 6), blocks=(1, 2, 5, 6), cparams=blosc2.CParams(typesize=2, nthreads=1)
    )
    data = bytes(old.to_cframe())
    (tmp_path / "old.b2nd").write_bytes(data)
    assert np.array_equal(decode(tmp_path / "old.b2nd", hash_of(data)), array)
    slices = take(tmp_path / "old.b2nd", hash_of(data), 2, [3, 0])
    patch = cut(tmp_path / "old.b2nd", hash_of(data), (1, 2, 3), (3, 2, 2))
    assert np.array_equal(slices.whole(), array[[3, 0]])
    assert np.array_equal(patch.whole(), array[3:5, :, 1:4, 2:4])


@given(data=st.data())
def test_only_the_box_that_is_not_zero_is_kept_and_nobody_notices(data, tmp_path_factory):
    """Slices, patches and the whole array are as they were, wherever the box lies, also where nothing is in it."""
    array = np.zeros((6, 2, 5, 4), dtype=np.int16)
    for place in data.draw(st.lists(st.tuples(*(st.integers(0, n - 1) for n in array.shape)), max_size=4)):
        array[place] = 7
    path = tmp_path_factory.mktemp("frames") / "x.b2nd"
    path.write_bytes(encode(array))
    expected = hash_of(path.read_bytes())
    assert np.array_equal(decode(path, expected), array)
    k, i, j = (data.draw(st.integers(0, n - 1)) for n in (6, 5, 4))
    assert np.array_equal(take(path, expected, 2, [k]).whole(), array[k : k + 1])
    assert np.array_equal(take(path, expected, 0, [i, i]).whole(), array[:, :, [i, i]].transpose(2, 1, 3, 0))
    assert np.array_equal(cut(path, expected, (i, j, k), (5 - i, 1, 6 - k)).whole(), array[k:, :, i:, j : j + 1])


def test_a_small_box_makes_a_small_file(tmp_path):
    """A brain that fills an eighth of its grid takes no more than a grid of that size."""
    noise = np.random.default_rng(0).integers(1, 9999, (16, 1, 16, 16), dtype=np.int16)
    wide = np.zeros((32, 1, 32, 32), dtype=np.int16)
    wide[8:24, :, 8:24, 8:24] = noise
    assert len(encode(wide)) == len(encode(noise))


def test_a_box_that_lies_outside_its_array_is_refused(tmp_path):
    """A frame that someone else made cannot place its voxels beyond its own shape."""
    array = blosc2.asarray(np.ones((2, 1, 2, 2), np.int16), meta={"box": {"first": [1, 0, 0], "shape": [2, 1, 2, 2]}})
    data = bytes(array.to_cframe())
    (tmp_path / "x.b2nd").write_bytes(data)
    with pytest.raises(InputFileError, match="expected a box inside its array"):
        decode(tmp_path / "x.b2nd", hash_of(data))


def test_small_frames_are_kept_unpacked_while_there_is_room(tmp_path, monkeypatch):
    """Results stay the same and may be written to; a changed file is read anew; beyond the room nothing is kept."""
    ref = write_case(tmp_path, made())

    def read():
        parts = [read_slices(ref, 2, [3]), read_patch(ref, (1, 0, 2), (3, 4, 2)), read_slices(ref, 0, [1])]
        return [part.images for part in parts]

    first = {}
    for name, largest in (("packed", 10), ("kept", 2**20)):
        monkeypatch.setattr(frames, "SMALL_BYTES", largest)
        monkeypatch.setattr(frames, "_KEPT", frames._Kept())
        frames._opened.cache_clear()
        first[name] = read()
        kept = {Path(path).name for path, _ in frames._KEPT._frames}
        assert kept == ({"images.b2nd", "masks.b2nd"} if name == "kept" else set())
    part = read_slices(ref, 2, [3])
    part.labels[:] = 0
    part.images[:] = 0
    for again in (first["packed"], read()):
        assert all(np.array_equal(a, b) for a, b in zip(first["kept"], again, strict=True))
    path = folder_of(ref) / "images.b2nd"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputFileError, match="other contents"):
        read_slices(ref, 2, [0])
    monkeypatch.setattr(frames, "KEPT_BYTES", 10)
    monkeypatch.setattr(frames, "_KEPT", frames._Kept())
    other = write_case(tmp_path, made("b"))
    assert len([read_slices(other, 2, [0]) for _ in range(5)]) == 5
    assert not frames._KEPT._frames


def test_patches_of_bare_cases_and_beyond_the_grid(tmp_path):
    """What a case lacks, its patches lack; a box that leaves the grid or is empty is refused."""
    ref = write_case(tmp_path, made("map", images={}))
    assert read_patch(ref, (0, 1, 2), (2, 2, 2)).images.shape == (2, 0, 2, 2)
    bare = write_case(tmp_path, made("bare", labels=None, brain=None))
    assert read_patch(bare, (0, 0, 0), SHAPE).labels is None
    for start, size in (((0, 0, 3), (2, 2, 5)), ((-1, 0, 0), (2, 2, 2)), ((0, 0, 0), (0, 2, 2))):
        with pytest.raises(GeometryError, match=r"a box inside the grid of \(5, 6, 7\)"):
            read_patch(ref, start, size)


def test_cases_without_labels_mask_or_images_are_kept_as_such(tmp_path):
    """What a case lacks, it lacks after reading too."""
    bare = write_case(tmp_path, made("bare", labels=None, brain=None))
    assert bare.scheme == COMPLETE.name
    assert bare.labels is None
    assert bare.load().labels is None
    assert bare.load().brain is None
    assert read_slices(bare, 2, [1]).labels is None
    map_only = write_case(tmp_path, made("map", images={}))
    assert map_only.load().modalities == ()
    part = read_slices(map_only, 0, [0, 1])
    assert part.images.shape == (2, 0, 6, 7)
    assert part.labels.shape == (2, 6, 7)


def test_a_cohort_of_stored_cases_survives_a_round_trip_and_a_move(tmp_path):
    """`cohort.json` finds the store's files again after the folder was moved."""
    refs = tuple(write_case(tmp_path / "old" / "cases", made(name, n)) for n, name in enumerate("ab"))
    cohort = Cohort("two", refs, COMPLETE)
    write_cohort(cohort, tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    moved = read_cohort(tmp_path / "new")
    assert moved.fingerprint == cohort.fingerprint
    assert equal(moved["b"].load(), made("b", 1)) is False
    assert np.array_equal(moved["b"].load().labels.voxels, made("b", 1).labels.voxels)


@pytest.mark.parametrize("name", ["images.b2nd", "masks.b2nd"])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed_before_decoding(name, place, bit, tmp_path_factory):
    """A damaged voxel file raises, names the file and tells what to do, for whole cases and slices."""
    ref = write_case(tmp_path_factory.mktemp("store"), made())
    path = folder_of(ref) / name
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(bytes(data))
    for read in (ref.load, lambda: read_packed(ref), lambda: find_case(path.parents[1], "a")):
        with pytest.raises(InputFileError, match=rf"{name}: has other contents .* rebuilds damaged cases"):
            read()
    with pytest.raises(InputFileError, match="other contents"):
        read_slices(ref, 2, [0])


def test_a_missing_file_is_named(tmp_path):
    """A voxel file that is gone raises with its name."""
    ref = write_case(tmp_path, made())
    (tmp_path / "a" / "masks.b2nd").unlink()
    with pytest.raises(InputFileError, match=r"masks\.b2nd: cannot be read"):
        ref.load()
    with pytest.raises(InputFileError, match=r"masks\.b2nd: cannot be read"):
        read_slices(ref, 2, [0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: {**facts, "subject_id": "other"}, "does not match its own hash"),
        (lambda facts: {**facts, "version": 2}, "does not match its own hash"),
        (lambda facts: {**facts, "files": None}, "does not match its own hash"),
        (lambda facts: {k: v for k, v in facts.items() if k != "digest"}, "does not describe a case"),
        (lambda facts: [facts], "does not describe a case"),
    ],
)
def test_a_changed_description_is_refused(change, message, tmp_path):
    """`case.json` is checked as well, so that nobody's scan passes for another's."""
    ref = write_case(tmp_path, made())
    path = tmp_path / "a" / "case.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputFileError, match=message):
        ref.load()


def test_a_reference_to_other_contents_is_refused(tmp_path):
    """A cohort that means other voxels than the store now holds is not served."""
    ref = write_case(tmp_path, made())
    write_case(tmp_path, made(seed=1))
    with pytest.raises(InputFileError, match="as the cohort says"):
        ref.load()


def test_finding_tells_absent_from_present(tmp_path):
    """A case that was never finished is none; a finished one is its reference."""
    assert find_case(tmp_path, "a") is None
    ref = write_case(tmp_path, made())
    assert find_case(tmp_path, "a") == ref
    assert StoreReader() == ref.reader
    assert StoreReader.format == "store"


def test_an_unstored_case_is_packed_when_read(tmp_path):
    """`read_packed` takes cases of other formats too."""
    case = made()
    ref = dataclasses.replace(write_case(tmp_path, case), reader=lambda ref: case)
    assert read_packed(ref).content_hash == pack(case).content_hash


def _write_many(folder):
    for _ in range(5):
        write_case(Path(folder), made())


def test_two_processes_may_write_the_same_case(tmp_path):
    """Writers of one case never leave a mixture behind."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(str(tmp_path),)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert np.array_equal(find_case(tmp_path, "a").load().labels.voxels, made().labels.voxels)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["case.json", "images.b2nd", "masks.b2nd"]


def test_labels_are_read_without_the_images(tmp_path):
    """The map is the one of the whole case, also where the images are damaged; a replaced case is refused."""
    case = made()
    ref = write_case(tmp_path, case)
    (folder_of(ref) / "images.b2nd").write_bytes(b"damaged")

    assert np.array_equal(read_labels(ref).voxels, case.labels.voxels)
    assert read_labels(ref).scheme == COMPLETE
    write_case(tmp_path, made(seed=1))
    with pytest.raises(InputFileError, match="as the cohort says"):
        read_labels(ref)


def test_a_case_without_labels_has_none_to_read(tmp_path):
    """Images alone are refused in one sentence."""
    with pytest.raises(CaseError, match="no label map"):
        read_labels(write_case(tmp_path, made(labels=None)))
