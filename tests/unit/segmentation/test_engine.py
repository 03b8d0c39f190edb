"""Tests of `segmentation.engine` and `segmentation.batches`: what is trained on, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, LeakageError, SpecError
from glioforge.core.firewall import require_no_leak
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.augment_spec import AugmentSpec
from glioforge.segmentation.batches import SegmenterBatches
from glioforge.segmentation.engine import Mix
from glioforge.segmentation.method import NetworkSpec
from glioforge.segmentation.target import class_shares, target_named
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

BOTH = (Modality.T1, Modality.FLAIR)


def child(parent, case_id="synthetic"):
    """A case made from another one, ten times as bright so that it can be told."""
    case = toy_case(parent)
    lineage = Lineage.synthetic("toy", {case.case_id: case.lineage}, seed=1, generator_subjects=["s01"])
    return replace(case, case_id=case_id, subject_id=case_id, lineage=lineage)


def batches(mix, **changes):
    """Batches of four slices without augmentation unless changed."""
    spec = NetworkSpec(**{"augment": None, "batch_size": 4, "lesion_share": 0.5, **changes})
    return SegmenterBatches(mix, BOTH, spec, dims=2, seed=1)


def test_a_slab_is_cut_in_training_and_only_from_slices():
    """Batches show the slices about the tumour alone; patches have none."""
    case = toy_case(1)
    voxels = np.zeros(case.labels.voxels.shape, np.uint8)
    voxels[:, :, 1:8] = 4
    voxels[3:5, 3:5, 3] = 1
    cohort = cohort_of_cases([replace(case, labels=case.labels.with_voxels(voxels), brain=voxels > 0)])
    drawn = batches(Mix(cohort), lesion_share=0.0, slab=1)(0)["labels"]
    assert (drawn == drawn[0]).all()
    assert drawn[0].unique().tolist() != batches(Mix(cohort), lesion_share=0.0)(0)["labels"].unique().tolist()[:1]
    with pytest.raises(SpecError, match="slab 4 for patches"):
        SegmenterBatches(Mix(cohort), BOTH, NetworkSpec(slab=4), dims=3, seed=1)


def test_real_cases_alone():
    """Share 0 uses the real cohort and nothing else."""
    real = toy_cohort([1, 2])
    assert Mix(real).used == (real,)


def test_a_share_of_one_leaves_the_real_cases_out():
    """And a share between uses both."""
    real, synthetic = toy_cohort([1, 2]), cohort_of_cases([child(1)], "made")
    assert Mix(real, synthetic, 1.0).used == (synthetic,)
    assert Mix(real, synthetic, 0.5).used == (real, synthetic)


@pytest.mark.parametrize(("cohort", "share"), [(None, 0.5), ("made", 0.0), ("made", 1.5), ("made", -0.1)])
def test_a_share_must_fit_the_synthetic_cohort(cohort, share):
    """No share without a cohort, no cohort without a share."""
    synthetic = None if cohort is None else cohort_of_cases([child(1)], cohort)
    with pytest.raises(SpecError, match=f"synthetic share {share} with synthetic cohort"):
        Mix(toy_cohort([1]), synthetic, share)


def test_contrasts_are_those_that_every_case_has():
    """In standard order, or as the settings name them."""
    mix, validation = Mix(toy_cohort([1, 2])), toy_cohort([3], "validation")
    assert mix.modalities(None, validation) == BOTH
    assert mix.modalities([Modality.FLAIR], validation) == (Modality.FLAIR,)


def test_a_contrast_that_a_case_lacks_is_named():
    """The message says which are there and which are missing."""
    with pytest.raises(CohortError, match=r"contrasts \['flair', 't1'\] .* expected also \['t2'\]"):
        Mix(toy_cohort([1])).modalities([Modality.T1, Modality.T2], toy_cohort([3]))


def test_no_common_contrast_is_refused():
    """A segmenter needs at least one."""
    one = cohort_of_cases([replace(toy_case(1), images={Modality.T1: toy_case(1).images[Modality.T1]})])
    other = cohort_of_cases([replace(toy_case(2), images={Modality.FLAIR: toy_case(2).images[Modality.FLAIR]})])
    with pytest.raises(CohortError, match="expected at least one"):
        Mix(one).modalities(None, other)


def test_an_empty_training_cohort_is_refused_but_validation_may_be_empty():
    """Then the contrasts are those of the training cases."""
    empty, some = Cohort("nobody", (), COMPLETE), toy_cohort([1])
    with pytest.raises(CohortError, match="nobody: no cases"):
        Mix(empty).modalities(None, some)
    assert Mix(some).modalities(None, empty) == some.modalities


def test_a_validation_subject_is_not_trained_on():
    """Named in the message."""
    with pytest.raises(LeakageError, match=r"training cohort 'train': case 's02-1' comes from \['s02'\]"):
        require_no_leak(Mix(toy_cohort([1, 2])).inputs, toy_cohort([2, 3], "validation"))


def test_a_child_of_a_validation_case_is_not_trained_on():
    """Even under a subject name of its own, and where the real cases are left out."""
    made = cohort_of_cases([child(3)], "made")
    with pytest.raises(LeakageError, match=r"training cohort 'made': case 'synthetic' comes from \['s03'\]"):
        require_no_leak(Mix(toy_cohort([1]), made, 1.0).inputs, toy_cohort([3], "validation"))


def test_real_cases_that_only_weigh_the_classes_count_as_seen():
    """No slice of them is drawn where the share is 1, but class weights are taken from them."""
    mix = Mix(toy_cohort([1, 2]), cohort_of_cases([child(5)], "train"), 1.0)

    with pytest.raises(LeakageError, match=r"training cohort 'train': case 's02-1' comes from \['s02'\]"):
        require_no_leak(mix.inputs, toy_cohort([2], "validation"))
    assert mix.lineage("unet", toy_cohort([3])).subjects == ("s01", "s02", "s03", "s05", "synthetic")


def test_validation_subjects_are_seen_in_a_way_of_their_own():
    """The message of the firewall tells them from training cases."""
    lineage = Mix(toy_cohort([1])).lineage("unet", toy_cohort([3], "validation"))

    assert lineage.ways == {"validation cases that chose the weights": ("s03",)}
    with pytest.raises(LeakageError, match=r"made from subjects \['s03'\] through validation cases that chose the"):
        require_no_leak({"segmenter": lineage}, toy_cohort([3], "test"))


def test_a_generator_chosen_by_the_validation_subjects_is_refused():
    """They stand behind its children by the firewall's rule, which is the same for every training."""
    case = child(1)
    chosen = replace(case, lineage=replace(case.lineage, subjects=("s01", "s03")))
    made = cohort_of_cases([chosen], "made")
    mix = Mix(toy_cohort([1]), made, 0.5)

    with pytest.raises(LeakageError, match=r"comes from \['s03'\]"):
        require_no_leak(mix.inputs, toy_cohort([3], "validation"))
    require_no_leak(mix.inputs, toy_cohort([2], "validation"))
    assert mix.lineage("unet", toy_cohort([2], "validation")).subjects == ("s01", "s02", "s03", "synthetic")


def test_a_batch_holds_images_and_classes():
    """Two contrasts, and classes 0-3 with normal tissue as class 0."""
    batch = batches(Mix(toy_cohort([1, 2])))(0)
    assert batch["images"].shape == (4, 2, 16, 14)
    assert batch["images"].dtype == torch.float32
    assert set(batch) == {"images", "labels", "brain"}
    assert set(batch["labels"].unique().tolist()) <= {0, 1, 2, 3}
    assert (batch["labels"] > 0).any()


@pytest.mark.parametrize("augment", [None, AugmentSpec()])
def test_a_step_gives_the_same_batch_again(augment):
    """Whatever was asked for in between, with and without augmentation."""
    source = batches(Mix(toy_cohort([1, 2])), augment=augment)
    first = source(5)
    source(6)
    again = source(5)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_augmentation_changes_the_batch():
    """It is applied where it is asked for."""
    plain, changed = batches(Mix(toy_cohort([1]))), batches(Mix(toy_cohort([1])), augment=AugmentSpec())
    assert not torch.equal(plain(0)["images"], changed(0)["images"])


def test_half_of_a_mixed_batch_is_synthetic():
    """Synthetic slices are told by their intensities."""
    case = child(1)
    images = {m: replace(v, voxels=np.where(v.voxels == 0, 0, 4).astype(np.float32)) for m, v in case.images.items()}
    made = cohort_of_cases([replace(case, images=images)], "made")
    for share, count in ((0.5, 2), (1.0, 4)):
        batch = batches(Mix(toy_cohort([2]), made, share), lesion_share=1.0)(3)
        bright = (batch["images"] > 3.9).float().mean(dim=(1, 2, 3)) > 0.1
        assert int(bright.sum()) == count


def test_slices_can_be_cut_to_a_size():
    """For cohorts whose grids differ."""
    assert batches(Mix(toy_cohort([1])), size=(8, 10))(0)["images"].shape == (4, 2, 8, 10)


def test_class_shares_sum_to_one_and_follow_the_labels():
    """Counted by hand; without a label map there is nothing to count."""
    cohort = toy_cohort([1])
    labels = toy_case(1).require_labels()
    shares = class_shares([cohort], target_named("regions4"))
    assert sum(shares) == pytest.approx(1)
    enhancing = np.count_nonzero(labels.region("ET"))
    assert shares[3] == pytest.approx(enhancing / labels.voxels.size)
    bare = replace(toy_case(1), labels=None)
    assert class_shares([cohort_of_cases([bare])], target_named("regions4")) == (0, 0, 0, 0)


def test_the_last_steps_may_draw_from_real_cases_alone():
    """From their share of the training on; of a synthetic-only mix too, whose real cases are then used."""
    real, synthetic = toy_cohort([1, 2]), cohort_of_cases([child(1)], "made")
    mix = Mix(real, synthetic, 1.0, 0.25)
    spec = NetworkSpec(augment=None, batch_size=4)
    drawn = SegmenterBatches(mix, BOTH, spec, dims=2, seed=1, steps=8)

    assert mix.used == (real, synthetic)
    pairs = [drawn._pairs.batch(step)["synthetic"] for step in range(8)]
    assert [bool(batch.all()) for batch in pairs] == [True] * 6 + [False] * 2
    assert not any(batch.any() for batch in pairs[6:])
    with pytest.raises(SpecError, match="real_steps 0.5"):
        Mix(real, real_steps=0.5)
