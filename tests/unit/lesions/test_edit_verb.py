"""`glioforge edit` on the command line."""

import typer
from typer.testing import CliRunner

from glioforge.cli.edit import edit
from glioforge.core.case import Case
from glioforge.core.cohort import Cohort
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import COMPLETE
from glioforge.data.store import write_case
from glioforge.io.cohort_file import read_cohort, write_cohort
from toy_brain import toy_brain

RECIPE = "default"


def run(*arguments):
    """Call the verb alone."""
    app = typer.Typer()
    app.command()(edit)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_cohort_is_edited(tmp_path):
    """Cohort in, cohort of label maps and a contact sheet out."""
    labels = toy_brain(radii=(14.0, 9.0, 5.0))
    case = Case("case", "s", {}, Lineage.real("toy", "s"), labels, labels.voxels > 0)
    write_cohort(Cohort("toy", (write_case(tmp_path / "in", case),), COMPLETE), tmp_path / "in")
    sheet = tmp_path / "sheet.png"
    done = run(tmp_path / "in", "--recipe", RECIPE, "--out", tmp_path / "out", "--count", 2, "--preview", sheet)

    assert done.exit_code == 0, done.output
    assert "toy-default: 2 edited label maps from 1 subject; labels" in done.output
    assert len(read_cohort(tmp_path / "out")) == 2
    assert sheet.is_file()


def test_a_dry_run_prints_the_recipe(tmp_path):
    """Nothing is written; single keys can be overridden."""
    write_cohort(Cohort("none", (), COMPLETE), tmp_path / "in")
    done = run(tmp_path / "in", "--recipe", RECIPE, "--out", tmp_path / "out", "--set", "attempts=2", "--dry-run")

    assert done.exit_code == 0
    assert "attempts: 2" in done.output
    assert not (tmp_path / "out").exists()
