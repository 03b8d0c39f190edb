"""Complete label maps by a segmenter of tissue: tumour labels stay, tissue is found, subjects stand behind."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.cohort import Cohort
from glioforge.core.errors import LeakageError, SpecError
from glioforge.core.firewall import require_no_leak
from glioforge.core.modality import Modality
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.segmentation.base import SEGMENTERS, train_segmenter
from glioforge.segmentation.tissue import complete_cohort, complete_map, tissue_rows
from glioforge.training.budget import Budget
from toy_cohort import cohort_of_cases, toy_case, with_labels

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
BUDGET = Budget(steps=60, validate_every=30, checkpoint_every=60)


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


def trained(folder, target="tissue", steps=60):
    """A small U-Net of T1, trained on healthy toys."""
    values = {"kind": "unet", "widths": [8, 16], "target": target, "lesion_share": 0.0, "augment": None}
    spec = SEGMENTERS.parse({**values, "modalities": ["t1"]})
    train, validation = (cohort_of_cases([healthy(seed) for seed in seeds]) for seeds in ((1, 2, 3), (4,)))
    budget = BUDGET.model_copy(update={"steps": steps})
    return train_segmenter(spec, train, validation, folder, seed=1, budget=budget, accelerator=PLAIN)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    """Knows tissue from healthy brains."""
    return trained(tmp_path_factory.mktemp("tissue") / "model")


def bare(seed):
    """A tumour toy with T1 whose labels name the tumour alone."""
    case = toy_case(seed)
    return replace(
        case, images={Modality.T1: case.images[Modality.T1]}, labels=case.labels.to(BRATS2023), case_id=f"bare{seed}"
    )


def tumours():
    """Two tumour toys in the tumour's own scheme."""
    refs = tuple(replace(ref, scheme=BRATS2023.name) for ref in cohort_of_cases([bare(7), bare(8)]))
    return Cohort("tumours", refs, BRATS2023)


def test_tumour_labels_stay_and_tissue_is_found_around_them(segmenter):
    """Every voxel of the brain has a label; tissue is near the truth that the network never saw."""
    case, truth = bare(7), toy_case(7).labels
    made = complete_map(segmenter, case)
    tumour = truth.lesion
    assert made.scheme == COMPLETE
    assert np.array_equal(made.voxels[tumour], truth.voxels[tumour])
    assert np.array_equal(made.voxels > 0, case.brain)
    scores = {row.region: row.value for row in tissue_rows(made, truth)}
    assert set(scores) == {"white_matter", "grey_matter", "csf"}
    assert min(scores.values()) > 0.3
    assert np.mean(list(scores.values())) > 0.6


def test_a_case_without_labels_has_tissue_alone(segmenter):
    """Nothing lies over what the network says."""
    made = complete_map(segmenter, replace(bare(7), labels=None))
    assert not made.lesion.any()


def test_a_completed_cohort_can_be_read_and_leaks_nothing(segmenter, tmp_path):
    """The network's training subjects stand behind the cases; a second call makes nothing anew."""
    cohort = tumours()
    made = complete_cohort(segmenter, cohort, tmp_path / "out")
    assert made.scheme == COMPLETE
    assert [ref.case_id for ref in made] == ["bare7", "bare8"]
    assert made.cases[0].lineage.kind == "real"
    assert set(made.cases[0].lineage.subjects) == {"s07", *segmenter.lineage_subjects}
    loaded = made.cases[0].load()
    assert np.array_equal(loaded.labels.voxels, complete_map(segmenter, cohort.cases[0].load()).voxels)
    with pytest.raises(LeakageError):
        require_no_leak({"completed cases": made}, cohort_of_cases([toy_case(2)]))
    again = complete_cohort(segmenter, cohort, tmp_path / "out")
    assert again.fingerprint == made.fingerprint


def test_a_segmenter_of_tumours_cannot_complete(tmp_path):
    """Before anything is written."""
    other = trained(tmp_path / "model", "regions4", steps=2)
    with pytest.raises(SpecError, match="doesn't know white_matter, grey_matter, csf; expected target `tissue`"):
        complete_cohort(other, tumours(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
