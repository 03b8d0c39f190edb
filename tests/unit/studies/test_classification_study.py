"""A classification study from settings to report, small enough for seconds."""

import pytest
import yaml

from glioforge.core.errors import SpecError
from glioforge.io.tables import read_results
from glioforge.studies.engine import run_study
from glioforge.studies.question import load_study

BUDGET = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
TINY = {
    "kind": "classification",
    "name": "tiny",
    "title": "Does it help a classifier?",
    "seed": 3,
    "data": {"kind": "phantom", "cases": 6, "seed": 5, "phantom": {"shape": [32, 32, 24]}},
    "split": {"kind": "holdout", "test": 0.34, "validation": 0.17},
    "synthesizer": {"kind": "painted"},
    "classifier": {"widths": [4, 8]},
    "budget": "tiny",
    "budgets": {"tiny": {"seeds": 1, "synthetic_per_case": 1, "classifier": BUDGET}},
    "accelerator": {"threads": 1},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Folder of the study, run once."""
    place = tmp_path_factory.mktemp("classification")
    (place / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    run_study(load_study(place / "tiny.yaml"), place / "run")
    return place / "run"


def test_every_arm_is_scored_on_every_unseen_subject_by_its_own_training(study):
    """Arms differ: each is scored by its own weights."""
    rows = read_results(study)
    arms = {row.arm for row in rows}
    values = {arm: tuple(row.value for row in rows if row.arm == arm) for arm in arms}

    assert arms == {"augmented", "plain", "augmented+synthetic"}
    assert {row.metric for row in rows} == {"slice_auc"}
    assert all(len(found) == 2 for found in values.values())
    weights = {path.read_bytes() for path in study.glob("fold-0/classifiers/*/seed-0/model/weights.safetensors")}
    assert len(weights) == 3


def test_the_report_says_what_is_asked_and_what_was_found(study):
    """The page names the question, the arms and the reading."""
    page = (study / "report.html").read_text(encoding="utf-8")

    assert "Does the slice show tumour?" in page
    assert "augmented + synthetic" in page
    assert "2 phantoms: too few to conclude" in page


def test_an_arm_of_an_unknown_source_is_refused(tmp_path):
    """Named with those that are known."""
    arms = [{"name": "a", "title": "A"}, {"name": "b", "title": "B", "source": "elsewhere", "synthetic_share": 0.5}]
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({**TINY, "arms": arms}), encoding="utf-8")
    with pytest.raises(SpecError, match="elsewhere"):
        load_study(tmp_path / "wrong.yaml")
