"""Complete label maps by a segmenter of tissue: tumour labels stay, tissue is found, numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import LeakageError, OutputError, SpecError
from glioforge.core.firewall import require_apart, require_no_leak
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023, BRATS2024, CARVER_BRAINMAP, COMPLETE, COMPLETE_CAVITY
from glioforge.core.split import split_by_subject
from glioforge.core.volume import Modality
from glioforge.io.cohort_file import read_cohort
from glioforge.io.run_folder import read_json
from glioforge.io.tables import read_results
from glioforge.segmentation.base import SEGMENTERS, train_segmenter
from glioforge.segmentation.tissue import (
    SUMMARY,
    check_rows,
    complete_cohort,
    complete_map,
    summary_of,
    tissue_rows,
    warnings_of,
)
from glioforge.training.budget import Budget
from toy_cohort import cohort_of_cases, toy_case, with_labels
from toy_training import Lines

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


def healthy(seed):
    """A toy without lesion, in labels and images, with T1 alone."""
    case = toy_case(seed)
    voxels = case.labels.voxels
    white = case.images[Modality.T1].voxels[voxels == 4]
    lesion = np.isin(voxels, COMPLETE.lesion_values)
    image = case.images[Modality.T1].voxels.copy()
    image[lesion] = np.resize(white, int(lesion.sum()))
    images = {Modality.T1: replace(case.images[Modality.T1], voxels=image)}
    return with_labels(replace(case, images=images), np.where(lesion, 4, voxels), case.case_id)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    """A small U-Net of T1 that learned tissue from healthy toys."""
    values = {"kind": "unet", "widths": [8, 16], "target": "tissue", "lesion_share": 0.0, "augment": None, "ema": 0.8}
    spec = SEGMENTERS.parse(
        {**values, "modalities": ["t1"], "optimizer": {"learning_rate": 0.01, "schedule": "constant"}}
    )
    train, validation = (cohort_of_cases([healthy(seed) for seed in seeds]) for seeds in ((1, 2, 3), (4,)))
    budget = Budget(steps=30, validate_every=30, checkpoint_every=30)
    folder = tmp_path_factory.mktemp("tissue") / "model"
    return train_segmenter(train, validation, spec, folder, seed=1, budget=budget, accelerator=PLAIN)


def bare(seed):
    """A tumour toy with T1 whose labels name the tumour alone."""
    case = toy_case(seed)
    return replace(
        case, images={Modality.T1: case.images[Modality.T1]}, labels=case.labels.to(BRATS2023), case_id=f"bare{seed}"
    )


def tumours(seeds=(7, 8)):
    """Tumour toys in the tumour's own scheme."""
    refs = tuple(replace(ref, scheme=BRATS2023.name) for ref in cohort_of_cases([bare(seed) for seed in seeds]))
    return Cohort("tumours", refs, BRATS2023)


@pytest.fixture(scope="module")
def made(segmenter, tmp_path_factory):
    """A completed cohort and its folder."""
    folder = tmp_path_factory.mktemp("made") / "out"
    return complete_cohort(segmenter, tumours((6, 7, 8)), folder), folder


def test_tumour_labels_stay_and_tissue_is_found_around_them(segmenter):
    """Every voxel of the brain has a label; tissue is near the truth that the network never saw."""
    case, truth = bare(7), toy_case(7).labels
    completed = complete_map(segmenter, case)
    tumour = truth.lesion
    assert completed.scheme == COMPLETE
    assert np.array_equal(completed.voxels[tumour], truth.voxels[tumour])
    assert np.array_equal(completed.voxels > 0, case.brain)
    scores = {row.region: row.value for row in tissue_rows(completed, truth)}
    assert set(scores) == {"white_matter", "grey_matter", "csf"}
    assert min(scores.values()) > 0.3
    assert np.mean(list(scores.values())) > 0.6


def test_a_case_without_labels_has_tissue_alone(segmenter):
    """Nothing lies over what the network says."""
    completed = complete_map(segmenter, replace(bare(7), labels=None))
    assert not completed.lesion.any()


def test_a_resection_cavity_is_laid_over_the_tissue(segmenter, tmp_path):
    """And a case without labels is in the scheme of its cohort."""
    old = bare(7)
    voxels = np.where(old.labels.voxels == 1, np.uint8(4), old.labels.voxels)
    operated = replace(old, labels=LabelMap(voxels, old.geometry, BRATS2024))
    cases = [operated, replace(bare(8), labels=None)]
    refs = tuple(replace(ref, scheme=BRATS2024.name) for ref in cohort_of_cases(cases))
    cohort = complete_cohort(segmenter, Cohort("operated", refs, BRATS2024), tmp_path / "out")
    first, second = (ref.load().require_labels() for ref in cohort)

    assert cohort.scheme == first.scheme == second.scheme == COMPLETE_CAVITY
    assert np.array_equal(first.region("RC"), operated.labels.region("RC"))
    assert not second.lesion.any()


def test_a_completed_cohort_can_be_read(segmenter, made):
    """Its cases are scans still; a second call makes nothing anew."""
    cohort, folder = made
    assert cohort.scheme == COMPLETE
    assert [(ref.case_id, ref.lineage.kind) for ref in cohort] == [(f"bare{seed}", "real") for seed in (6, 7, 8)]
    loaded = read_cohort(folder)["bare7"].load()
    assert np.array_equal(loaded.labels.voxels, complete_map(segmenter, bare(7)).voxels)
    before = {path: path.stat().st_mtime_ns for path in (folder / "cases").rglob("*.b2nd")}
    again = complete_cohort(segmenter, tumours((6, 7, 8)), folder)
    assert again.fingerprint == cohort.fingerprint
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with pytest.raises(OutputError, match="made with other settings"):
        complete_cohort(segmenter, tumours((6, 7)), folder)


def test_subjects_of_the_network_stand_behind_it_and_do_not_hold_its_sides_together(segmenter, made):
    """It can be split and trained on; a subject of the network must not be judged by what is."""
    cohort, _ = made
    assert set(cohort["bare7"].lineage.subjects) == {"s07", *segmenter.lineage_subjects}
    split = split_by_subject(cohort, test=0.3, validation=0.3, seed=1)
    require_apart({"training": split.train, "validation": split.validation, "test": split.test})
    with pytest.raises(LeakageError, match=r"\['s02'\] through segmenter of tissue"):
        require_no_leak({"completed cases": cohort}, cohort_of_cases([toy_case(2)]))


def test_numbers_of_every_case_lie_beside_the_cohort(made):
    """Volumes are those of the maps; without tissue labels of old there is no Dice."""
    cohort, folder = made
    rows = {(row.case_id, row.region, row.metric): row.value for row in read_results(folder)}
    labels = cohort["bare7"].load().labels
    assert rows["bare7", "csf", "volume"] == pytest.approx(labels.volume_ml("csf"))
    assert not any(metric == "dice" for _, _, metric in rows)
    summary = read_json(folder / SUMMARY)
    entry = next(score for score in summary["scores"] if score["region"] == "csf")
    volumes = [value for (_, region, metric), value in rows.items() if (region, metric) == ("csf", "volume")]
    assert (summary["cases"], entry["metric"], entry["cases"]) == (3, "volume", 3)
    assert entry["mean"] == pytest.approx(np.mean(volumes))


def test_tissue_labels_of_old_are_compared_with(segmenter, tmp_path):
    """Dice of the completed maps against those that the cases came with; a map without fluid is pointed at."""
    case = toy_case(7)
    dark = with_labels(case, np.where(case.labels.voxels == 6, 4, case.labels.voxels), "dark")
    bright = {Modality.T1: replace(case.images[Modality.T1], voxels=np.where(case.brain, 1.5, 0).astype(np.float32))}
    lines = Lines()
    complete_cohort(segmenter, cohort_of_cases([case, replace(dark, images=bright)]), tmp_path, progress=lines)
    rows = {(row.case_id, row.region): row.value for row in read_results(tmp_path) if row.metric == "dice"}
    truth = {row.region: row.value for row in tissue_rows(complete_map(segmenter, case), case.labels)}
    assert {region: value for (case_id, region), value in rows.items() if case_id == "s07-1"} == truth
    assert any(line.startswith("dark: no ") and "csf" in line for line in lines.lines)


def test_a_segmenter_of_tumours_cannot_complete(segmenter, tmp_path):
    """Before anything is written."""
    other = replace(segmenter, spec=segmenter.spec.model_copy(update={"target": "regions4"}))
    with pytest.raises(SpecError, match="doesn't know white_matter, grey_matter, csf; expected target `tissue`"):
        complete_cohort(other, tumours(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_hidden_tumour_does_not_change_the_tissue_found(segmenter, tmp_path):
    """Whatever intensities it has; without the option they do, and the option is part of the folder's settings."""
    case = bare(7)
    tumour = case.require_labels().lesion
    images = {
        m: replace(v, voxels=np.where(tumour, np.float32(-5), v.voxels).astype(np.float32))
        for m, v in case.images.items()
    }
    loud = replace(case, images=images)
    quiet, hidden = (complete_map(segmenter, one, mask_tumour=True).voxels for one in (case, loud))
    np.testing.assert_array_equal(quiet, hidden)
    assert (complete_map(segmenter, loud).voxels != complete_map(segmenter, case).voxels).any()
    cohort = tumours((7,))
    complete_cohort(segmenter, cohort, tmp_path / "out", mask_tumour=True)
    with pytest.raises(OutputError, match="mask_tumour"):
        complete_cohort(segmenter, cohort, tmp_path / "out")


GRID = Geometry.isotropic((10, 1, 1), 3.0)


def row_of_voxels(values, scheme=COMPLETE):
    """A brain that is one row of voxels of 3 mm."""
    return LabelMap(np.array(values, dtype=np.uint8).reshape(10, 1, 1), GRID, scheme)


def values_of(rows):
    """Values by region and metric."""
    return {(row.region, row.metric): row.value for row in rows}


MADE = row_of_voxels([0, 2, 3, 6, 4, 4, 5, 5, 5, 6])
FOUND = row_of_voxels([0, 6, 4, 6, 4, 4, 5, 5, 5, 6])


def test_volumes_and_ratios_are_those_of_the_made_map():
    """27 mm3 a voxel; fluid over all that is not background."""
    values = values_of(check_rows(MADE, FOUND))
    volumes = {name: value for (name, metric), value in values.items() if metric == "volume"}
    assert volumes == pytest.approx({"white_matter": 0.054, "grey_matter": 0.081, "csf": 0.054})
    assert values["brain", "grey_to_white"] == pytest.approx(1.5)
    assert values["brain", "csf_to_brain"] == pytest.approx(2 / 9)


def test_fluid_is_counted_beneath_the_tumour_around_it_and_elsewhere():
    """Half of the tumour is fluid to the network; of the rim of 5 mm, one voxel wide, all."""
    values = values_of(check_rows(MADE, FOUND))
    shares = {name: value for (name, metric), value in values.items() if metric == "csf_share"}
    assert shares == pytest.approx({"WT": 0.5, "rim": 1.0, "rest": 1 / 6})


def test_a_brain_without_tumour_has_no_fluid_at_one():
    """Nor a ratio to white matter that is not there."""
    bare = row_of_voxels([0, 5, 5, 5, 5, 5, 5, 5, 6, 6])
    assert {row.metric for row in check_rows(bare, bare)} == {"volume", "csf_to_brain"}


@pytest.mark.parametrize("scheme", [BRATS2023, CARVER_BRAINMAP])
def test_labels_without_tissue_classes_are_not_compared(scheme):
    """Tumour alone, or bands of intensity."""
    before = row_of_voxels(np.minimum(MADE.voxels.ravel(), 3), scheme)
    assert "dice" not in {row.metric for row in check_rows(MADE, FOUND, before)}


def test_tissue_that_came_with_the_case_is_compared():
    """One of four voxels of grey matter was white before."""
    before = row_of_voxels([0, 2, 3, 6, 4, 5, 5, 5, 5, 6])
    dice = {row.region: row.value for row in check_rows(MADE, FOUND, before) if row.metric == "dice"}
    assert dice == pytest.approx({"white_matter": 2 / 3, "grey_matter": 6 / 7, "csf": 1.0})


def test_a_plausible_map_needs_no_look():
    """Half of the tumour is not most of it."""
    assert warnings_of(check_rows(MADE, FOUND)) == []


def test_missing_tissue_and_a_tumour_like_fluid_are_pointed_at():
    """Each in a sentence."""
    made = row_of_voxels([0, 2, 3, 6, 4, 4, 4, 4, 4, 6])
    found = row_of_voxels([0, 6, 6, 6, 4, 4, 4, 4, 4, 6])
    lines = warnings_of(check_rows(made, found))
    assert lines[0] == "no grey_matter found"
    assert lines[1].startswith("100% of the tumour looks like fluid")


def test_a_summary_spans_the_cases_that_have_a_number():
    """Mean and extremes; cases without anything to look at are not listed."""
    bare = row_of_voxels([0, 5, 5, 5, 5, 5, 5, 5, 6, 6])
    summary = summary_of({"a": check_rows(MADE, FOUND), "b": check_rows(bare, bare)})
    scores = {(score["region"], score["metric"]): score for score in summary["scores"]}
    assert scores["csf", "volume"] == {
        "metric": "volume",
        "region": "csf",
        "cases": 2,
        "mean": 0.054,
        "min": 0.054,
        "max": 0.054,
    }
    assert scores["WT", "csf_share"]["cases"] == 1
    assert summary["warnings"] == {"b": ["no white_matter found"]}
    assert summary_of({}) == {"cases": 0, "scores": [], "warnings": {}}
