"""Preparation goes on where it stopped, rebuilds what is damaged, and gives the same bytes whoever works."""

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glioforge.compute.parallel import ParallelSpec
from glioforge.config.load import parse_spec, resolved_yaml
from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CaseError, CohortError, GeometryError, OutputError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation import pipeline
from glioforge.data.preparation.pipeline import GridSpec, PrepareSpec, prepare, prepare_case
from glioforge.data.preparation.resample import restore
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort
from strategies import cohort_of

T1, FLAIR = Modality.T1, Modality.FLAIR
SPEC = PrepareSpec(grid=GridSpec(multiple=4))


def head(name, seed=0, orientation="LPS", background=0.0, shape=(14, 16, 18)):
    """A scan of three nested tissues with an off-centre tumour, in any orientation."""
    rng = np.random.default_rng(seed)
    places = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
    radius = np.sqrt(((places / (np.array(shape) / 2 - 2)) ** 2).sum(axis=-1))
    brain = radius < 1
    t1 = np.select([radius > 0.85, radius > 0.6], [1.0, 2.0], 3.0) + rng.normal(0, 0.1, shape)
    flair = np.select([radius > 0.85, radius > 0.6], [1.0, 3.0], 2.5) + rng.normal(0, 0.1, shape)
    labels = np.zeros(shape, dtype=np.uint8)
    labels[8:11, 8:12, 8:12] = 2
    labels[9, 9:11, 9:11] = 4
    flair[labels > 0] += 2
    axes = tuple("RLAPSI".index(c) // 2 for c in orientation)
    flips = tuple(c in "LPI" for c in orientation)
    grid = Geometry.isotropic(shape, 5.0).permuted(axes, flips)

    def turned(voxels):
        return np.ascontiguousarray(voxels.transpose(axes)[tuple(slice(None, None, -1 if f else 1) for f in flips)])

    images = {
        m: Volume(turned(np.where(brain, v, background)).astype(np.float32), grid, m)
        for m, v in ((T1, t1), (FLAIR, flair))
    }
    facts = {"grade": "HGG"}
    return Case(name, name, images, Lineage.real("scan", name), LabelMap(turned(labels), grid, BRATS2017), facts=facts)


@dataclass(frozen=True)
class Heads:
    """Reads heads from nowhere; may break at one case, as a process does that is stopped."""

    format: ClassVar[str] = "heads"
    breaks_at: str = ""

    def __call__(self, ref: CaseRef, /) -> Case:
        """Make the head whose number the case id ends with."""
        if ref.case_id == self.breaks_at:
            raise KeyboardInterrupt
        number = int(ref.case_id[-1])
        return head(ref.case_id, number, ("LPS", "RAS", "PIL")[number % 3])


def heads(count, breaks_at=""):
    """A cohort of heads."""
    cohort = cohort_of(count)
    refs = (
        dataclasses.replace(
            r, case_id=f"h{n}", scheme="brats2017", reader=Heads(breaks_at), digest=f"digest {n}", labels=r.images[T1]
        )
        for n, r in enumerate(cohort)
    )
    return Cohort("heads", tuple(refs), BRATS2017)


def bytes_of(folder):
    """Every file of a prepared folder that tells nothing of the run itself."""
    return {
        p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"
    }


class Lines(Silent):
    """A progress that keeps what is said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        """Keep a line."""
        self.said.append(text)


def test_a_prepared_cohort_keeps_every_promise(tmp_path):
    """RAS, one shape, mean 0 and spread 1 in the brain, 0 outside, complete labels exactly in the brain."""
    prepared = prepare(heads(3), SPEC, tmp_path)
    assert read_cohort(tmp_path).fingerprint == prepared.fingerprint
    assert prepared.scheme == COMPLETE
    for ref in prepared:
        case = ref.load()
        assert case.geometry.orientation == "RAS"
        assert all(n % 4 == 0 for n in case.geometry.shape)
        assert np.array_equal(case.labels.voxels > 0, case.brain)
        for volume in case.images.values():
            inside = volume.voxels[case.brain]
            assert inside.mean() == pytest.approx(0, abs=1e-3)
            assert inside.std() == pytest.approx(1, abs=1e-3)
            assert not volume.voxels[~case.brain].any()
        assert ref.facts["grade"] == "HGG"
        assert ref.facts["tumour_ml"] == pytest.approx(48 * 0.125)
        assert ref.lineage.subjects == (ref.subject_id,)
    report = json.loads((tmp_path / "prepare.json").read_text())
    assert report["cases"]["h1"]["loss"]["WT"]["lesions_lost"] == 0
    assert report["cases"]["h1"]["volumes_ml"]["white_matter"] > 0


def test_left_stays_left_whatever_the_orientation():
    """The same head in three orientations becomes the same prepared case."""
    ras, lps, pil = (prepare_case(head("h", 0, o), SPEC, (T1, FLAIR), (16, 16, 16)) for o in ("RAS", "LPS", "PIL"))
    for other in (lps, pil):
        assert other.geometry.matches(ras.geometry)
        assert np.array_equal(other.labels.voxels, ras.labels.voxels)
        assert np.array_equal(other.images[T1].voxels, ras.images[T1].voxels)


def test_a_background_that_is_not_0_makes_no_difference():
    """Scans that were z-scored before have a negative background."""
    plain, shifted = (prepare_case(head("h", background=b), SPEC, (T1, FLAIR), (16, 16, 16)) for b in (0.0, -3.6))
    assert np.array_equal(plain.labels.voxels, shifted.labels.voxels)
    assert np.array_equal(plain.images[T1].voxels, shifted.images[T1].voxels)


def test_one_worker_or_two_give_the_same_bytes(tmp_path):
    """Every file is equal, byte for byte."""
    prepare(heads(3), SPEC, tmp_path / "one", parallel=ParallelSpec(workers=1))
    prepare(heads(3), SPEC, tmp_path / "two", parallel=ParallelSpec(workers=2))
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_a_stopped_preparation_goes_on_to_the_same_bytes(tmp_path):
    """Stopped at the third case and given again, it makes the same folder and no case twice."""
    whole = heads(3)
    fixed = PrepareSpec(grid=GridSpec(size=(16, 16, 20)))
    with pytest.raises(KeyboardInterrupt):
        prepare(heads(3, breaks_at="h2"), fixed, tmp_path / "stopped")
    before = (tmp_path / "stopped" / "cases" / "h0" / "case.json").stat().st_mtime_ns
    assert not (tmp_path / "stopped" / "cohort.json").exists()
    prepare(whole, fixed, tmp_path / "stopped")
    prepare(whole, fixed, tmp_path / "straight")
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "straight")
    assert (tmp_path / "stopped" / "cases" / "h0" / "case.json").stat().st_mtime_ns == before


def test_nothing_is_made_twice_and_damage_is_mended(tmp_path, monkeypatch):
    """A second call reads no scan; a damaged case is made again, with one line about it."""
    cohort = heads(2)
    first = prepare(cohort, SPEC, tmp_path)
    original = bytes_of(tmp_path)
    made = []
    real = pipeline.prepare_case
    monkeypatch.setattr(
        pipeline, "prepare_case", lambda case, *rest, **named: made.append(case.case_id) or real(case, *rest, **named)
    )
    assert prepare(cohort, SPEC, tmp_path) == first
    assert made == []
    path = tmp_path / "cases" / "h1" / "images.b2nd"
    path.write_bytes(path.read_bytes()[:-5])
    (tmp_path / "survey" / "h0.json").write_text("{}")
    lines = Lines()
    prepare(cohort, SPEC, tmp_path, progress=lines)
    assert made == ["h1"]
    assert [line for line in lines.said if "damaged" in line] == [
        line for line in lines.said if line.startswith("h1: damaged, made again")
    ]
    assert len([line for line in lines.said if "damaged" in line]) == 1
    assert bytes_of(tmp_path) == original


def test_a_changed_scan_is_prepared_anew(tmp_path):
    """The key of a case holds the digest of its files."""
    before = prepare(heads(1), SPEC, tmp_path)
    changed = Cohort("heads", (dataclasses.replace(heads(1).cases[0], digest="other"),), BRATS2017)
    after = prepare(changed, SPEC, tmp_path)
    assert after.cases[0].facts["prepared"]["key"] != before.cases[0].facts["prepared"]["key"]


def test_a_folder_made_with_other_settings_is_refused(tmp_path):
    """Two preparations never mix in one folder, and the message names what differs."""
    prepare(heads(1), SPEC, tmp_path)
    with pytest.raises(OutputError, match=r"spec\.tissue"):
        prepare(heads(1), PrepareSpec(grid=GridSpec(multiple=4), tissue=None), tmp_path)


@settings(max_examples=15)
@given(orientation=st.sampled_from(["RAS", "LPS", "PIL", "SLA"]), size=st.sampled_from([(16, 16, 20), (24, 20, 24)]))
def test_labels_go_back_voxel_for_voxel(orientation, size):
    """Without resampling, tumour labels come back to the scan's own grid unchanged."""
    case = head("h", 1, orientation)
    prepared = prepare_case(case, SPEC, (T1, FLAIR), size)
    back = restore(prepared.labels, prepared).to(BRATS2017)
    assert back.geometry == case.geometry
    assert np.array_equal(back.voxels, case.labels.voxels)


def test_resampling_halves_the_grid_and_goes_back_near(tmp_path):
    """At twice the spacing the grid is half as large, and the tumour comes back with a Dice above 0.6."""
    prepared = prepare(heads(1), PrepareSpec(grid=GridSpec(spacing_mm=10.0, multiple=1)), tmp_path)
    case = prepared.cases[0].load()
    assert case.geometry.spacing == pytest.approx((10, 10, 10))
    assert max(case.geometry.shape) <= 13
    source = heads(1).cases[0].load()
    back = restore(case.labels, prepared.cases[0])
    both = 2 * np.count_nonzero(back.lesion & source.labels.lesion)
    assert both / (np.count_nonzero(back.lesion) + np.count_nonzero(source.labels.lesion)) > 0.6


def test_steps_can_be_switched_off_and_contrasts_chosen():
    """Without normalisation intensities stay, without tissue only the tumour is labelled."""
    spec = PrepareSpec(intensity=None, tissue=None)
    case = head("h")
    prepared = prepare_case(case, spec, (FLAIR,), (16, 16, 20))
    assert prepared.modalities == (FLAIR,)
    assert prepared.images[FLAIR].voxels.max() == case.images[FLAIR].voxels.max()
    assert set(np.unique(prepared.labels.voxels)) == {0, 2, 3}


def test_a_case_without_labels_gets_tissue_and_says_so():
    """An unlabelled scan can be prepared for segmentation; its record tells that no tumour was labelled."""
    prepared = prepare_case(dataclasses.replace(head("h"), labels=None), SPEC, (T1, FLAIR), (16, 16, 20))
    assert prepared.facts["prepared"]["labelled"] is False
    assert prepared.facts["prepared"]["loss"] == {}
    assert not prepared.labels.lesion.any()
    assert np.array_equal(prepared.labels.voxels > 0, prepared.brain)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"grid": {"spacing_mm": 10.0}},
        {"grid": {"size": [16, 16, 20], "centre": "grid"}},
        {"intensity": {"kind": "percentile"}},
        {"tissue": {"kind": "bands", "reference": "flair"}},
    ],
)
def test_no_label_shapes_an_image(change, tmp_path):
    """Images, brain and grid of a case are the same bytes with its labels, without them, and with labels elsewhere."""
    labelled = head("h")
    elsewhere = np.zeros(labelled.geometry.shape, dtype=np.uint8)
    elsewhere[0, :3, 2:5] = 4
    spec = PrepareSpec.model_validate(change)
    made = []
    for number, labels in enumerate([labelled.labels, None, LabelMap(elsewhere, labelled.geometry, BRATS2017)]):
        case = dataclasses.replace(labelled, labels=labels)
        prepared = prepare_case(case, spec, (T1, FLAIR), spec.grid.size or (16, 16, 20))
        write_case(tmp_path / str(number), prepared)
        made.append((prepared, (tmp_path / str(number) / "h" / "images.b2nd").read_bytes()))
    (first, images), *others = made
    for prepared, data in others:
        assert data == images
        assert np.array_equal(prepared.brain, first.brain)
        assert prepared.geometry == first.geometry
        assert prepared.facts["prepared"]["intensity"] == first.facts["prepared"]["intensity"]


def test_tumour_outside_the_brain_is_told():
    """Its voxels lose their label, are counted, and a warning names the remedy."""
    case = head("h")
    labels = case.labels.voxels.copy()
    labels[0, 0, :2] = 4
    outside = dataclasses.replace(case, labels=LabelMap(labels, case.geometry, BRATS2017))
    prepared = prepare_case(outside, SPEC, (T1, FLAIR), (16, 16, 20))
    facts = prepared.facts["prepared"]
    assert facts["tumour_voxels_outside_brain"] == 2
    assert any(line.startswith("2 of 50 tumour voxels lie outside the brain mask") for line in facts["warnings"])
    assert np.array_equal(prepared.labels.voxels > 0, prepared.brain)


def test_a_grid_that_is_too_small_is_told(tmp_path):
    """What a given size cuts off is counted and said."""
    lines = Lines()
    spec = PrepareSpec(grid=GridSpec(size=(6, 16, 16)))
    prepared = prepare(heads(1), spec, tmp_path, progress=lines)
    assert prepared.cases[0].facts["prepared"]["brain_voxels_cut_off"] > 0
    assert any("brain voxels lie outside the grid" in line for line in lines.said)
    assert any("skull-stripped" in line for line in lines.said)


def test_cohorts_that_cannot_be_prepared_are_refused(tmp_path):
    """No cases, or contrasts that not every case has."""
    with pytest.raises(CohortError, match="no cases to prepare"):
        prepare(Cohort("none", (), BRATS2017), SPEC, tmp_path)
    with pytest.raises(CohortError, match="contrasts that every case has"):
        prepare(heads(1), PrepareSpec(modalities=(Modality.T2,)), tmp_path)


def test_only_prepared_cases_know_the_way_back():
    """A case of other origin, or a map on another grid, is refused."""
    case = head("h")
    with pytest.raises(CaseError, match="no record of preparation"):
        restore(case.labels, case)
    prepared = prepare_case(case, SPEC, (T1,), (16, 16, 20))
    with pytest.raises(GeometryError, match="label map to restore for h"):
        restore(case.labels, prepared)


@pytest.mark.parametrize(
    ("values", "spacing"),
    [({}, None), ({"grid": {"spacing_mm": 2}}, (2, 2, 2)), ({"grid": {"spacing_mm": [1, 2, 3]}}, (1, 2, 3))],
)
def test_specs_come_from_yaml(values, spacing):
    """Spacing is none, one number or three; the resolved YAML gives the same spec."""
    spec = parse_spec(values, PrepareSpec)
    assert spec.grid.spacing == spacing
    assert "keep_lesions_mm3" in resolved_yaml(spec)
