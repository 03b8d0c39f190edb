"""Promises of the styles measured on training subjects, and on classes that no training case had."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import LabelError, SpecError
from glioforge.core.lineage import Lineage
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.synthesis.appearance import Appearance, class_indices
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.synthesis.compose import LabelCase, synthesize_cohort
from toy_cohort import MEANS, cohort_of_cases, toy_case, toy_labels
from toy_training import Lines

CONTRASTS = (Modality.T1, Modality.FLAIR)


@pytest.fixture(scope="module")
def appearance():
    """Three toy subjects."""
    return Appearance.of([toy_case(seed) for seed in (1, 2, 3)], CONTRASTS, COMPLETE)


def test_means_and_deviations_are_those_of_the_voxels(appearance):
    """Close to what the toys were painted with; background is 0."""
    expected = np.array([MEANS[m] for m in CONTRASTS]).T
    assert np.abs(appearance.means - expected)[:, 4:].max() < 0.5
    assert np.abs(appearance.deviations[:, 4:] - 0.5).max() < 0.15
    assert not appearance.means[:, 0].any()


def test_absent_classes_look_as_in_the_average_case():
    """A subject without a class takes the others' mean; one that nobody has is 0."""
    case = toy_case(1)
    healthy = np.where(np.isin(case.labels.voxels, (1, 2, 3)), 4, case.labels.voxels).astype(np.uint8)
    without = replace(case, labels=case.labels.with_voxels(healthy), case_id="h")
    both = Appearance.of([toy_case(2), without], CONTRASTS, COMPLETE)
    assert np.isnan(both.means[1, 2]).all()
    assert np.array_equal(both.own(1).means[2], both.own(0).means[2])
    assert not Appearance.of([without], CONTRASTS, COMPLETE).own(0).means[2].any()


def test_a_missing_contrast_looks_as_in_the_other_cases():
    """The contrast that a case has is its own; arrays keep the gap."""
    case = toy_case(1)
    bare = replace(case, images={Modality.T1: case.images[Modality.T1]}, case_id="b")
    mixed = Appearance.of([toy_case(2), bare], CONTRASTS, COMPLETE)
    assert np.isnan(mixed.means[1, 1:, 1]).all()
    assert np.array_equal(mixed.own(1).means[:, 1], mixed.own(0).means[:, 1])
    assert np.array_equal(mixed.own(1).means[:, 0], Appearance.of([case], CONTRASTS, COMPLETE).own(0).means[:, 0])
    assert np.isfinite(mixed.draw(stream(1), 1.0).means).all()
    again = Appearance.from_arrays(mixed.to_arrays())
    assert np.array_equal(again.means, mixed.means, equal_nan=True)


def test_drawn_styles_lie_between_subjects_and_repeat_with_the_seed(appearance):
    """Without jitter a drawn mean is within the subjects' range; draws differ."""
    drawn = [appearance.draw(stream(seed), jitter=0.0).means for seed in range(20)]
    low, high = appearance.means.min(axis=0) - 1e-9, appearance.means.max(axis=0) + 1e-9
    assert all(((low <= d) & (d <= high)).all() for d in drawn)
    assert np.array_equal(drawn[3], appearance.draw(stream(3), jitter=0.0).means)
    assert len({d.tobytes() for d in drawn}) > 10
    assert np.abs(appearance.draw(stream(3), jitter=1.0).means - drawn[3])[1:].min() > 0


def test_arrays_come_back(appearance):
    """Also where a class is absent."""
    appearance.means[0, 1] = appearance.deviations[0, 1] = np.nan
    again = Appearance.from_arrays(appearance.to_arrays())
    assert np.array_equal(again.means, appearance.means, equal_nan=True)
    assert np.array_equal(again.deviations, appearance.deviations, equal_nan=True)


def test_class_places_follow_the_scheme():
    """Rank of the integer, not the integer."""
    from glioforge.core.schemes import BRATS2017

    assert class_indices(np.array([0, 4, 2], np.uint8), BRATS2017).tolist() == [0, 3, 2]


def test_the_order_in_which_a_scheme_lists_its_names_changes_nothing():
    """A scheme that went through a file with sorted keys is equal, and gives equal classes and means."""
    listed = replace(COMPLETE, labels=dict(sorted(COMPLETE.labels.items())))
    assert listed == COMPLETE
    assert list(listed.labels) != list(COMPLETE.labels)
    voxels = np.arange(7, dtype=np.uint8)
    assert np.array_equal(class_indices(voxels, listed), class_indices(voxels, COMPLETE))
    means = [Appearance.of([toy_case(1)], CONTRASTS, scheme).means for scheme in (COMPLETE, listed)]
    assert np.array_equal(*means)


PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
REGRESSION = {"kind": "regression", "widths": (2, 4), "batch_size": 2, "budget": {"steps": 2}}
CONTROL = {"kind": "painted", "preset": "means"}


def low_grade(seed):
    """A toy subject without enhancing tumour."""
    case = toy_case(seed)
    voxels = np.where(case.labels.voxels == 3, 1, case.labels.voxels).astype(np.uint8)
    return replace(case, labels=case.labels.with_voxels(voxels))


def trained(folder, values, cases=None, progress=None):
    """A model of two subjects without enhancing tumour."""
    cohort = cohort_of_cases([low_grade(1), low_grade(2)] if cases is None else cases)
    return train_synthesizer(
        cohort, None, SYNTHESIZERS.parse(values), folder, seed=1, accelerator=PLAIN, progress=progress
    )


@pytest.mark.parametrize("values", [CONTROL, REGRESSION], ids=["control", "network"])
def test_a_class_that_no_training_case_had_is_refused_by_name(tmp_path, values):
    """Training warns of it; the error names class, voxels and case; the report says so."""
    lines, labels = Lines(), toy_labels(5)
    trained(tmp_path / "m", values, progress=lines)
    assert any(line.startswith("warning: no training case has enhancing: label maps with it") for line in lines.lines)
    model = load_synthesizer(tmp_path / "m", PLAIN)
    assert "no training case has enhancing" in model.facts["unseen classes"]
    count = int((labels.voxels == 3).sum())
    with pytest.raises(LabelError, match=rf"a label map with enhancing \({count} voxels\), which no training case had"):
        model.synthesize(labels, stream(1))
    maps = [LabelCase("s05-1", labels, {"s05-1": Lineage.real("toy", "s05")})]
    with pytest.raises(LabelError, match=r"s05-1: a label map with enhancing"):
        synthesize_cohort(model, maps, tmp_path / "out", name="made", seed=1)
    made = model.synthesize(low_grade(5).labels, stream(1))
    assert made[Modality.T1].voxels.any()


def test_a_stand_in_is_painted_in_its_place(tmp_path):
    """With the brightness of the class that is named, never 0."""
    lines, labels = Lines(), toy_labels(5)
    model = trained(tmp_path, {**CONTROL, "stand_ins": {"enhancing": "oedema"}}, progress=lines)
    assert "warning: no training case has enhancing (painted as oedema)" in lines.lines
    made = model.synthesize(labels, stream(1))[Modality.FLAIR].voxels
    assert made[labels.voxels == 3].mean() == pytest.approx(made[labels.voxels == 2].mean())
    assert made[labels.voxels == 3].mean() > 1


def test_unfit_stand_ins_are_refused_before_training(tmp_path):
    """Names that are no classes, and classes that were not seen either."""
    with pytest.raises(SpecError, match=r"stand_ins with \['enhancin'\]; expected classes of scheme 'complete'"):
        trained(tmp_path / "a", {**CONTROL, "stand_ins": {"enhancin": "oedema"}})
    with pytest.raises(SpecError, match=r"stand_ins that paint \['enhancing'\]; expected classes that training cases"):
        trained(tmp_path / "b", {**CONTROL, "stand_ins": {"oedema": "enhancing"}})
    assert not (tmp_path / "a" / "weights.safetensors").exists()


def test_a_class_of_a_few_voxels_is_seen():
    """Its mean is kept where no case has more of it, and left out where another has."""
    contrasts = (Modality.T1, Modality.FLAIR)
    case, rare = low_grade(1), low_grade(2)
    voxels = rare.labels.voxels.copy()
    voxels[7, 6, 6] = 3
    rare = replace(rare, labels=rare.labels.with_voxels(voxels))
    alone = Appearance.of([case, rare], contrasts, rare.labels.scheme)
    assert np.isnan(alone.means[0, 3]).all()
    assert alone.means[1, 3] == pytest.approx([rare.images[m].voxels[7, 6, 6] for m in contrasts])
    with_more = Appearance.of([rare, toy_case(3)], contrasts, rare.labels.scheme)
    assert np.isnan(with_more.means[0, 3]).all()


def test_painted_draws_a_class_too_small_to_be_divided(tmp_path):
    """Where no case has enough voxels of a class for its subclasses, the mean of the whole class is taken."""
    rare = low_grade(2)
    voxels = rare.labels.voxels.copy()
    voxels[7, 6, 4:8] = 3
    rare = replace(rare, labels=rare.labels.with_voxels(voxels))
    expected = rare.images[Modality.FLAIR].voxels[voxels == 3].mean()
    plain = {"kind": "painted", "width": 0, "scanner": None, "texture": 0}
    model = trained(tmp_path, plain, cases=[low_grade(1), rare])
    labels = toy_labels(5)
    made = model.synthesize(labels, stream(1))[Modality.FLAIR].voxels
    np.testing.assert_allclose(made[labels.voxels == 3], expected, atol=1e-5)
