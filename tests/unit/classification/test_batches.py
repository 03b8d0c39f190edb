"""Slices without label maps: their answers, and batches that mix them with real slices."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.classification.batches import ClassifierBatches
from glioforge.classification.target import ClassifierSpec, graded_by_parents
from glioforge.core.errors import CohortError
from glioforge.segmentation.engine import Mix
from glioforge.studies.steps.noise import axial_slice
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

SPEC = ClassifierSpec(widths=(4, 8), batch_size=8, augment=None)
REAL = toy_cohort([1, 2, 3, 4])


def bare(facts):
    """Axial slices of toy heads without labels; the first contrast of each holds its number."""
    cases = []
    for number, own in enumerate(facts):
        case = toy_case(number)
        like, place = axial_slice(case.geometry), case.geometry.shape[2] // 2
        images = {m: replace(v, voxels=v.voxels[..., [place]], geometry=like) for m, v in case.images.items()}
        first = next(iter(images))
        images[first] = replace(images[first], voxels=np.full(like.shape, number, dtype=np.float32))
        cases.append(replace(case, case_id=f"s{number}", images=images, labels=None, brain=None, facts=own))
    cohort = cohort_of_cases(cases, "bare")
    return replace(cohort, cases=tuple(replace(ref, facts=own) for ref, own in zip(cohort, facts, strict=True)))


ASKED = bare([{"asked_tumour": "present"}] * 3 + [{"asked_tumour": "absent"}])


def test_slices_answer_what_was_asked_and_half_of_them_show_tumour():
    """However many there are of each answer, and whatever their pixels are."""
    batches = ClassifierBatches(Mix(REAL, ASKED, 1.0), REAL.modalities, SPEC, "tumour", 3)
    drawn = [batches(step) for step in range(4)]

    for batch in drawn:
        number = batch["images"][:, 0].amax(dim=(1, 2))
        np.testing.assert_array_equal(batch["truth"].numpy(), (number < 3).float().numpy())
        assert batch["truth"].sum() == 4
        assert (batch["weight"] == 1).all()


def test_a_batch_holds_real_slices_and_slices_from_noise_in_the_share_asked_for():
    """Real ones answer by their label maps, as without the others."""
    batches = ClassifierBatches(Mix(REAL, ASKED, 0.5), REAL.modalities, SPEC, "tumour", 3)
    batch = batches(0)

    assert batch["images"].shape[0] == 8
    assert (batch["truth"][:4].sum(), batch["weight"].sum()) != (0, 0)
    assert set(batch["images"][4:, 0].amax(dim=(1, 2)).tolist()) <= {0.0, 1.0, 2.0, 3.0}


def test_grades_of_real_cases_are_balanced_and_slices_from_noise_need_no_weights():
    """Three of four real cases are of high grade; slices keep the grade that they were made for."""
    grades = ("HGG", "HGG", "HGG", "LGG")
    cases = tuple(replace(ref, facts={**ref.facts, "grade": g}) for ref, g in zip(REAL, grades, strict=True))
    made = graded_by_parents(bare([{"grade": "HGG"}, {"grade": "LGG"}]), REAL)
    batches = ClassifierBatches(Mix(replace(REAL, cases=cases), made, 0.5), REAL.modalities, SPEC, "grade", 3)
    weights = np.concatenate([batches(step)["weight"].numpy().reshape(2, 4) for step in range(6)], axis=1)

    np.testing.assert_allclose(np.unique(weights[0]), [2 / 3, 2])
    assert set(weights[1].tolist()) == {1.0}


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        (ASKED.cases + REAL.cases[:1], "4 of 5 cases without a label map"),
        (bare([{"asked_tumour": "present"}, {}]).cases, "1 of 2 slices without label maps and answer"),
        (cohort_of_cases([replace(toy_case(1), labels=None)]).cases, "axial slices of one size"),
    ],
)
def test_slices_whose_answer_is_not_known_are_refused(cases, message):
    """Before anything is trained."""
    with pytest.raises(CohortError, match=message):
        ClassifierBatches(Mix(REAL, replace(ASKED, cases=cases), 0.5), REAL.modalities, SPEC, "tumour", 3)
