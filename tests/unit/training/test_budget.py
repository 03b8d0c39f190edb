"""Promises of a budget: one length, in steps or in epochs, and never two."""

import pytest
from pydantic import ValidationError

from glioforge.config.load import parse_spec
from glioforge.core.errors import SpecError
from glioforge.studies.spec import StudyBudget
from glioforge.training.budget import Budget
from glioforge.training.loop import train
from toy_training import batch, fabric, recipe


def test_epochs_become_steps_and_bring_a_validation_each():
    """Foroozandeh & Eklund: 26,040 slices in batches of 8, 150 times; a validation at most an epoch apart."""
    paper = Budget.model_validate({"epochs": 150, "validate_every": 10_000})
    often = Budget.model_validate({"epochs": 2, "validate_every": 100})

    assert paper.in_steps(lambda: 3255).steps == 488_250
    assert paper.in_steps(lambda: 3255).validate_every == 3255
    assert often.in_steps(lambda: 3255).validate_every == 100
    assert Budget(steps=7).in_steps(lambda: 1 // 0) == Budget(steps=7)


def test_a_budget_survives_its_own_yaml():
    """All defaults written out, as a resolved configuration does."""
    for budget in (Budget(), Budget(steps=5), Budget.model_validate({"epochs": 3})):
        assert Budget.model_validate(budget.model_dump(mode="json")) == budget


@pytest.mark.parametrize("values", [{"steps": 1000, "epochs": 3}, {"steps": 0}])
def test_two_lengths_and_none_are_refused(values):
    """Also where a preset's epochs meet a user's steps: neither is dropped in silence."""
    with pytest.raises(SpecError, match="give one of them and set the other to null"):
        parse_spec(values, Budget)


def test_null_leaves_the_other_length():
    """As the message says, whichever of both a preset had."""
    assert Budget.model_validate({"steps": 50, "epochs": None}).steps == 50
    assert Budget.model_validate({"steps": None, "epochs": 2}).epochs == 2
    assert Budget.model_validate({"steps": None}) == Budget()


def test_a_loop_without_cases_to_count_and_arms_of_a_study_refuse_epochs(tmp_path):
    """What cannot be counted, or would train arms for different times."""
    with pytest.raises(SpecError, match="budget.epochs 2; expected a length in steps"):
        train(recipe(), batch, Budget(epochs=2), tmp_path, seed=1, fabric=fabric())
    with pytest.raises(ValidationError, match="arms are matched in steps"):
        StudyBudget.model_validate({"generator": {}, "segmenter": {"epochs": 2}})
