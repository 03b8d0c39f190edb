"""Promises of an augmentation study's settings: what would make its arms unfair is refused before anything runs."""

from pathlib import Path

import pytest

from glioforge.config.load import load_spec
from glioforge.core.errors import SpecError
from glioforge.studies.spec import AugmentationSpec

EXAMPLE = Path(__file__).parents[3] / "experiments" / "real_sample.yaml"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("synthesizer.select=true", "may not choose the generator too"),
        ("budgets.small.segmenter={steps: null, epochs: 3}", "arms are matched in steps"),
        ("budget=vast", "budget 'vast' is not among the budgets"),
    ],
)
def test_settings_that_make_arms_unfair_are_refused(override, message):
    """With the reason."""
    with pytest.raises(SpecError, match=message):
        load_spec(EXAMPLE, AugmentationSpec, [override])
