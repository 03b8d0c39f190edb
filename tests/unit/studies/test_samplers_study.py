"""A study of samplers of slices: its plan, its settings, and the whole way in seconds."""

import pytest
import yaml

from glioforge.core import SpecError
from glioforge.io.cohort_file import read_cohort
from glioforge.io.tables import read_results
from glioforge.studies.comparing import SamplersSpec
from glioforge.studies.engine import run_study
from glioforge.studies.question import load_study, planned
from toy_study import toy_fold

SMALL = {"size": 32, "width": 4, "batch_size": 4}
BUDGET = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
TINY = {
    "kind": "samplers",
    "name": "tiny",
    "title": "How near?",
    "seed": 3,
    "data": {"kind": "phantom", "cases": 6, "seed": 5, "phantom": {"shape": [40, 40, 32]}},
    "split": {"kind": "holdout", "test": 0.3, "validation": 0.2},
    "seeds": 1,
    "count": 5,
    "methods": {
        "plain": {"title": "Plain", "sampler": {"kind": "dcgan", "modalities": ["t1"], **SMALL}, "budget": BUDGET},
        "pooled": {
            "sampler": {"kind": "wgan", "modalities": ["t1", "flair"], "pooled": True, **SMALL},
            "budget": BUDGET,
        },
    },
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}


def test_slices_are_compared_once_their_sampler_is_trained(tmp_path):
    """With the settings by which it cuts slices, under its own budget."""
    tasks = planned(SamplersSpec.model_validate(TINY), [toy_fold(tmp_path)])

    assert [task.kind for task in tasks] == ["sampler", "slices", "sampler", "slices"]
    assert tasks[1].needs == (tasks[0].name,)
    assert tasks[1].key["sampler"].budget.steps == 2
    assert tasks[1].evaluates
    assert not tasks[0].evaluates


def test_a_sampler_of_label_maps_is_refused(tmp_path):
    """It makes no images."""
    wrong = {**TINY, "methods": {"maps": {"sampler": {"kind": "label_vae"}}}}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    with pytest.raises(SpecError, match="label_vae makes no slices"):
        load_study(tmp_path / "wrong.yaml")


@pytest.mark.slow
def test_the_whole_way(tmp_path):
    """Every distance has its floor, and the slices stay for readers."""
    run_study(SamplersSpec.model_validate(TINY), tmp_path / "run")
    arms = {row.arm for row in read_results(tmp_path / "run")}
    slices = tmp_path / "run" / "fold-0" / "slices" / "plain" / "seed-0"

    assert arms == {"plain", "plain, training slices", "pooled", "pooled, training slices"}
    assert [len(read_cohort(slices / name)) for name in ("made", "unseen", "seen")] == [5, 5, 5]
    assert set(read_cohort(slices / "seen").subject_ids).isdisjoint(read_cohort(slices / "unseen").subject_ids)
