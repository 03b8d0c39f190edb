"""Each way of normalising can be undone, keeps to the range that synthesizers take, and says what it lacks."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.config.load import parse_spec
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError, CohortError, InputFileError, LeakageError, SpecError
from glioforge.core.firewall import require_no_leak
from glioforge.core.geometry import Geometry
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.split import split_by_subject
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.intensity import IntensitySpec, PercentileSpec
from glioforge.data.preparation.landmarks import PERCENTILES, HistogramSpec, Landmarks, fit_landmarks
from glioforge.data.preparation.one_case import intensity_record, normalised
from glioforge.data.preparation.pipeline import PrepareSpec, prepare
from glioforge.data.store import write_case
from glioforge.studies.base import StudySpec
from glioforge.studies.given import require_usable
from toy_cohort import toy_cohort

SHAPE = (8, 8, 8)
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[1:7, 1:7, 1:7] = True


def image(seed=0, gain=100.0, shift=300.0, power=1.0):
    """A skewed random image, 0 outside the brain."""
    values = np.random.default_rng(seed).gamma(2.0, 1.0, SHAPE) ** power
    return np.where(BRAIN, gain * values + shift, 0).astype(np.float32)


def cohort(folder, count=3, power=1.0):
    """A cohort of such images, a subject each."""
    grid = Geometry.isotropic(SHAPE, 20.0)
    refs = []
    for n in range(count):
        volume = Volume(image(n, 50 + 100 * n, power=power), grid, Modality.T1)
        case = Case(f"c{n}", f"s{n}", {Modality.T1: volume}, Lineage.real("scan", f"s{n}"), brain=BRAIN)
        refs.append(write_case(folder, case))
    return Cohort("scans", tuple(refs), COMPLETE)


@pytest.fixture
def landmarks(tmp_path):
    """Landmarks of three subjects, in a file."""
    fitted = fit_landmarks(cohort(tmp_path / "scans"))
    fitted.save(tmp_path / "landmarks.json")
    assert Landmarks.load(tmp_path / "landmarks.json") == fitted
    return tmp_path / "landmarks.json"


@pytest.fixture(params=["zscore", "percentile", "histogram"])
def spec(request, landmarks):
    """Each way of normalising."""
    values = {"kind": request.param}
    return PrepareSpec.model_validate(
        {"intensity": values | ({"landmarks": landmarks} if request.param == "histogram" else {})}
    ).intensity


def test_every_kind_is_undone_and_keeps_within_five(spec):
    """The scan comes back where nothing was cut off; outside the brain is exactly 0."""
    scan = image(7)
    result, records = normalised({Modality.T1: scan}, BRAIN, spec, "case")
    scores = result[Modality.T1]
    assert np.abs(scores).max() <= 5
    assert not scores[~BRAIN].any()
    record = intensity_record(json.loads(json.dumps(records["t1"])))
    back = record.invert(scores, BRAIN)
    low, high = scores[BRAIN].min(), scores[BRAIN].max()
    whole = BRAIN & (scores > low) & (scores < high)
    assert back[whole] == pytest.approx(scan[whole], rel=1e-4)
    assert record.clipped == np.count_nonzero(~np.isclose(back[BRAIN], scan[BRAIN], rtol=1e-4))
    assert (np.argsort(back[whole]) == np.argsort(scan[whole])).all()


def test_a_constant_brain_has_no_scale(spec):
    """Every kind refuses it and names case and contrast."""
    with pytest.raises(CaseError, match=r"case t1: .* voxels (without spread|whose percentiles)"):
        normalised({Modality.T1: BRAIN.astype(np.float32)}, BRAIN, spec, "case")


@given(gain=st.floats(0.1, 1000), shift=st.floats(-500, 500))
def test_percentiles_do_not_depend_on_gain_and_shift(gain, shift):
    """The same scan in other units gives the same values."""
    scan = image()
    spec = PercentileSpec()
    one, _ = normalised({Modality.T1: scan}, BRAIN, spec, "case")
    other, _ = normalised({Modality.T1: (scan * np.float32(gain) + np.float32(shift))}, BRAIN, spec, "case")
    assert one[Modality.T1] == pytest.approx(other[Modality.T1], abs=2e-2)
    assert (one[Modality.T1].min(), one[Modality.T1].max()) == pytest.approx((-1, 1))


def test_histograms_of_other_scanners_become_alike(landmarks):
    """After matching, quantiles of a scan with another curve lie at the landmarks, as z-scores do not."""
    known = Landmarks.load(landmarks).values[Modality.T1]
    curved = image(9, power=0.5)
    matched, _ = normalised({Modality.T1: curved}, BRAIN, HistogramSpec(landmarks=landmarks), "case")
    scored, _ = normalised({Modality.T1: curved}, BRAIN, IntensitySpec(), "case")
    assert np.percentile(matched[Modality.T1][BRAIN], PERCENTILES) == pytest.approx(known, abs=0.05)
    assert np.percentile(scored[Modality.T1][BRAIN], PERCENTILES) != pytest.approx(known, abs=0.2)


def test_landmarks_carry_their_subjects_and_the_firewall_reads_them(landmarks, tmp_path):
    """Landmarks that saw a test subject are told."""
    fitted = Landmarks.load(landmarks)
    assert fitted.lineage.subjects == ("s0", "s1", "s2")
    with pytest.raises(LeakageError, match=r"landmarks was made from subjects \['s0', 's1', 's2'\]"):
        require_no_leak({"landmarks": fitted.lineage}, cohort(tmp_path / "scans"))


def test_whoever_trains_on_matched_cases_cannot_test_on_the_landmarks_subjects(landmarks, tmp_path):
    """Prepared cases list the subjects behind the landmarks; a test case guards its own subject alone."""
    scans = cohort(tmp_path / "others", 5)
    spec = PrepareSpec(grid={"multiple": 1}, tissue=None, intensity=HistogramSpec(landmarks=landmarks))
    prepared = prepare(scans, spec, tmp_path / "out")
    assert prepared["c4"].lineage.subjects == ("s0", "s1", "s2", "s4")
    require_no_leak({"training cases": prepared.of_subjects(["s0", "s1", "s2"])}, prepared.of_subjects(["s3", "s4"]))
    with pytest.raises(LeakageError, match=r"case 'c4' comes from \['s2'\] through intensity landmarks"):
        require_no_leak({"training cases": prepared.of_subjects(["s4"])}, prepared.of_subjects(["s2"]))


def test_a_study_refuses_landmarks_of_a_test_subject_before_it_begins(tmp_path):
    """Nothing is prepared; landmarks of training subjects pass."""
    toys = toy_cohort(range(6))
    given = dataclasses.replace(toys, cases=tuple(dataclasses.replace(r, labels=tmp_path) for r in toys))
    spec = StudySpec(name="s", title="S", split={"kind": "holdout", "test": 0.4, "validation": 0.2})
    split = split_by_subject(given, test=0.4, validation=0.2, seed=spec.seed)
    for name in ("train", "validation", "test"):
        fit_landmarks(getattr(split, name)).save(tmp_path / f"{name}.json")
        matched = spec.prepare.model_copy(update={"intensity": HistogramSpec(landmarks=tmp_path / f"{name}.json")})
        settings = spec.model_copy(update={"prepare": matched})
        if name == "train":
            require_usable(settings, given)
            continue
        with pytest.raises(LeakageError, match="intensity landmarks was made from subjects"):
            require_usable(settings, given)


def test_landmarks_are_fitted_on_real_training_cases_only(tmp_path):
    """Synthetic cases and empty cohorts are refused."""
    scans = cohort(tmp_path)
    made = Lineage.synthetic("spade", {"c0": scans["c0"].lineage}, seed=0)
    mixed = Cohort("mixed", (dataclasses.replace(scans["c0"], lineage=made),), COMPLETE)
    with pytest.raises(CohortError, match=r"synthetic cases \['c0'\]; expected real training cases"):
        fit_landmarks(mixed)
    with pytest.raises(CohortError, match="no cases"):
        fit_landmarks(Cohort("none", (), COMPLETE))


def test_landmarks_that_lack_a_contrast_are_refused(landmarks):
    """The message says which one."""
    with pytest.raises(CaseError, match=r"landmarks of \['t1'\]; expected landmarks of \['t2'\] as well"):
        normalised({Modality.T2: image()}, BRAIN, HistogramSpec(landmarks=landmarks), "case")


@pytest.mark.parametrize("change", [{"landmarks": 3}, {"percentiles": [1]}, {"landmarks": {"t1": [0.0] * 11}}])
def test_a_file_of_something_else_is_no_landmarks(change, landmarks):
    """Wrong shapes, other percentiles and values that do not rise are refused."""
    landmarks.write_text(json.dumps(json.loads(landmarks.read_text()) | change))
    with pytest.raises(InputFileError, match=r"not landmarks .* fit them again"):
        Landmarks.load(landmarks)


def test_other_landmarks_are_another_preparation(landmarks, tmp_path):
    """A prepared case depends on the contents of the file, not only on its name."""
    scans = cohort(tmp_path / "scans", 1)
    spec = PrepareSpec(grid={"multiple": 1}, tissue=None, intensity=HistogramSpec(landmarks=landmarks))
    first = prepare(scans, spec, tmp_path / "one")
    fit_landmarks(cohort(tmp_path / "others", 2, power=2.0)).save(landmarks)
    second = prepare(scans, spec, tmp_path / "two")
    assert first["c0"].facts["prepared"]["key"] != second["c0"].facts["prepared"]["key"]
    landmarks.unlink()
    with pytest.raises(InputFileError, match=r"landmarks\.json: cannot be read"):
        prepare(scans, spec, tmp_path / "three")


@pytest.mark.parametrize("values", [{"low": 90, "high": 10}, {"ends": [-6, 1]}, {"ends": [1, 1]}])
def test_ranges_that_synthesizers_refuse_are_refused_at_once(values):
    """Ends lie within ±5 and rise."""
    with pytest.raises(SpecError, match="ends must rise within -5 to 5"):
        parse_spec({"intensity": {"kind": "percentile", **values}}, PrepareSpec)
