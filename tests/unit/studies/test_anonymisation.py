"""An anonymisation study: its plan, its settings, draws of one map, and the whole way in seconds."""

import json

import numpy as np
import pytest
import yaml

from glioforge.core import SpecError
from glioforge.io.tables import read_results
from glioforge.studies.engine import run_study
from glioforge.studies.question import load_study, planned
from glioforge.studies.sourced import AnonymisationSpec
from glioforge.studies.steps.audit import draws_apart
from toy_study import toy_fold

BUDGET = {"steps": 4, "validate_every": 2, "checkpoint_every": 2}
MOVED = {"name": "moved", "attempts": 12, "steps": [{"edit": {"kind": "scale", "volume_factor": [0.5, 0.7]}}]}
PAINT = {"kind": "synthesizer", "synthesizer": {"kind": "painted"}}
TINY = {
    "kind": "anonymisation",
    "name": "tiny",
    "title": "Back to the donor?",
    "seed": 3,
    "data": {"kind": "phantom", "cases": 8, "seed": 5, "phantom": {"shape": [40, 40, 32]}},
    "split": {"kind": "holdout", "test": 0.5, "validation": 0.15},
    "prepare": {"tissue": {"kind": "mixture"}},
    "sources": {"own": PAINT, "edited": {**PAINT, "recipe": MOVED}},
    "routes": {"own": "Own map", "edited": "Shrunken lesion"},
    "audit": {"planted": 2},
    "budgets": {"small": {"generator": BUDGET, "segmenter": BUDGET, "seeds": 1, "synthetic_per_case": 2}},
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}


def test_every_route_is_audited_on_the_same_rules(tmp_path):
    """Its cases first; segmenters of releases and of scans where one is asked for."""
    segmenter = {"kind": "unet", "preset": "sound", "widths": [4, 8, 16]}
    spec = AnonymisationSpec.model_validate({**TINY, "segmenter": segmenter})
    tasks = {task.name: task for task in planned(spec, [toy_fold(tmp_path)])}

    audits = [task for task in tasks.values() if task.kind == "audit"]
    assert [task.arm for task in audits] == ["own", "edited"]
    assert all(task.needs == (f"fold-0/cases/{task.arm}", f"fold-0/synthetic/{task.arm}") for task in audits)
    assert [task.arm for task in tasks.values() if task.kind == "segmenter"] == ["real", "own", "edited"]
    assert tasks["fold-0/segmenters/own/seed-0"].key["share"] == 1


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"routes": {"others": "Others"}}, "routes .'others'. are not among the sources"),
        ({"sources": {"own": {"kind": "copies"}}, "routes": {"own": "Copies"}}, "make no cases"),
        ({"audit": {"weights_released": True}}, "glioforge shadow"),
        ({"budget": "large"}, "budget 'large' is not among"),
    ],
)
def test_settings_that_name_no_release_are_refused(tmp_path, part, message):
    """With the names that there are."""
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({**TINY, **part}, sort_keys=False), encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        load_study(tmp_path / "wrong.yaml")


def test_draws_of_one_map_are_compared_with_those_of_others():
    """Alike draws give 0, draws as far as those of different donors 1, single draws nothing."""
    rng = np.random.default_rng(1)
    donors = np.repeat(np.arange(5), 4)
    heads = rng.normal(size=(5, 3))

    assert draws_apart(heads[donors], donors) == 0
    assert draws_apart(rng.normal(size=(400, 3)), np.repeat(np.arange(100), 4)) == pytest.approx(1, abs=0.1)
    assert draws_apart(heads, np.arange(5)) is None
    assert draws_apart(heads, np.full(5, -1)) is None


@pytest.mark.slow
def test_the_whole_way(tmp_path):
    """Few subjects are inconclusive, draws of one map are nearer than those of others, and the page says so."""
    segmenter = {"kind": "unet", "preset": "sound", "widths": [4, 8, 16]}
    run_study(AnonymisationSpec.model_validate({**TINY, "segmenter": segmenter}), tmp_path / "run")
    audits = json.loads((tmp_path / "run" / "comparison.json").read_text(encoding="utf-8"))["audits"]
    linked = {
        route: next(row for row in found[0]["findings"] if row["attack"] == "donor linkage by label maps")
        for route, found in audits.items()
    }

    assert {found[0]["verdict"] for found in audits.values()} == {"INCONCLUSIVE"}
    assert linked["own"]["bound"] > 0.02 < linked["edited"]["bound"]
    assert 0 < audits["own"][0]["draws_apart"] < 1
    assert {row.arm for row in read_results(tmp_path / "run")} == {"real", "own", "edited"}
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Does a case lead back to its donor?" in page
    assert "Shrunken lesion" in page
