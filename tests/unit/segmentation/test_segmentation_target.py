"""Tests of `segmentation.target`: classes, channels, scores, labels from probabilities, and views of one head."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glioforge.core.errors import CohortError, LabelError, SpecError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap, LabelScheme
from glioforge.core.schemes import (
    BIDS_TISSUE,
    BRATS2017,
    BRATS2023,
    COMPLETE,
    COMPLETE_CAVITY,
    GUO2020,
    SCHEMES,
    TUMOUR,
)
from glioforge.core.volume import Modality
from glioforge.data.augment_spec import AugmentSpec
from glioforge.data.pairs import SlicePairs
from glioforge.segmentation.target import (
    ORDER,
    VIEWS,
    augment_for,
    class_shares,
    own_size,
    put_back,
    seen,
    seen_batch,
    target_named,
)
from toy_cohort import SHAPE, cohort_of_cases, toy_case, toy_cohort, with_labels

TARGETS = ("regions4", "complete", "tumour", "tissue", "nested", "guo2020", "brats2017", "brats2024")


def healthy(seed=1):
    """A toy whose lesion is white matter."""
    voxels = toy_case(seed).require_labels().voxels
    return with_labels(toy_case(seed), np.where(np.isin(voxels, (1, 2, 3)), 4, voxels), f"healthy{seed}")


@pytest.mark.parametrize(
    ("name", "scheme", "channels"),
    [
        ("regions4", BRATS2023, ("background", "necrotic_core", "oedema", "enhancing")),
        ("tumour", TUMOUR, ("background", "tumour")),
        ("tissue", BIDS_TISSUE, ("background", "grey_matter", "white_matter", "csf")),
        ("nested", BRATS2023, ("WT", "TC", "ET")),
        ("guo2020", GUO2020, ("background", "brain", "oedema", "resection_cavity", "tumour")),
        ("complete", COMPLETE, tuple(COMPLETE.labels)),
    ],
)
def test_a_target_names_its_scheme_and_channels(name, scheme, channels):
    """In the order of the scheme's integers, or from the outside in."""
    target = target_named(name)
    assert target.scheme is scheme
    assert target.channels == channels


def test_an_unknown_target_is_answered_with_the_known_ones():
    """Targets and schemes."""
    with pytest.raises(SpecError, match=r"target 'regions'; expected one of \['nested', 'regions4', 'tissue'\]"):
        target_named("regions")


@pytest.mark.parametrize(
    ("name", "scored"),
    [
        ("regions4", ("WT", "TC", "ET")),
        ("nested", ("WT", "TC", "ET")),
        ("complete", ("WT", "TC", "ET", "white_matter", "grey_matter", "csf")),
        ("tumour", ("WT",)),
        ("tissue", ("grey_matter", "white_matter", "csf")),
        ("guo2020", ("WT", "TC", "RC", "brain")),
    ],
)
def test_validation_scores_the_regions_and_tissues_that_the_scheme_has(name, scored):
    """Each set of labels once."""
    assert target_named(name).scored == scored


@pytest.mark.parametrize("name", TARGETS)
def test_the_truth_comes_back_from_probabilities_that_are_sure(name):
    """Cohort's labels to classes, to channels, and back to labels of the target's scheme."""
    target = target_named(name)
    case = healthy() if name == "tissue" else toy_case(1)
    labels = case.require_labels()
    classes = target.classes_from(labels.scheme)[labels.voxels]
    sure = target.members()[:, classes].astype(np.float32)
    truth = target.truth(labels)
    assert np.array_equal(target.decode(sure, case.brain), truth.voxels)
    assert truth.scheme == target.scheme
    for region in {"WT", "TC"} & set(target.scheme.regions):
        assert np.array_equal(truth.region(region), labels.region(region))


def test_classes_are_numbered_without_gaps():
    """Enhancing tumour is integer 4 of BraTS 2017 and class 3."""
    target = target_named("brats2017")
    assert target.classes_from(BRATS2017)[[0, 1, 2, 4]].tolist() == [0, 1, 2, 3]
    assert target.decode(np.eye(4, dtype=np.float32)[:, :, None, None], np.ones((4, 1, 1), bool)).max() == 4


def test_every_scheme_of_cases_has_classes():
    """Of its own, and for the whole tumour alone."""
    for scheme in SCHEMES.values():
        target = target_named(scheme.name)
        assert sorted(set(target.classes_from(scheme).tolist())) == list(range(len(scheme.labels)))
    assert target_named("tumour").classes_from(COMPLETE)[:7].tolist() == [0, 1, 1, 1, 0, 0, 0]


def test_nested_regions_count_inside_the_whole_tumour_only():
    """A core beyond the whole tumour is nothing; enhancement wins over core."""
    probabilities = np.array([[0.4, 0.6, 0.6, 0.6], [0.9, 0.2, 0.9, 0.9], [0.9, 0.1, 0.4, 0.5]], dtype=np.float32)
    found = target_named("nested").decode(probabilities.reshape(3, 4, 1, 1), np.ones((4, 1, 1), bool))
    assert found.ravel().tolist() == [0, 2, 1, 3]


def test_nothing_is_found_outside_the_brain():
    """Whatever the probabilities."""
    sure = np.zeros((4, 2, 1, 1), dtype=np.float32)
    sure[3] = 1
    assert target_named("regions4").decode(sure, np.array([[[True]], [[False]]])).ravel().tolist() == [3, 0]


def test_probabilities_sum_to_one_or_stand_alone():
    """Classes exclude each other, regions do not."""
    logits = torch.randn(2, 4, 3, 3)
    assert torch.allclose(target_named("regions4").probabilities(logits).sum(dim=1), torch.ones(2, 3, 3))
    assert torch.equal(target_named("nested").probabilities(logits[:, :3]), logits[:, :3].sigmoid())


def test_tissue_is_learned_from_brains_without_a_lesion():
    """A case with a tumour is named; a healthy one is taken."""
    target = target_named("tissue")
    with pytest.raises(CohortError, match=r"cases with a lesion: s01-1; expected brains without one"):
        target.require_usable(toy_cohort([1]))
    target.require_usable(cohort_of_cases([healthy()]))
    target.require_usable(cohort_of_cases([replace(toy_case(1), labels=None)]))


def test_a_lesion_that_the_target_cannot_express_is_refused():
    """A lesion of another kind has no place among the four classes."""
    scheme = LabelScheme("bleeding", {"background": 0, "haemorrhage": 1})
    labels = LabelMap(np.full((2, 2, 2), 1, np.uint8), Geometry.isotropic((2, 2, 2)), scheme)
    with pytest.raises(LabelError, match="label 'haemorrhage' of scheme 'bleeding'"):
        target_named("regions4").truth(labels)


def test_class_shares_are_those_of_the_target():
    """Two classes: tumour and the rest."""
    labels = toy_case(1).require_labels()
    expected = np.count_nonzero(labels.lesion) / labels.voxels.size
    assert class_shares([toy_cohort([1])], target_named("tumour"))[1] == pytest.approx(expected)


def test_a_resection_cavity_is_a_class_where_the_target_names_it():
    """Else fluid, or background: it belongs to no tumour."""
    source, value = COMPLETE_CAVITY, COMPLETE_CAVITY.value("resection_cavity")
    found = {}
    for name in ("guo2020", "complete_cavity", "complete", "regions4", "nested", "tumour"):
        target = target_named(name)
        found[name] = target.classes[target.classes_from(source)[value]]

    assert found == {
        "guo2020": "resection_cavity",
        "complete_cavity": "resection_cavity",
        "complete": "csf",
        "regions4": "background",
        "nested": "background",
        "tumour": "background",
    }
    assert target_named("guo2020").scored == ("WT", "TC", "RC", "brain")
    assert target_named("guo2020").scored_without(["resection_cavity"]) == ("WT", "TC", "brain")


@pytest.mark.parametrize("view", VIEWS)
def test_putting_back_undoes_seeing(view):
    """For any number of axes before the three."""
    for shape in ((2, 3, 4), (5, 2, 3, 4)):
        voxels = np.arange(np.prod(shape)).reshape(shape)
        assert np.array_equal(put_back(seen(voxels, view), view), voxels)
        assert np.array_equal(seen_batch(torch.from_numpy(voxels), view).numpy(), seen(voxels, view))


@pytest.mark.parametrize("view", VIEWS)
def test_the_last_axis_is_cut_as_slices_are(view):
    """`data.pairs` gives the same slices as looking along the last axis of a view."""
    labels = toy_case(1).require_labels().voxels
    cut = SlicePairs(toy_cohort([1]), (Modality.T1,), axis=ORDER[view][2], batch_size=1, seed=0).take([(0, 6)])
    assert np.array_equal(cut["labels"][0].numpy(), seen(labels, view)[..., 6])


@pytest.mark.parametrize("view", VIEWS)
def test_the_size_in_a_view_is_brought_to_the_heads_axes(view):
    """A box of that size, seen in the view, has the size asked for."""
    assert seen(np.zeros(own_size((4, 5, 6), view)), view).shape == (4, 5, 6)
    assert own_size(seen(np.zeros(SHAPE), view).shape, view) == SHAPE


def test_flips_are_about_the_same_axes_of_the_head():
    """Left and right is the first axis of axial and coronal stacks and the last of sagittal ones."""
    spec = AugmentSpec(flip_x=0.5, flip_y=0.1, flip_z=0.2)
    chances = {view: (s.flip_x, s.flip_y, s.flip_z) for view in VIEWS for s in [augment_for(spec, view)]}
    assert chances == {"axial": (0.5, 0.1, 0.2), "coronal": (0.5, 0.2, 0.1), "sagittal": (0.1, 0.2, 0.5)}
    assert augment_for(spec, "coronal").elastic == spec.elastic
