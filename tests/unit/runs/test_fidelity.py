"""A comparison of two cohorts: what it writes, what it refuses, and that it doesn't compare with subjects it knows."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import CaseError, CohortError, GeometryError, LeakageError, MetricError, OutputError
from glioforge.core.lineage import Lineage
from glioforge.core.preparation import PREPARATION
from glioforge.core.protocols import Silent
from glioforge.metrics.base import MetricRow
from glioforge.runs.fidelity import CSV, FIDELITY_JSON, fidelity, require_comparable, spaces_of, unseen
from glioforge.runs.fidelity_cases import Described, describe, reconstruction, require_likeness
from glioforge.runs.fidelity_numbers import FidelitySpec, unit_of
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images

QUICK = FidelitySpec(features=("random_convolution",), draws=20, permutations=99)
REAL = toy_cohort(range(20, 29), "held out")


def synthetic(seeds, change=np.copy, edits=()):
    """Toys that were made from the maps of other toys, with images changed."""
    cases = []
    for seed in seeds:
        case = with_images(toy_case(seed), change, f"syn{seed}")
        parents = {f"s{seed:02}-1": Lineage.real("toy", f"s{seed:02}")}
        lineage = Lineage.synthetic("toy", parents, seed=seed, edits=edits)
        cases.append(replace(case, subject_id=f"synthetic-{seed}", lineage=lineage))
    return cohort_of_cases(cases, "made")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The result for blurred toys against toys."""
    out = tmp_path_factory.mktemp("fidelity") / "out"
    made = synthetic(range(1, 9), lambda v: (v + np.roll(v, 1, axis=0) + np.roll(v, 1, axis=1)) / 3)
    return fidelity(made, REAL, out, spec=QUICK), json.loads((out / FIDELITY_JSON).read_text()), made


def test_table_json_and_page_are_written(written):
    """Every number has counts, interval and floor, and the page says how it was made."""
    page, found, _ = written
    names = [row["name"] for row in found["numbers"]]

    assert len(set(names)) == len(names)
    assert {"patches/sliced_wasserstein/0", "random_convolution/kid", "lesion/transport"} <= set(names)
    for row in found["numbers"]:
        assert row["subjects"] == found["subjects_a_side"] == 4
        assert np.isfinite([row[end] for end in ("value", "low", "high", "floor", "floor_low", "floor_high")]).all()
    assert found["extractors"][0]["digest"]
    assert (page.parent / CSV).read_text().count("\n") == len(names) + 1
    assert "Nearest real neighbours" in page.read_text()
    assert "shortcut: quantisation" in found["two_sample_tests"]
    assert len(found["neighbours"]) == 6


def test_blurred_images_lie_beyond_the_floor_and_their_maps_do_not(written):
    """The spectrum tells the blur; label statistics see none."""
    _, found, _ = written
    rows = {row["name"]: row for row in found["numbers"]}

    assert rows["spectrum/transport"]["value"] > rows["spectrum/transport"]["floor_high"]
    assert rows["labels/transport"]["value"] <= rows["labels/transport"]["floor_high"]


def test_a_finished_comparison_is_kept_and_another_is_refused(written):
    """The same command gives the same page; other settings in the same folder are an error."""
    page, _, made = written
    before = page.stat().st_mtime_ns

    assert fidelity(made, REAL, page.parent, spec=QUICK) == page
    assert page.stat().st_mtime_ns == before
    with pytest.raises(OutputError):
        fidelity(made, REAL, page.parent, spec=QUICK.model_copy(update={"seed": 2}))


def test_subjects_behind_the_synthetic_cases_are_left_out():
    """They are compared with only where that is asked for, or refused where too few others are left."""
    both = toy_cohort(range(1, 13), "all")
    made = synthetic(range(1, 5))

    assert unseen(made, both, training_subjects=False).subject_ids == tuple(f"s{n:02}" for n in range(5, 13))
    assert unseen(made, both, training_subjects=True) is both
    with pytest.raises(LeakageError, match=r"4 real subjects who did not contribute .* \(8 do\)"):
        unseen(synthetic(range(1, 9)), both, training_subjects=False)


def test_unlike_cohorts_are_refused():
    """Empty cohorts, other preparations and other contrasts can't be compared."""
    other = cohort_of_cases([replace(toy_case(n), facts={PREPARATION: "a"}) for n in (1, 2)])
    known = cohort_of_cases([replace(toy_case(n), facts={PREPARATION: "b"}) for n in (3, 4)])
    refs = lambda cohort, value: replace(  # noqa: E731 - a short word for references with a fact
        cohort, cases=tuple(replace(ref, facts={PREPARATION: value}) for ref in cohort)
    )
    with pytest.raises(CohortError, match="0 cases"):
        require_comparable(toy_cohort([]), REAL)
    with pytest.raises(CohortError, match="prepared with different settings"):
        require_comparable(refs(other, "a"), refs(known, "b"))


def test_an_encoder_and_its_cohort_go_together(tmp_path):
    """Neither a name without subjects nor subjects without the name; its subjects aren't compared."""
    spec = QUICK.model_copy(update={"features": ("encoder",), "encoder_steps": 1})
    made = synthetic(range(1, 9))
    with pytest.raises(CohortError, match="an encoder without training subjects"):
        spaces_of(spec, (made, REAL), None, tmp_path, Silent())
    with pytest.raises(CohortError, match="training subjects of no encoder"):
        spaces_of(QUICK, (made, REAL), toy_cohort([1]), tmp_path, Silent())
    with pytest.raises(LeakageError, match="trained on: s20"):
        spaces_of(spec, (made, REAL), toy_cohort([20]), tmp_path, Silent())
    assert list(tmp_path.iterdir()) == [], "nobody waits for a training that is refused"


def test_a_description_survives_its_file_and_refuses_an_empty_brain():
    """What is kept is what was measured."""
    case = toy_case(1)
    found = describe(case, (), case.modalities)
    again = Described.from_bytes(found.to_bytes())

    assert again.spaces == found.spaces
    assert (again.middle == found.middle).all()
    with pytest.raises(CaseError, match="an empty brain"):
        describe(replace(case, brain=np.zeros_like(case.brain_mask)), (), case.modalities)


def test_units_are_subjects_or_the_maps_behind():
    """Two images of one label map are one unit."""
    made = synthetic([1, 2]).cases
    again = replace(made[0], case_id="another")

    assert unit_of(made[0]) == unit_of(again) == "s01-1"
    assert unit_of(REAL.cases[0]) == "s20"


def test_pairs_are_unedited_cases_with_their_scan():
    """Equal images differ by nothing; edited maps have no scan."""
    scans = toy_cohort(range(1, 8))
    found = {
        (p.contrast, p.region, p.metric): p for p in reconstruction(synthetic(range(1, 8)), scans, REAL.modalities)
    }

    assert {region for _, region, _ in found} == {"brain", "lesion", "outside"}
    assert found["t1", "brain", "mse"].interval.estimate == 0
    assert found["t1", "lesion", "psnr"].interval.estimate == 100
    assert found["t1", "brain", "ssim"].to_json()["subjects"] == 7
    assert reconstruction(synthetic(range(1, 8), edits=({"kind": "scale"},)), scans, REAL.modalities) == ()


@pytest.mark.parametrize(("metric", "value", "broken"), [("mae", 9.0, "MAE ≤ RMSE"), ("psnr", 1.0, "PSNR of the MSE")])
def test_numbers_that_contradict_each_other_are_refused(metric, value, broken):
    """An error, not a table with an impossible row."""
    values = {"mse": 4.0, "rmse": 2.0, "mae": 1.0, "psnr": 10 * np.log10(25), "ssim": 0.5}
    require_likeness([MetricRow("brain", name, number, "") for name, number in values.items()], "case")
    with pytest.raises(MetricError, match=broken):
        require_likeness([MetricRow("brain", n, v, "") for n, v in {**values, metric: value}.items()], "case")


def test_other_grids_are_refused(tmp_path):
    """Patches of other slices aren't compared."""
    odd = [replace(case, case_id=f"odd{n}") for n, case in enumerate(toy_case(s) for s in range(1, 9))]
    cut = []
    for case in odd:
        geometry = case.geometry.box((0, 0, 0), (15, 14, 12))
        images = {m: replace(v, voxels=v.voxels[:15], geometry=geometry) for m, v in case.images.items()}
        labels = replace(case.require_labels(), voxels=case.require_labels().voxels[:15], geometry=geometry)
        cut.append(replace(case, images=images, labels=labels, brain=case.brain_mask[:15]))
    with pytest.raises(GeometryError, match="one grid"):
        fidelity(cohort_of_cases(cut), REAL, tmp_path / "out", spec=QUICK)
