"""A study small enough for a test: six tiny phantoms, a handful of steps."""

from pathlib import Path

import pytest
import yaml

TINY = {
    "kind": "augmentation",
    "name": "tiny",
    "title": "A study for tests",
    "seed": 3,
    "data": {"kind": "phantom", "cases": 6, "seed": 5, "phantom": {"shape": [48, 48, 40]}},
    "split": {"kind": "holdout", "test": 0.3, "validation": 0.2},
    "prepare": {},
    "recipe": {"name": "shift", "steps": [{"edit": {"kind": "translate", "distance_mm": [5, 20]}}]},
    "synthesizer": {"kind": "spade", "preset": "sound", "ngf": 2, "hidden": 8, "critic_width": 4},
    "control": {"kind": "painted"},
    "filters": [{"kind": "plausible_labels"}],
    "segmenter": {"kind": "unet", "preset": "sound", "widths": [4, 8, 16]},
    "budgets": {
        "small": {
            "generator": {"steps": 6, "validate_every": 6, "checkpoint_every": 3},
            "segmenter": {"steps": 8, "validate_every": 4, "patience": 3, "checkpoint_every": 4},
            "seeds": 1,
            "synthetic_per_case": 1,
        }
    },
    "accelerator": {"threads": 1},
    "parallel": {"workers": 1},
}


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YAML of the tiny study."""
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def finished_study(tiny_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny study, run once without disturbance."""
    from glioforge.studies.engine import run_study
    from glioforge.studies.question import load_study

    out = tmp_path_factory.mktemp("finished") / "run"
    run_study(load_study(tiny_study), out)
    return out
