"""A comparison of two segmenters from settings to report, small enough for a second a stage."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import yaml

from glioforge.core.errors import DependencyError
from glioforge.io.tables import read_results
from glioforge.metrics.evaluate import DEFAULT_METRICS
from glioforge.studies.engine import run_study
from glioforge.studies.question import load_study
from toy_nnunet import make_environment

BUDGET = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
TINY = {
    "kind": "segmenters",
    "seeds": 1,
    "name": "tiny",
    "title": "Which is better?",
    "seed": 3,
    "data": {"kind": "phantom", "cases": 4, "seed": 5, "phantom": {"shape": [32, 32, 24]}},
    "split": {"kind": "holdout", "test": 0.25, "validation": 0.25},
    "methods": {
        "narrow": {"title": "Narrow", "segmenter": {"kind": "unet", "widths": [4, 8]}, "budget": BUDGET},
        "wide": {"segmenter": {"kind": "unet", "widths": [8, 16]}, "budget": BUDGET},
        "nnunet": {"title": "nnU-Net", "segmenter": {"kind": "nnunet", "epochs": 5}},
    },
    "references": ["narrow", "nnunet"],
    "accelerator": {"threads": 1},
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YAML of the comparison."""
    path = tmp_path_factory.mktemp("segmenters") / "tiny.yaml"
    values = copy.deepcopy(TINY)
    values["methods"]["nnunet"]["segmenter"]["environment"] = str(make_environment(path.parent / "nnunet"))
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(settings: Path) -> Path:
    """Folder of the comparison, run once."""
    run_study(load_study(settings), settings.parent / "run")
    return settings.parent / "run"


def test_every_method_has_every_metric_in_every_region(study):
    """One unseen subject, judged on its own grid."""
    rows = read_results(study)

    assert {row.arm for row in rows} == {"narrow", "wide", "nnunet"}
    assert len(rows) == 3 * 3 * len(DEFAULT_METRICS)
    assert len({row.case_id for row in rows}) == 1


def test_report_shows_masks_differences_and_costs(study):
    """Both methods by their titles, the pictures, and the same numbers for programs."""
    page = (study / "report.html").read_text(encoding="utf-8")
    summary = json.loads((study / "comparison.json").read_text())

    for text in ("Narrow", "wide", "nnU-Net", "Best, median and worst cases", "HD95", "Peak memory"):
        assert text in page
    assert {d["method"] for d in summary["differences"]["narrow"]} == {"wide", "nnunet"}
    assert [cost["Parameters"].replace(" ", "").isdigit() for cost in summary["costs"]] == [True, False, True]


def test_a_method_whose_program_is_missing_is_refused_before_anything_is_trained(settings, tmp_path):
    """Also the other methods wait until it is there."""
    gone = settings.parent / "nnunet" / "gone"
    spec = load_study(settings, [f"methods.nnunet.segmenter.environment={gone}"])
    with pytest.raises(DependencyError, match=f"nnUNetv2_plan_and_preprocess is not in the environment {gone}"):
        run_study(spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_results_do_not_depend_on_an_interruption(study, settings, tmp_path):
    """A method whose scores were lost before the study ended gets the same ones from its masks."""
    again = tmp_path / "run"
    shutil.copytree(study, again, symlinks=True)
    shutil.rmtree((again / "fold-0" / "masks" / "wide" / "seed-0").resolve())
    for name in ("done.json", "results.csv", "results.parquet"):
        (again / name).unlink()

    run_study(load_study(settings), again)

    for name in ("results.csv", "results.parquet"):
        assert (again / name).read_bytes() == (study / name).read_bytes()
