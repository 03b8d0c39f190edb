"""Tests of `segmentation.evaluate` and `segmentation.masks`: any folder of masks, and our own."""

import gzip
import unicodedata
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from glioforge.core.cohort import Cohort, LabelSource
from glioforge.core.errors import CohortError, InputFileError, LabelError, OutputError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2017, BRATS2023, BRATS2024_PED, DECATHLON
from glioforge.data.preparation.pipeline import PrepareSpec, prepare_case
from glioforge.io.nifti import read_image, read_integers, read_labels, write_labels
from glioforge.metrics.evaluate import DEFAULT_METRICS
from glioforge.segmentation.evaluate import evaluate_predictions, own_grid, segment_cohort
from glioforge.segmentation.masks import find_masks, source_of_masks, stray_masks, written_scheme
from glioforge.segmentation.methods.unet import UNetSpec
from glioforge.segmentation.trained import NetworkSegmenter
from glioforge.training.budget import Outcome
from toy_cohort import cohort_of_cases, toy_case, toy_cohort


def write_masks(folder, seeds=(1, 2), scheme=BRATS2023, suffix=".nii.gz"):
    """The true masks of some toys, in a scheme."""
    for seed in seeds:
        labels = toy_case(seed).require_labels().to(BRATS2023)
        write_labels(folder / f"s{seed:02}-1{suffix}", labels.to(scheme))
    return folder


class Silly:
    """A network-free stand-in: everything bright is oedema."""

    def __init__(self):
        self.calls = 0

    def segment(self, case):
        """Label by intensity."""
        self.calls += 1
        bright = next(iter(case.images.values())).voxels > 1
        return LabelMap(bright.astype(np.uint8) * 2, case.geometry, BRATS2023)


@pytest.fixture
def segmenter(monkeypatch):
    """A trained segmenter whose answers come from `Silly`."""
    silly = Silly()
    monkeypatch.setattr(NetworkSegmenter, "segment", lambda _, case: silly.segment(case))
    outcome = Outcome(1, 1, None, False, 0.0, 0, ())
    made = NetworkSegmenter(UNetSpec(), 2, (), (), Lineage.real("toy", "s01"), "f" * 32, outcome, "32-true", "32-true")
    return made, silly


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("scheme", [BRATS2023, BRATS2017])
def test_true_masks_are_perfect_in_any_format_and_scheme(tmp_path, suffix, scheme):
    """Rows for each case, region and metric; the scheme is told from the values."""
    truth = toy_cohort([1, 2])
    rows = evaluate_predictions(write_masks(tmp_path, (1, 2), scheme, suffix), truth, scheme=scheme.name)
    assert len(rows) == 2 * 3 * len(DEFAULT_METRICS)
    assert {row.value for row in rows if row.metric == "dice"} == {1.0}
    assert {(row.study, row.arm, row.subject_id) for row in rows} == {
        ("evaluate", tmp_path.name, "s01"),
        ("evaluate", tmp_path.name, "s02"),
    }


def test_a_cohort_can_be_judged_like_a_folder():
    """Predictions by case id, under a name of one's own."""
    truth = toy_cohort([1, 2])
    rows = evaluate_predictions(truth, truth, regions=("TC",), metrics=("dice",), arm="mine")
    assert [(row.arm, row.case_id, row.value) for row in rows] == [("mine", "s01-1", 1.0), ("mine", "s02-1", 1.0)]


def test_a_predicted_cohort_must_hold_every_case():
    """The message names the case."""
    with pytest.raises(CohortError, match="case 's02-1'"):
        evaluate_predictions(toy_cohort([1]), toy_cohort([1, 2]))


def test_no_cases_give_no_rows(tmp_path):
    """An empty truth asks for nothing."""
    assert evaluate_predictions(tmp_path, Cohort("none", (), BRATS2023)) == []


def test_a_missing_mask_is_named_with_a_file_that_may_be_it(tmp_path):
    """A typing error in a file name is found."""
    write_masks(tmp_path)
    (tmp_path / "s02-1.nii.gz").rename(tmp_path / "s02_1.nii.gz")
    with pytest.raises(InputFileError, match=r"no mask of 1 of 2 cases: s02-1; .*; rename s02_1 to s02-1"):
        evaluate_predictions(tmp_path, toy_cohort([1, 2]))


def test_many_missing_masks_are_counted(tmp_path):
    """Ten are named, the rest are a number."""
    with pytest.raises(InputFileError, match=r"no mask of 12 of 12 cases: .*s10-1 and 2 more;.*add the masks"):
        find_masks(tmp_path, toy_cohort(range(1, 13)))


def test_two_masks_of_one_case_are_refused(tmp_path):
    """Nobody knows which one counts."""
    write_masks(tmp_path, (1,))
    write_masks(tmp_path, (1,), suffix=".nii")
    with pytest.raises(InputFileError, match=r"two masks of case 's01-1': s01-1.nii and s01-1.nii.gz"):
        find_masks(tmp_path, toy_cohort([1]))


def test_a_missing_folder_is_refused(tmp_path):
    """A path that is not there."""
    with pytest.raises(InputFileError, match="no such folder"):
        find_masks(tmp_path / "nowhere", toy_cohort([1]))


def test_masks_of_other_cases_are_passed_over(tmp_path):
    """A folder may hold more than the cohort asks for."""
    assert list(find_masks(write_masks(tmp_path), toy_cohort([2]))) == ["s02-1"]


def test_a_mask_on_another_grid_names_its_file(tmp_path):
    """Misaligned masks are not scored."""
    labels = toy_case(1).require_labels().to(BRATS2023)
    shifted = Geometry(labels.geometry.shape, labels.geometry.affine + np.diag([0, 0, 0.5, 0]))
    write_labels(tmp_path / "s01-1.nii.gz", LabelMap(labels.voxels, shifted, BRATS2023))
    with pytest.raises(InputFileError, match=r"s01-1.nii.gz: mask lies on grid .*resample the mask"):
        evaluate_predictions(tmp_path, toy_cohort([1]))


def test_our_masks_say_their_scheme_and_come_back(tmp_path, segmenter):
    """Written as scheme BRATS2023 and judged against truth of another scheme without asking."""
    truth = toy_cohort([1, 2])
    made, silly = segmenter
    paths = segment_cohort(made, truth, tmp_path)
    assert [path.name for path in paths] == ["s01-1.nii.gz", "s02-1.nii.gz"]
    for path, ref in zip(paths, truth, strict=True):
        assert np.array_equal(read_labels(path, BRATS2023).voxels, silly.segment(ref.load()).voxels)
    assert source_of_masks(tmp_path, {}, truth).scheme == "brats2023"
    rows = evaluate_predictions(tmp_path, truth, regions=("WT",), metrics=("dice",))
    assert all(0 < row.value < 1 for row in rows)


def test_our_masks_have_the_values_of_the_files_that_the_cases_come_from(tmp_path, segmenter):
    """Another scheme can be asked for, in a folder of its own."""
    made, silly = segmenter
    cohort = replace(toy_cohort([1]), source=LabelSource("decathlon", "stated"))
    (path,) = segment_cohort(made, cohort, tmp_path / "a")
    assert written_scheme(tmp_path / "a") == DECATHLON
    np.testing.assert_array_equal(read_integers(path)[0], silly.segment(cohort.cases[0].load()).to(DECATHLON).voxels)
    with pytest.raises(OutputError, match='scheme was "decathlon"'):
        segment_cohort(made, cohort, tmp_path / "a", scheme=BRATS2017)
    segment_cohort(made, cohort, tmp_path / "b", scheme=BRATS2017)
    assert written_scheme(tmp_path / "b") == BRATS2017
    with pytest.raises(LabelError, match="label 'necrotic_core' of scheme 'brats2023'"):
        segment_cohort(made, cohort, tmp_path / "c", scheme=BRATS2024_PED)


def test_segmenting_goes_on_where_it_stopped(tmp_path, segmenter):
    """Masks that are there are not made again."""
    made, silly = segmenter
    truth = toy_cohort([1, 2, 3])
    segment_cohort(made, truth, tmp_path)
    (tmp_path / "s02-1.nii.gz").unlink()
    silly.calls = 0
    segment_cohort(made, truth, tmp_path)
    assert silly.calls == 1
    assert (tmp_path / "s02-1.nii.gz").exists()


def test_a_folder_of_another_segmenter_is_refused(tmp_path, segmenter):
    """Masks of two models are not mixed."""
    made, _ = segmenter
    segment_cohort(made, toy_cohort([1]), tmp_path)
    with pytest.raises(OutputError, match="made with other settings"):
        segment_cohort(replace(made, weights_hash="0" * 32), toy_cohort([1]), tmp_path)


def scan_of(seed):
    """A toy as a scanner gives it: stored from left to right and head to foot, not prepared."""
    case = toy_case(seed)
    geometry = case.geometry.permuted((0, 1, 2), (True, False, True))

    def turned(voxels):
        return np.ascontiguousarray(voxels[::-1, :, ::-1])

    images = {m: replace(v, voxels=turned(v.voxels), geometry=geometry) for m, v in case.images.items()}
    labels = LabelMap(turned(case.require_labels().to(BRATS2023).voxels), geometry, BRATS2023)
    return replace(case, images=images, labels=labels, brain=turned(case.brain))


def test_masks_lie_on_the_grid_that_the_scan_came_on(tmp_path, segmenter):
    """A prepared case's mask goes back through the preparation, flips included."""
    made, _ = segmenter
    scan = scan_of(1)
    prepared = prepare_case(scan, PrepareSpec(tissue=None), scan.modalities, (24, 24, 16))
    ref = cohort_of_cases([prepared]).cases[0]
    cohort = Cohort(
        "prepared", (replace(ref, facts=prepared.facts, scheme=prepared.labels.scheme.name),), prepared.labels.scheme
    )
    path = segment_cohort(made, cohort, tmp_path)[0]
    mask = read_labels(path, BRATS2023)
    assert mask.geometry.matches(scan.geometry)
    back = own_grid(prepared.labels.to(BRATS2023), cohort.cases[0])
    assert np.array_equal(back.voxels, scan.labels.voxels)


def test_a_case_that_was_never_prepared_keeps_its_grid():
    """There is no other grid to go back to."""
    labels = toy_case(1).require_labels()
    assert own_grid(labels, toy_cohort([1]).cases[0]) is labels


class Unsure:
    """A stand-in for a network: nearly sure of the class that the first contrast spells, rounded."""

    def probabilities(self, case):
        """Classes 0 to 3."""
        spelled = np.clip(np.rint(next(iter(case.images.values())).voxels), 0, 3).astype(int)
        return (np.eye(4, dtype=np.float32) * 0.8 + 0.05)[spelled].transpose(3, 0, 1, 2)


@pytest.fixture
def unsure(segmenter, monkeypatch):
    """A trained segmenter whose probabilities come from `Unsure`."""
    stand_in = Unsure()
    monkeypatch.setattr(NetworkSegmenter, "probabilities", lambda _, case: stand_in.probabilities(case))
    return segmenter[0]


def test_probabilities_lie_beside_the_mask_and_say_what_they_are(tmp_path, unsure):
    """Float32, one file a class, summing to 1; the mask is the likeliest class inside the brain."""
    case = toy_case(1)
    path = segment_cohort(unsure, toy_cohort([1]), tmp_path, probabilities=True)[0]
    names = ("background", "necrotic_core", "oedema", "enhancing")
    files = [tmp_path / "probabilities" / f"s01-1_{name}.nii.gz" for name in names]
    assert sorted((tmp_path / "probabilities").iterdir()) == sorted(files)
    headers = [gzip.decompress(file.read_bytes())[:348] for file in files]
    assert [int.from_bytes(header[70:72], "little") for header in headers] == [16] * 4
    assert headers[3][148:228].rstrip(b"\0").decode() == "probability of enhancing, glioforge, weights ffffffffffff"
    shares = np.stack([read_image(file, case.modalities[0]).voxels for file in files])
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-6)
    assert np.array_equal(read_labels(path, BRATS2023).voxels, np.where(case.brain, shares.argmax(axis=0), 0))


def test_probabilities_are_added_to_masks_that_are_there(tmp_path, unsure):
    """Asking for more later makes what is missing, and asking again makes nothing."""
    segment_cohort(unsure, toy_cohort([1]), tmp_path)
    segment_cohort(unsure, toy_cohort([1]), tmp_path, probabilities=True)
    file = tmp_path / "probabilities" / "s01-1_oedema.nii.gz"
    before = file.stat().st_mtime_ns
    segment_cohort(unsure, toy_cohort([1]), tmp_path, probabilities=True)
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("spacing", [None, (8.0, 10.0, 12.0)])
def test_probabilities_lie_on_the_scans_grid(tmp_path, unsure, spacing):
    """Moved back exactly, or interpolated where the preparation resampled; beyond the prepared grid all background."""
    scan = scan_of(1)
    spec = PrepareSpec(tissue=None, grid={"spacing_mm": spacing})
    prepared = prepare_case(scan, spec, scan.modalities, (12, 24, 16))
    ref = replace(cohort_of_cases([prepared]).cases[0], facts=prepared.facts, scheme=prepared.labels.scheme.name)
    cohort = Cohort("prepared", (ref,), prepared.labels.scheme)
    segment_cohort(unsure, cohort, tmp_path, probabilities=True)
    names = unsure.target.channels
    found = [read_image(tmp_path / "probabilities" / f"s01-1_{n}.nii.gz", scan.modalities[0]) for n in names]
    assert all(volume.geometry.matches(scan.geometry) for volume in found)
    shares = np.stack([volume.voxels for volume in found])
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert shares.min() >= 0
    assert (shares[0] == 1).any()


def test_scores_depend_neither_on_the_order_of_cases_nor_on_how_masks_are_stored(tmp_path):
    """Any integer, real, scaled or big-endian type of the same labels gives the same rows, whole or one by one."""
    truth = toy_cohort([1, 2, 3])
    write_masks(tmp_path / "uint8", (2, 3, 1))
    first = np.asarray(nib.load(tmp_path / "uint8" / "s01-1.nii.gz").dataobj)
    assert set(np.unique(first)) == {0, 1, 2, 3}
    expected = evaluate_predictions(tmp_path / "uint8", truth, scheme="brats2023", arm="m")

    for dtype in ("<i2", ">i4", "<i8", ">f4", "<f8"):
        folder = tmp_path / dtype[1:]
        folder.mkdir()
        for path in (tmp_path / "uint8").iterdir():
            mask = nib.load(path)
            header = mask.header.as_byteswapped(dtype[0])
            header.set_data_dtype(dtype)
            nib.Nifti1Image(np.asarray(mask.dataobj).astype(dtype), mask.affine, header).to_filename(folder / path.name)
        assert evaluate_predictions(folder, truth, scheme="brats2023", arm="m") == expected
    back = Cohort("back", tuple(reversed(list(truth))), truth.scheme)
    rows = evaluate_predictions(tmp_path / "i2", back, scheme="brats2023", arm="m")
    assert sorted(rows, key=repr) == sorted(expected, key=repr)
    single = [Cohort("one", (ref,), truth.scheme) for ref in truth]
    assert [r for one in single for r in evaluate_predictions(tmp_path / "f8", one, scheme="brats2023", arm="m")] == (
        expected
    )


def test_masks_are_found_in_either_form_of_unicode_and_in_capitals(tmp_path):
    """A folder zipped on a Mac is decomposed; both forms of one name are two masks of a case."""
    case = toy_case(1)
    name = "Müller"
    decomposed = unicodedata.normalize("NFD", name)
    for known, spelt in ((name, decomposed), (decomposed, name)):
        cohort = cohort_of_cases([replace(case, case_id=known)])
        folder = tmp_path / known
        mask = write_masks(folder, (1,)) / "s01-1.nii.gz"
        mask.rename(folder / f"{spelt}.NII.GZ")
        (folder / f"._{spelt}.nii.gz").touch()
        assert find_masks(folder, cohort)[known].name == f"{spelt}.NII.GZ"
        assert stray_masks(folder, cohort) == []
        assert cohort[spelt] is cohort[known]
        write_masks(folder, (1,))
        (folder / "s01-1.nii.gz").rename(folder / f"{known}.nii")
        with pytest.raises(InputFileError, match="two masks of case 'Müller'.*Unicode form"):
            find_masks(folder, cohort)


def test_ids_that_differ_in_their_unicode_form_alone_are_one_id():
    """Two such cases would be written to files that look alike."""
    case = toy_case(1)
    pair = [replace(case, case_id=unicodedata.normalize(form, "Müller")) for form in ("NFC", "NFD")]
    with pytest.raises(CohortError, match="used twice"):
        cohort_of_cases(pair)
