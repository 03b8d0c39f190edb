"""Promises of a model's records: the same through Python as through the command line."""

import json
from dataclasses import replace

import pytest

from glioforge.core.errors import InputFileError
from glioforge.core.split import split_by_subject
from glioforge.data.preparation.record import PREPARATION, SPLIT, copy_preparation
from glioforge.runs.train import TrainingRunSpec, run_training
from glioforge.segmentation.base import train_segmenter
from glioforge.segmentation.method import SEGMENTERS
from glioforge.synthesis.base import train_synthesizer
from glioforge.synthesis.method import SYNTHESIZERS
from toy_cohort import toy_cohort

RUN = {
    "budget": {"steps": 1, "validate_every": 1},
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}
MODELS = {"segmenter": {"kind": "unet", "widths": [4, 8], "batch_size": 2}, "synthesizer": {"kind": "painted"}}


@pytest.mark.parametrize("family", sorted(MODELS))
def test_a_model_trained_through_python_has_the_records_of_the_command_line(tmp_path, family):
    """Files of the same names and bytes; the command line knows the test subjects as well."""
    (tmp_path / "prepare.json").write_text(json.dumps({"key": {"spec": {"grid": {"spacing_mm": 3.0}}}}))
    cohort = replace(toy_cohort(range(6)), folder=tmp_path)
    run = TrainingRunSpec.model_validate({**RUN, family: MODELS[family]})
    run_training(cohort, run, tmp_path / "verb")
    split = split_by_subject(cohort, test=run.test, validation=run.validation, seed=run.seed)
    how = {"seed": run.seed, "accelerator": run.accelerator}
    if family == "segmenter":
        spec = SEGMENTERS.parse(MODELS[family])
        train_segmenter(split.train, split.validation, spec, tmp_path / "python", budget=run.budget, **how)
    else:
        spec = SYNTHESIZERS.parse({**MODELS[family], "budget": RUN["budget"]})
        train_synthesizer(split.train, split.validation, spec, tmp_path / "python", **how)
    names = [sorted(path.name for path in (tmp_path / place).iterdir()) for place in ("verb", "python")]
    assert names[0] == names[1]
    for name in (PREPARATION, "preparation.yaml"):
        assert (tmp_path / "verb" / name).read_bytes() == (tmp_path / "python" / name).read_bytes()
    verb, python = (json.loads((tmp_path / place / SPLIT).read_text()) for place in ("verb", "python"))
    assert {**python, "test": list(split.test.subject_ids)} == verb


def test_a_damaged_record_is_an_error_and_a_cohort_in_memory_has_none(tmp_path):
    """Nothing is written for a cohort that no folder holds."""
    copy_preparation(toy_cohort([1]), tmp_path / "model")
    assert not (tmp_path / "model").exists()
    (tmp_path / "prepare.json").write_text("[]")
    with pytest.raises(InputFileError, match="a record of a preparation without"):
        copy_preparation(replace(toy_cohort([1]), folder=tmp_path), tmp_path / "model")
