"""A study of manipulation: its plan, its settings, and the whole way in seconds."""

import pytest
import yaml

from glioforge.core import SpecError
from glioforge.io.tables import read_results
from glioforge.studies.comparing import ManipulationSpec
from glioforge.studies.engine import run_study
from glioforge.studies.question import load_study, planned
from toy_study import toy_fold

BUDGET = {"steps": 4, "validate_every": 2, "checkpoint_every": 2}
HALVED = {"name": "halved", "attempts": 8, "steps": [{"edit": {"kind": "scale", "volume_factor": [0.5, 0.5]}}]}
TINY = {
    "kind": "manipulation",
    "name": "tiny",
    "title": "As asked?",
    "seed": 3,
    "data": {"kind": "phantom", "cases": 4, "seed": 5, "phantom": {"shape": [40, 40, 32]}},
    "split": {"kind": "holdout", "test": 0.5, "validation": 0.25},
    "seeds": 1,
    "methods": {"painted": {"title": "Painted", "synthesizer": {"kind": "painted"}}},
    "judge": {"segmenter": {"kind": "unet", "preset": "sound", "widths": [4, 8, 16]}, "budget": BUDGET},
    "edits": {
        "unedited": {"title": "As it was"},
        "halved": {"title": "Halved", "kind": "scale", "strength": 0.5, "recipe": HALVED},
    },
    "accelerator": {"device": "cpu", "precision": "32-true", "threads": 1},
}


def test_every_edit_of_every_method_is_judged_by_one_frozen_segmenter(tmp_path):
    """No task that trains needs one that reads the test side."""
    spec = ManipulationSpec.model_validate(TINY)
    tasks = {task.name: task for task in planned(spec, [toy_fold(tmp_path)])}

    asked = [task for task in tasks.values() if task.kind == "asked"]
    assert [task.arm for task in asked] == ["painted+unedited", "painted+halved"]
    assert all("fold-0/judge" in task.needs for task in asked)
    assert not any(tasks[need].evaluates for name in ("fold-0/judge",) for need in tasks[name].needs)


def test_the_first_edit_is_no_edit(tmp_path):
    """For all others are compared with it."""
    edits = dict(reversed(TINY["edits"].items()))
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({**TINY, "edits": edits}, sort_keys=False), encoding="utf-8")
    with pytest.raises(SpecError, match="the first edit is the reference"):
        load_study(tmp_path / "wrong.yaml")


@pytest.mark.slow
def test_the_whole_way(tmp_path):
    """Rows of each edit beside the scans, and a page with the strengths."""
    run_study(ManipulationSpec.model_validate(TINY), tmp_path / "run")
    rows = read_results(tmp_path / "run")

    assert {row.arm for row in rows} == {"painted+unedited", "painted+halved", "real scans"}
    assert {row.metric for row in rows if row.arm == "painted+halved"} >= {"dice", "volume_error"}
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Does the lesion appear as asked?" in page
    assert "Halved" in page
