"""The classifier: its answers, its batches, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glioforge.classification.batches import ClassifierBatches
from glioforge.classification.target import ClassifierSpec, grade_of, graded_by_parents, require_grades, shows_tumour
from glioforge.classification.train import asked, auc, load_classifier, train_classifier
from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.errors import CohortError
from glioforge.core.lineage import Lineage
from glioforge.nn.residual_unet import Classifier
from glioforge.segmentation.engine import Mix
from glioforge.training.budget import Budget
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

SPEC = ClassifierSpec(
    widths=(4, 8),
    batch_size=8,
    augment=None,
    ema=None,
    dropout=0.0,
    budget=Budget(steps=40, validate_every=20, checkpoint_every=40),
)
TRAIN, OTHERS = toy_cohort([1, 2, 3, 4]), toy_cohort([7, 8], "validation")


def graded(seeds, grades, name="graded"):
    """A cohort with known grades."""
    cohort = toy_cohort(seeds, name)
    cases = tuple(replace(ref, facts={**ref.facts, "grade": grade}) for ref, grade in zip(cohort, grades, strict=True))
    return replace(cohort, cases=cases)


def test_auc_agrees_with_a_count_of_pairs():
    """The share of pairs in which the one with the finding scores higher; ties count a half."""
    rng = np.random.default_rng(1)
    truth, score = rng.integers(0, 2, 60).astype(float), rng.integers(0, 9, 60).astype(float)
    pairs = score[truth == 1][:, None] - score[truth == 0][None]

    assert auc(truth, score) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert np.isnan(auc(np.ones(3), np.arange(3.0)))


def test_traces_of_tumour_answer_neither():
    """Below the least share, but above nothing."""
    np.testing.assert_array_equal(shows_tumour(np.array([0, 1, 5]), np.array([99, 99, 99]), 0.05), [0, np.nan, 1])


def test_batches_answer_what_their_slices_show():
    """Truth follows the labels of each slice, and about half of them show tumour."""
    batches = ClassifierBatches(Mix(TRAIN), TRAIN.modalities, SPEC, "tumour", 3)
    truths = [batches(step) for step in range(8)]

    share = np.mean([batch["truth"].mean().item() for batch in truths])
    assert 0.4 < share < 0.9
    assert all(batch["images"].shape[:2] == (8, 2) for batch in truths)
    assert {float(w) for batch in truths for w in batch["weight"]} <= {0.0, 1.0}


def test_each_grade_weighs_the_same():
    """Three of one grade and one of the other: weights times counts agree."""
    cohort = graded([1, 2, 3, 4], ["HGG", "HGG", "HGG", "LGG"])
    batches = ClassifierBatches(Mix(cohort), cohort.modalities, SPEC, "grade", 3)
    found = {}
    for step in range(6):
        batch = batches(step)
        found.update(zip(batch["truth"].tolist(), batch["weight"].tolist(), strict=True))

    assert found[1.0] * 3 == pytest.approx(found[0.0])


def test_synthetic_cases_have_the_grade_that_all_of_their_parents_have():
    """A lesion of another grade makes it unknown."""
    real = graded([1, 2, 3], ["HGG", "HGG", "LGG"])
    parents = [(0, 1), (0, 2), (2,)]
    cases = []
    for number, places in enumerate(parents):
        lineages = {real.cases[n].case_id: real.cases[n].lineage for n in places}
        cases.append(replace(toy_case(9), case_id=f"syn{number}", lineage=Lineage.synthetic("toy", lineages, seed=1)))
    found = graded_by_parents(cohort_of_cases(cases), real)

    assert [grade_of(ref) for ref in found] == pytest.approx([1.0, np.nan, 0.0], nan_ok=True)


def test_one_grade_alone_is_refused():
    """The message counts both."""
    with pytest.raises(CohortError, match="HGG: 2 subjects, LGG: 0 subjects"):
        require_grades(graded([1, 2], ["HGG", "HGG"]), "training")


def test_a_classifier_learns_to_find_tumour_in_unseen_subjects(tmp_path):
    """Better than chance by far after forty steps, and the same again from its file."""
    network, outcome = train_classifier(
        Mix(TRAIN), OTHERS, SPEC, "tumour", tmp_path / "run", seed=1, accelerator=AcceleratorSpec(threads=1)
    )
    test = toy_cohort([11, 12, 13], "test")
    values = [auc(a.truth, a.probability) for a in asked(network, test, TRAIN.modalities, SPEC, "tumour")]
    loaded = load_classifier(tmp_path / "run", TRAIN.modalities, SPEC)
    again = [auc(a.truth, a.probability) for a in asked(loaded, test, TRAIN.modalities, SPEC, "tumour")]

    assert outcome.steps == 40
    assert np.mean(values) > 0.8
    assert again == values


def test_every_parameter_gets_a_gradient_and_one_batch_is_learnt_by_heart():
    """The loss of a fixed batch falls to a tenth."""
    torch.manual_seed(0)
    network = Classifier(2, (4, 8, 8), dims=2, dropout=0.0)
    images, truth = torch.randn(8, 2, 16, 14), torch.tensor([0.0, 1.0] * 4)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(images), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert losses[-1] < losses[0] / 10
