"""Promises of an augmentation study's settings: what would make its arms unfair is refused before anything runs."""

from pathlib import Path

import pytest

from glioforge.config.load import load_spec
from glioforge.core.errors import SpecError
from glioforge.studies.question import parse_study, planned
from glioforge.studies.spec import AugmentationSpec
from toy_arms import MORE, REAL, study
from toy_study import toy_fold

EXAMPLE = Path(__file__).parents[3] / "experiments" / "real_sample.yaml"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("synthesizer.select=true", "may not choose the generator too"),
        ("budgets.small.segmenter={steps: null, epochs: 3}", "arms are matched in steps"),
        ("budget=vast", "budget 'vast' is not among the budgets"),
    ],
)
def test_settings_that_make_arms_unfair_are_refused(override, message):
    """With the reason."""
    with pytest.raises(SpecError, match=message):
        load_spec(EXAMPLE, AugmentationSpec, [override])


ENDING = {"schedule": {"real_steps": 0.2}}
AVERAGED = {"schedule": {"average": 0.2}}
EPOCHS = {"match": "epochs", "segmenter": {"epochs": 3}}


@pytest.mark.parametrize(
    ("segmenter", "arm", "budget", "message"),
    [
        (
            "nnunet",
            {"reuse": 2},
            {},
            "arm 'more': segmenter nnunet with fresh cases while it trains; .*leave reuse out",
        ),
        ("nnunet", ENDING, {}, "arm 'more': segmenter nnunet with last steps on real cases alone"),
        ("nnunet", AVERAGED, {}, "arm 'more': segmenter nnunet with an average of its weights"),
        ("nnunet", {"augment": False}, {}, "arm 'more': segmenter nnunet with classical augmentation switched off"),
        ("nnunet", {}, EPOCHS, "arm 'real': segmenter nnunet with a length in passes over the cases"),
        (
            "pix2pix",
            AVERAGED,
            {},
            "segmenter pix2pix with an average of its weights; expected a segmenter with a setting",
        ),
        ("unet", AVERAGED, EPOCHS, "arm 'more': schedule.average is a share of steps, and arms are matched in epochs"),
    ],
)
def test_what_a_segmenter_cannot_be_trained_for_is_refused_when_the_settings_are_read(segmenter, arm, budget, message):
    """With the arm; a U-Net can be trained for each of these alone."""
    arms = (REAL, {**MORE, **arm})
    with pytest.raises(SpecError, match=message):
        study(arms, segmenter={"kind": segmenter}, budget=budget)
    assert study(arms, segmenter={"kind": "unet"}, budget={} if arm else budget)


def test_a_length_in_epochs_is_refused_in_every_kind_of_study():
    """Of a segmenter that counts steps alone: as a method, as a judge, and of releases."""
    entry = {"segmenter": {"kind": "nnunet"}, "budget": {"epochs": 3}}
    known = {"name": "tiny", "title": "Tiny"}
    paint = {"kind": "synthesizer", "synthesizer": {"kind": "painted"}}
    released = {"sources": {"own": paint}, "routes": {"own": "Own"}, "segmenter": {"kind": "nnunet"}}
    for values in (
        {"kind": "segmenters", "methods": {"nnunet": entry}},
        {"kind": "synthesizers", "methods": {"own": {"synthesizer": {"kind": "painted"}}}, "judge": entry},
        {"kind": "anonymisation", **released, "budgets": {"small": {"segmenter": {"epochs": 3}}}},
    ):
        with pytest.raises(SpecError, match="segmenter nnunet with a length in passes over the cases"):
            parse_study({**known, **values}, "tiny")


def test_no_trial_run_is_planned_for_a_segmenter_that_never_stops_early(tmp_path):
    """It would be trained to the last step and thrown away; other segmenters have their own."""
    both = {"plain": {"kind": "unet"}, "nnunet": {"kind": "nnunet"}}
    spec = study(segmenter=None, segmenters=both, budget={"segmenter": {"steps": 12, "gain": 0.01}})
    tasks = planned(spec, [toy_fold(tmp_path)])

    assert [task.key["segmenter"].kind for task in tasks if task.kind == "pilot"] == ["unet"]
    (needs,) = {task.needs for task in tasks if task.arm == "real-nnunet" and task.kind == "segmenter"}
    assert needs == ()
