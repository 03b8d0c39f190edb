"""The filter on label maps, and the numbers it looks at."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core import COMPLETE, CaseError, CohortError, Geometry, LabelMap, LabelScheme
from glioforge.data.alike import slices_like
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.plausible_labels import PlausibleLabelsSpec
from glioforge.quality.label_measures import label_measures
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_labels

TRAIN = toy_cohort(range(20))
FITTED = fit_filter(PlausibleLabelsSpec(), TRAIN, seed=0)
SLICE = Geometry((16, 14, 1), np.diag([10.0, 10.0, 10.0, 1.0]))


def changed(change, seed=40):
    """A case whose labels were changed, judged."""
    case = toy_case(seed)
    voxels = case.labels.voxels.copy()
    change(voxels)
    return FITTED.assess(with_labels(replace(case, brain=None), voxels))


def test_real_cases_pass():
    """Of unseen real cases about the stated share is refused."""
    verdicts = [FITTED.assess(toy_case(seed)) for seed in range(40, 70)]

    assert sum(not v.keep for v in verdicts) <= 5
    assert all("limit of" in v.reason for v in verdicts)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v.__setitem__((slice(0, 3), slice(0, 3), slice(0, 3)), 4), "share of the brain apart from it"),
        (lambda v: v.__setitem__((slice(3, 6), slice(5, 8), slice(4, 7)), 3), "core without tumour around it"),
        (lambda v: np.place(v, v == 6, 4), "share of csf (log)"),
        (lambda v: np.place(v, np.isin(v, (4, 5)) & (np.indices(v.shape)[0] > 5), 2), "share of oedema (log)"),
        (lambda v: v.__setitem__((slice(5, 7), slice(5, 8), slice(4, 7)), 0), "share of holes in the brain"),
        (lambda v: np.place(v, np.indices(v.shape)[0] > 8, 0), "asymmetry of the brain"),
        (lambda v: v.__setitem__(Ellipsis, np.roll(v, 2, axis=1)), "of the brain along axis 1"),
        (lambda v: np.place(v, (v > 0) & (np.indices(v.shape).sum(0) % 2 > 0), 1), "unlike all neighbours"),
        (lambda v: v.__setitem__(Ellipsis, np.rint(ndimage.gaussian_filter(v.astype(float), 1))), "contact of"),
    ],
)
def test_what_is_wrong_is_named(change, reason):
    """Each planted fault is refused, and the measure that gives it away is among the first three."""
    verdict = changed(change)

    assert not verdict.keep
    assert reason in verdict.reason


def test_classes_are_compared_in_whatever_order_a_scheme_lists_them():
    """A scheme that was written and read again lists them by name."""
    case = toy_case(41)
    turned = replace(COMPLETE, labels=dict(sorted(COMPLETE.labels.items(), reverse=True)))
    other = replace(case, labels=replace(case.labels, scheme=turned))

    assert list(turned.labels) != list(COMPLETE.labels)
    assert FITTED.assess(other) == FITTED.assess(case)


def test_lesion_outside_the_brain_is_named():
    """Lesion voxels outside the case's own brain mask are refused."""
    case = toy_case(40)
    voxels = case.labels.voxels.copy()
    voxels[0:4, 0:4, 0:4] = 2

    assert "share of the lesion outside the brain" in FITTED.assess(with_labels(case, voxels)).reason


def test_the_order_of_a_schemes_labels_does_not_matter():
    """A map that was never written is judged as one that was read, whose scheme lists its labels by value."""
    case = toy_case(40)
    turned = replace(COMPLETE, labels=dict(reversed(COMPLETE.labels.items())))
    other = replace(case, labels=LabelMap(case.labels.voxels, case.labels.geometry, turned))

    assert FITTED.assess(other) == FITTED.assess(case)


def test_slices_are_judged_against_slices():
    """Real slices of unseen subjects pass limits of slices, those with specks do not, and a volume is no slice."""
    made = [replace(case, case_id=f"made-{n}") for n, case in enumerate(slices_like(toy_case(50), SLICE))]
    fitted = fit_filter(PlausibleLabelsSpec(), toy_cohort(range(6)), made=cohort_of_cases(made), seed=0)
    specks = [np.where(np.indices(m.geometry.shape).sum(0) % 2, 3, m.labels.voxels) for m in made]

    assert sum(fitted.assess(case).keep for case in made) >= 0.8 * len(made)
    assert not any(fitted.assess(with_labels(m, v)).keep for m, v in zip(made, specks, strict=True))
    assert "another plane" in fitted.assess(toy_case(50)).reason


def test_an_empty_map_is_refused():
    """Nothing is divided by zero, and the reason is plain."""
    case = toy_case(1)
    empty = with_labels(replace(case, brain=None), np.zeros(case.geometry.shape))

    assert FITTED.assess(empty).reason == "the label map is empty"
    assert all(np.isfinite(measure.value) for measure in label_measures(empty, COMPLETE))


def test_schemes_without_a_core_are_measured():
    """A scheme that knows no tumour core has none that lies apart."""
    scheme = LabelScheme("plain", {"background": 0, "tumour": 1})
    case = toy_case(1)
    labels = LabelMap((case.labels.lesion).astype(np.uint8), case.geometry, scheme)
    found = {m.name: m.value for m in label_measures(replace(case, labels=labels), scheme)}

    assert found["share of tumour core without tumour around it"] == 0


def test_an_unlabelled_case_is_refused():
    """A case without labels cannot be judged by them."""
    with pytest.raises(CaseError, match="no label map"):
        FITTED.assess(replace(toy_case(1), labels=None))


def test_an_empty_cohort_sets_no_limits():
    """Limits need real cases."""
    with pytest.raises(CohortError, match="0 training subjects for filter 'plausible_labels'; expected at least 3"):
        fit_filter(PlausibleLabelsSpec(), cohort_of_cases([]), seed=0)
