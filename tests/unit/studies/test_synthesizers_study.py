"""A comparison of two synthesizers from settings to report, small enough for a second a stage."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from glioforge.core.errors import SpecError
from glioforge.io.cohort_file import read_cohort
from glioforge.io.run_folder import Step
from glioforge.io.tables import read_results
from glioforge.studies.engine import run_study, write_report
from glioforge.studies.question import load_study
from glioforge.studies.steps.score import REAL
from glioforge.studies.steps.series import slug

BUDGET = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
TINY = {
    "kind": "synthesizers",
    "seeds": 1,
    "name": "tiny",
    "title": "Which is better?",
    "seed": 3,
    "data": {"kind": "phantom", "cases": 4, "seed": 5, "phantom": {"shape": [32, 32, 24]}},
    "modalities": ["t1ce", "flair"],
    "split": {"kind": "holdout", "test": 0.25, "validation": 0.25},
    "methods": {
        "spade": {"synthesizer": {"kind": "spade", "batch_size": 2}, "budget": BUDGET},
        "painted": {"title": "Painted", "synthesizer": {"kind": "painted"}},
    },
    "references": ["painted"],
    "draws": 2,
    "shown_draws": 1,
    "judge": {"segmenter": {"kind": "unet", "widths": [4, 8]}, "budget": BUDGET},
    "series": [
        {"name": "halved", "steps": [{"edit": {"kind": "scale", "volume_factor": [0.5, 0.5]}}]},
        {"name": "off the grid", "steps": [{"edit": {"kind": "translate", "distance_mm": [900, 999]}}]},
    ],
    "accelerator": {"threads": 1},
}


def written(folder, **changes):
    """YAML of the tiny comparison with some keys changed."""
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, **changes}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the comparison, run once."""
    folder = tmp_path_factory.mktemp("synthesizers")
    run_study(load_study(written(folder)), folder / "run")
    return folder / "run"


def test_every_method_is_scored_in_brain_and_lesion_against_the_noise_free_image(study):
    """Likeness, texture, diversity and overlap of the judge, for the one unseen subject."""
    rows = read_results(study)
    for method in ("painted", "spade"):
        mine = [row for row in rows if row.arm == method]
        measured = {(row.metric, row.place) for row in mine}
        for region in ("brain/t1ce", "brain/flair", "lesion/t1ce", "lesion/flair"):
            assert {("ssim", region), ("psnr", region), ("mae", region), ("diversity", region)} <= measured
        assert {("through_plane_ratio", "brain/t1ce"), ("swd", "brain/flair"), ("dice", "WT")} <= measured
        assert {("gradient_ratio", "lesion/flair"), ("gradient_ratio_scan", "lesion/t1ce")} <= measured
        borders = {
            (f"border_{name}", f"{region}/flair") for name in ("mae", "sharpness") for region in ("brain", "lesion")
        }
        assert borders <= measured
        told = {(row.sample, row.reference, row.grid) for row in mine if row.metric == "ssim"}
        assert told == {(sample, "noise-free image", "prepared") for sample in ("mean of draws", "one draw")}
        assert {row.grid for row in mine if row.metric == "dice"} == {"prepared"}
    assert {row.metric for row in rows if row.arm == REAL} == {"dice", "sensitivity", "precision"}


def test_summary_holds_scores_differences_and_costs(study):
    """What the page's tables show, for programs."""
    summary = json.loads((study / "comparison.json").read_text())

    assert summary["methods"] == {"painted": "Painted", "spade": "spade"}
    assert 0 < summary["scores"]["spade"]["ssim brain SSIM, brain"]["mean"] < 1
    compared = {(d["method"], d["metric"], d["region"]) for d in summary["differences"]["painted"]}
    assert {("spade", "ssim", "brain"), ("spade", "swd", "brain")} <= compared
    assert "swd brain Distance of patches" in summary["scores"]["spade"]
    spade, painted = summary["costs"]
    assert (painted["Steps"], spade["Steps"]) == ("0", "2")
    assert (painted["Parameters"], spade["Parameters"] > "0") == ("0", True)


def test_report_shows_every_method_and_says_which_edit_was_left_out(study):
    """Written again from the folder it is the same page, and the same numbers for programs, in the study's order."""
    before = [(study / name).read_bytes() for name in ("report.html", "comparison.json")]
    page = write_report(study).read_text(encoding="utf-8")

    assert [(study / name).read_bytes() for name in ("report.html", "comparison.json")] == before

    for text in (
        "Painted",
        "spade",
        "An edit was left out: off the grid",
        "too few to conclude",
        "T1ce",
        "Streaks, FLAIR lesion",
        "Gradient at borders, lesion",
    ):
        assert text in page
    assert page.count("<img") >= 8
    series = read_cohort(study / "fold-0" / "images" / "spade" / "seed-0" / "series")
    assert [ref.case_id for ref in series] == ["original", "halved", "draw-1"]


def test_results_do_not_depend_on_an_interruption(study, tmp_path):
    """A method whose numbers and images were lost gets the same ones, from the weights that it has."""
    again = tmp_path / "run"
    shutil.copytree(study, again, symlinks=True)
    shutil.rmtree((again / "fold-0" / "images" / "spade" / "seed-0").resolve())
    for name in ("done.json", "results.csv", "results.parquet"):
        (again / name).unlink()

    run_study(load_study(written(tmp_path)), again)

    for name in ("results.csv", "results.parquet"):
        assert (again / name).read_bytes() == (study / name).read_bytes()
    place = Path("fold-0") / "synthesizers" / "spade" / "seed-0"
    assert Step.facts_of(again / place) == Step.facts_of(study / place)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"references": ["gan"]}, r"references \['gan'\] are not among the methods \['painted', 'spade'\]"),
        ({"methods": {}, "references": []}, "a comparison needs at least one method"),
        ({"methods": {"A b": {"synthesizer": "spade"}}}, "String should match pattern"),
        ({"methods": {"a": {"synthesizer": "spadee"}}}, "synthesizer 'spadee'; expected one of"),
        (
            {"kind": "synthesisers"},
            "kind of study 'synthesisers'; expected one of anonymisation, augmentation, classification",
        ),
        ({"kind": ["synthesizers"]}, r"kind of study \"\['synthesizers'\]\"; expected one of"),
    ],
)
def test_wrong_settings_are_told(tmp_path, changes, told):
    """By the key, before anything is trained."""
    with pytest.raises(SpecError, match=told):
        load_study(written(tmp_path, **changes))


def test_a_method_may_be_added_later(tmp_path):
    """The key of the whole study knows neither methods nor references; each method has a folder of its own."""
    before = load_study(written(tmp_path))
    after = load_study(written(tmp_path, methods={"painted": TINY["methods"]["painted"]}))

    assert before.identity() == after.identity()
    assert before.identity() != load_study(written(tmp_path, draws=3)).identity()


def test_names_become_folders():
    """Letters, digits and hyphens."""
    assert slug("  Healthy brain, new lesion! ") == "healthy-brain-new-lesion"
