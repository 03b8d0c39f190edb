"""Promises of `glioforge study --dry-run` and `demo --dry-run`: the plan as comments below a YAML that can be run."""

import pytest
import yaml
from typer.testing import CliRunner

from glioforge.cli.main import app
from glioforge.config.load import parse_spec
from glioforge.core.errors import SpecError
from glioforge.studies.spec import AugmentationSpec


def test_a_dry_run_prints_settings_and_plan_and_writes_nothing(tmp_path):
    """Every task with what it may take; the output is the study's YAML."""
    shown = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "run"), "--dry-run"], catch_exceptions=False)

    assert parse_spec(yaml.safe_load(shown.stdout), AugmentationSpec).name == "demo"
    comments = [line for line in shown.stdout.splitlines() if line.startswith("# ")]
    assert comments[0] == "# plan: 24 tasks, 0 done; 10 trainings"
    assert any(line.startswith("# fold-0/segmenters/real+synthetic/seed-1") for line in comments)
    assert "with 2 at a time" in comments[-2]
    assert not (tmp_path / "run").exists()


def test_a_dry_run_refuses_what_the_run_would(tmp_path):
    """Here a study of scans without a folder of scans."""
    path = tmp_path / "study.yaml"
    methods = {"a": {"segmenter": {"kind": "unet"}}}
    study = {"kind": "segmenters", "name": "a", "title": "A", "methods": methods}
    path.write_text(yaml.safe_dump(study), encoding="utf-8")

    with pytest.raises(SpecError, match="no folder of scans"):
        CliRunner().invoke(app, ["study", str(path), "--out", str(tmp_path / "o"), "--dry-run"], catch_exceptions=False)
