"""Promises of a training run: sides are apart, and it can be estimated before it is begun."""

from dataclasses import replace

import pytest

from glioforge.core.cohort import Cohort
from glioforge.core.errors import LeakageError
from glioforge.core.lineage import Lineage
from glioforge.core.protocols import Silent
from glioforge.studies.training_run import TrainingRunSpec, estimate_training, run_training
from toy_cohort import toy_cohort

COMMON = {
    "budget": {"steps": 6, "validate_every": 3, "checkpoint_every": 3},
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}
SPADE = {"kind": "spade", "ngf": 2, "hidden": 4, "critic_width": 2, "critic_layers": 2, "batch_size": 2}
UNET = {"kind": "unet", "widths": [4, 8], "batch_size": 2}


def spec(**model):
    """A run of one model."""
    return TrainingRunSpec.model_validate({**COMMON, **model})


def test_synthesizer_and_segmenter_are_estimated_without_a_trace(tmp_path, monkeypatch):
    """Both networks of the one, the network and its average of the other."""
    monkeypatch.chdir(tmp_path)
    cohort = toy_cohort(range(6))
    made = estimate_training(spec(synthesizer=SPADE), cohort)
    assert {"generator", "critic"} <= set(made.parameters)
    assert made.shapes["images"][:2] == (2, 2)
    segmenter = estimate_training(spec(segmenter=UNET), cohort)
    assert set(segmenter.parameters) == {"network", "average"}
    assert segmenter.validation_s > 0
    assert segmenter.activations > segmenter.weights
    assert estimate_training(spec(synthesizer={"kind": "class_intensity"}), cohort) is None
    assert list(tmp_path.iterdir()) == []


def test_a_case_made_from_a_subject_of_another_side_stops_the_run(tmp_path):
    """Synthetic cases are no subjects of their own: their parents count."""
    cohort = toy_cohort(range(6))
    parents = {ref.case_id: ref.lineage for ref in cohort}
    first = next(iter(cohort))
    made = replace(first, case_id="made-1", subject_id="made-1", lineage=Lineage.synthetic("spade", parents, seed=1))
    mixed = Cohort("mixed", (*cohort, made), cohort.scheme)
    with pytest.raises(LeakageError, match="made-1"):
        run_training(spec(segmenter=UNET), mixed, tmp_path, tmp_path / "out", progress=Silent())
    assert not (tmp_path / "out").exists()
