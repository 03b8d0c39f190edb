"""Promises of the watch: each alarm sounds when it should, and only then."""

import json
from functools import reduce

import pytest
import torch

from glioforge.core.errors import TrainingError
from glioforge.training.budget import Budget
from glioforge.training.loop import train
from glioforge.training.recipe import variety_lost
from glioforge.training.watch import RIGHT, WatchSpec, WatchState, after_row, after_step
from toy_scripted import Scripted, batch
from toy_training import Lines, fabric

BUDGET = Budget(steps=40, validate_every=5, checkpoint_every=5, samples=False, watch=WatchSpec(window=10))


def run(folder, recipe, **changes):
    """Train a scripted recipe."""
    budget = BUDGET.model_copy(update=changes.pop("budget", {}))
    return train(recipe, batch, budget, folder, seed=1, fabric=fabric(), **changes)


def exploded(losses, spec=None):
    """Exploded steps in a row at the end of a series of losses."""
    spec = spec or WatchSpec(window=10)
    return reduce(lambda state, loss: after_step(state, {"loss": loss}, spec), losses, WatchState()).exploded


def test_only_a_loss_far_over_its_median_counts_as_exploded():
    """Noise, a fall, a change of sign, a lone spike and a revival after zeros are none; a rise that stays is."""
    assert exploded([1.0, 2.0, 0.5, -1.0] * 5) == 0
    assert exploded([2.0 * 0.8**n for n in range(40)]) == 0
    assert exploded([1.0] * 10 + [200.0, 1.0]) == 0
    assert exploded([2.0] * 10 + [0.0] * 20 + [0.4]) == 0
    assert exploded([1.0] * 10 + [200.0, -300.0, 400.0]) == 3
    assert exploded([1.0] * 10 + [200.0] * 3, WatchSpec(window=10, explosion=None)) == 0
    assert exploded([1.0, 200.0]) == 0, "two steps are too few to judge by"


def test_shares_of_right_scores_are_no_losses():
    """A critic that wakes up after long sleep has not exploded."""
    state = WatchState()
    for value in [0.0] * 20 + [0.001] + [1.0] * 9:
        state = after_step(state, dict.fromkeys(RIGHT, value), WatchSpec(window=10))
    assert (state.exploded, state.sizes) == (0, {})


def test_weights_that_are_set_anew_are_no_losses():
    """They may jump a hundredfold."""
    spec, state = WatchSpec(window=5), WatchState()
    for weight in (1.0, 1.0, 1.0, 100.0, 100.0):
        state = after_step(state, {"l1 weight": weight, "t1 l1 weight": weight}, spec)
    assert (state.exploded, dict(state.sizes)) == (0, {})


def test_state_survives_json():
    """A checkpoint gives it back."""
    state = after_step(WatchState(), {"loss": 1.5}, WatchSpec())
    state, _ = after_row(state, {"diversity": 0.1, "noise_response": 0.3}, WatchSpec())
    assert WatchState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_explosion_goes_back_once_and_then_stops(tmp_path):
    """The second time, the training ends with a typed error."""
    progress = Lines()
    recipe = Scripted(lambda step: {"loss": 1000.0 if step >= 22 else 1.0})
    with pytest.raises(TrainingError, match="5 steps in a row with a loss over 50 times its median, up to step 27"):
        run(tmp_path, recipe, progress=progress)
    assert sum("back from step 27 to 20 at half the learning rate" in line for line in progress.lines) == 1
    assert recipe.rate == 0.5


def test_explosion_that_ends_after_going_back_leaves_no_trace_in_the_weights(tmp_path):
    """The weight is that of the steps that count: twenty at the full rate, twenty at half of it."""
    calls = []

    def scalars(step):
        calls.append(step)
        return {"loss": 1000.0 if step >= 22 and len(calls) <= 27 else 1.0}

    recipe = Scripted(scalars)
    outcome = run(tmp_path, recipe)
    assert (outcome.steps, outcome.alarms, recipe.network.weight.item()) == (40, (), 30.0)
    assert [(row["step"], row["loss"]) for row in outcome.history] == [(5 * n, 1.0) for n in range(1, 9)]


def test_collapsed_images_are_an_alarm_in_history_line_and_outcome(tmp_path):
    """Images of a batch that hardly differ for three validations sound it; the training goes on."""
    progress = Lines()
    recipe = Scripted(lambda step: {"loss": 1.0}, lambda moves: (1.0 if moves < 20 else 0.05, 0.5))
    outcome = run(tmp_path, recipe, progress=progress)
    assert [row["collapsed"] for row in outcome.history] == [0, 0, 0, 0, 0, 1, 0, 0]
    assert outcome.history[-1]["diversity"] == pytest.approx(0.05, rel=1e-3)
    assert len(outcome.alarms) == 1
    assert outcome.alarms[0].startswith("step 30: made images hardly differ any more: diversity 0.05")
    assert any(line == f"warning at {outcome.alarms[0]}" for line in progress.lines)
    assert "collapsed" in (tmp_path / "history.csv").read_text().splitlines()[0]


def test_noise_that_moves_images_no_more_is_collapse_but_a_deterministic_generator_is_not(tmp_path):
    """Response is compared with the largest one so far."""
    lost = Scripted(lambda step: {"loss": 1.0}, lambda moves: (1.0, 0.5 if moves < 20 else 0.001))
    assert "response to noise" in run(tmp_path / "lost", lost).alarms[0]
    deterministic = Scripted(lambda step: {"loss": 1.0}, lambda moves: (1.0, 0.0))
    assert run(tmp_path / "deterministic", deterministic).alarms == ()


def test_saturated_critic_is_an_alarm_and_is_eased_if_asked(tmp_path):
    """It sounds after three validations and again after three more, each time lowering the rate."""
    recipe = Scripted(lambda step: {"loss": 1.0, "right_on_real": 1.0, "right_on_made": 0.99})
    watch = BUDGET.watch.model_copy(update={"ease": 0.5})
    outcome = run(tmp_path / "eased", recipe, budget={"watch": watch})
    assert [row["saturated"] for row in outcome.history] == [0, 0, 1, 0, 0, 1, 0, 0]
    assert recipe.rate == 0.25
    assert "the critic classifies 99.0% or more of scans and synthetic images correctly" in outcome.alarms[0]
    warned = Scripted(lambda step: {"loss": 1.0, "right_on_real": 1.0, "right_on_made": 0.99})
    run(tmp_path / "warned", warned)
    assert warned.rate == 1.0
    balanced = Scripted(lambda step: {"loss": 1.0, "right_on_real": 1.0, "right_on_made": 0.6})
    assert run(tmp_path / "balanced", balanced).alarms == ()


def test_interrupted_training_sounds_the_same_alarms_and_ends_with_the_same_bytes(tmp_path):
    """The watch is part of the checkpoint."""

    def recipe():
        return Scripted(
            lambda step: {"loss": 1.0, **dict.fromkeys(RIGHT, 1.0)}, lambda moves: (1.0 if moves < 12 else 0.01, 0.5)
        )

    def failing(step):
        if step == 23:
            raise OSError(step)
        return batch(step)

    whole = run(tmp_path / "whole", recipe())
    with pytest.raises(OSError, match="23"):
        train(recipe(), failing, BUDGET, tmp_path / "broken", seed=1, fabric=fabric())
    broken = run(tmp_path / "broken", recipe())
    assert broken.alarms == whole.alarms
    assert len(whole.alarms) > 2
    for name in ("weights.safetensors", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()


def test_pairs_that_are_alike_are_collapse():
    """One image for every sample has lost all variety of the scans; the scans themselves have lost none."""
    torch.manual_seed(0)
    scans = torch.randn(4, 1, 24, 24)
    copies = scans[:1].expand(4, 1, 24, 24)

    assert variety_lost(copies, scans)["variety_lost"] == pytest.approx(1)
    assert variety_lost(scans, scans)["variety_lost"] == 0
    assert variety_lost(scans[..., None].expand(4, 1, 24, 24, 5), scans[..., None].expand(4, 1, 24, 24, 5)) == {
        "variety_lost": 0.0
    }
    assert variety_lost(scans[:1], scans[:1]) == variety_lost(scans[..., :8], scans[..., :8]) == {}
    state, alarms = WatchState(), {}
    for _ in range(WatchSpec().rows):
        state, alarms = after_row(state, {"diversity": 0.9, "variety_lost": 0.95}, WatchSpec())
    assert "variety lost 0.95" in alarms["collapsed"]
