"""Promises of the training loop."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import toy_training
from glioforge.core.errors import OutputError, SpecError, TrainingError
from glioforge.training.budget import levelled
from glioforge.training.loop import Budget
from toy_training import BUDGET, Lines, batch, recipe, run

SCRIPT = Path(toy_training.__file__)
KEPT = ("weights.safetensors", "history.csv")


def contents(folder):
    """Bytes of what a training keeps."""
    return [(folder / name).read_bytes() for name in KEPT]


def test_same_seed_gives_same_bytes_and_another_seed_others(tmp_path):
    """Weights and history are a function of the seed."""
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run(tmp_path / name, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")[0] != contents(tmp_path / "c")[0]


def test_finished_training_is_loaded_and_not_repeated(tmp_path):
    """The second call takes no step and gives the same outcome, with the kept weights in the network."""
    first = run(tmp_path)

    def forbidden(step):
        raise AssertionError(step)

    made = recipe()
    assert run(tmp_path, batches=forbidden, recipe=made) == first
    assert first.best_score == pytest.approx(max(r["score"] for r in first.history))
    assert not (tmp_path / "checkpoints").exists()


def test_interrupted_training_goes_on_to_the_same_bytes(tmp_path):
    """An error in the middle of a step loses nothing but the steps since the checkpoint."""
    run(tmp_path / "whole")

    def failing(step):
        if step == 23:
            raise OSError(step)
        return batch(step)

    with pytest.raises(OSError, match="23"):
        run(tmp_path / "broken", batches=failing)
    run(tmp_path / "broken")
    assert contents(tmp_path / "whole") == contents(tmp_path / "broken")


@pytest.mark.parametrize("damage", ["truncate", "flip", "json", "missing"])
def test_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, damage):
    """One line names the damage, and the end has the same bytes as an undisturbed run."""
    run(tmp_path / "whole")

    def failing(step):
        if step == 23:
            raise OSError(step)
        return batch(step)

    with pytest.raises(OSError, match="23"):
        run(tmp_path / "broken", batches=failing)
    newest = tmp_path / "broken" / "checkpoints" / "step-00000020.safetensors"
    data = newest.read_bytes()
    if damage == "truncate":
        newest.write_bytes(data[:-7])
    elif damage == "flip":
        newest.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    elif damage == "json":
        path = newest.with_suffix(".json")
        path.write_text(path.read_text().replace('"step": 20', '"step": 21'))
    else:
        newest.unlink()
    progress = Lines()
    run(tmp_path / "broken", progress=progress)
    assert sum("checkpoint of step 20 is damaged" in line for line in progress.lines) == 1
    assert contents(tmp_path / "whole") == contents(tmp_path / "broken")


def test_other_settings_are_refused(tmp_path):
    """A folder made with another budget, seed or setting stays as it is."""
    run(tmp_path)
    with pytest.raises(OutputError, match="made with other settings: seed was 3, is now 4"):
        run(tmp_path, seed=4)
    with pytest.raises(OutputError, match="other settings"):
        run(tmp_path, settings={"spec": 1})


def test_best_weights_are_kept_and_ties_keep_the_earlier(tmp_path):
    """Scores 1, 3, 3, 2, 0: the second validation wins."""
    scores = iter([1.0, 3.0, 3.0, 2.0, 0.0])
    outcome = run(tmp_path, validate=lambda network: next(scores))
    assert (outcome.best_step, outcome.best_score, outcome.steps) == (16, 3.0, 40)


def test_score_that_is_not_finite_is_never_best(tmp_path):
    """NaN is noted as missing and not kept."""
    scores = iter([math.nan, 0.1, math.inf, math.nan, math.nan])
    outcome = run(tmp_path, validate=lambda network: next(scores))
    assert (outcome.best_step, outcome.best_score) == (16, 0.1)
    assert outcome.history[0]["score"] is None


def test_plateau_ends_the_training(tmp_path):
    """Two validations without a rise of more than min_delta declare the plateau."""
    scores = iter([1.0, 2.0, 2.05, 2.1, 9.0])
    budget = BUDGET.model_copy(update={"patience": 2, "min_delta": 0.2})
    outcome = run(tmp_path, budget=budget, validate=lambda network: next(scores))
    assert (outcome.plateaued, outcome.steps, outcome.best_score) == (True, 32, 2.1)


def test_a_small_gain_over_the_last_third_ends_the_training(tmp_path):
    """From six validations on, and never at a score near 0; a rise within the last third goes on."""
    slow, flat = [0.0, 0.05, 0.06, 0.06, 0.06, 0.06, 0.06], [0.1, 0.5, 0.7, 0.8, 0.802, 0.801, 0.9]
    rows = [[{"step": n, "score": score} for n, score in enumerate(scores)] for scores in (slow, flat)]
    assert not any(levelled(rows[0][:count], 0.005) for count in range(8))
    assert [levelled(rows[1][:count], 0.005) for count in range(8)] == [False] * 6 + [True, False]

    scores = iter(flat)
    budget = BUDGET.model_copy(update={"steps": 56, "gain": 0.005})
    outcome = run(tmp_path, budget=budget, validate=lambda network: next(scores))
    assert (outcome.plateaued, outcome.steps, outcome.best_score) == (True, 48, 0.802)
    with pytest.raises(SpecError, match="gain 0.005 without a score to wait for"):
        run(tmp_path / "other", budget=budget, validate=None)


def test_patience_without_a_score_is_refused(tmp_path):
    """It would never end the training, and nobody would know."""
    budget = BUDGET.model_copy(update={"patience": 2})
    with pytest.raises(SpecError, match="patience 2 without a score to wait for; .* set select to true"):
        run(tmp_path, budget=budget, validate=None)
    assert not (tmp_path / "step.json").exists()


def test_without_validation_the_last_weights_are_kept(tmp_path):
    """The last step is the best one, and there is no score."""
    made = recipe()
    outcome = run(tmp_path, validate=None, recipe=made)
    assert (outcome.best_step, outcome.best_score, outcome.plateaued) == (40, None, False)


def test_validation_leaves_no_trace(tmp_path):
    """A validation in training mode, with random numbers, doesn't change what follows."""

    def noisy(network):
        torch.rand(3)
        return 0.0

    run(tmp_path / "a", validate=noisy, recipe=recipe(ema=None))
    run(tmp_path / "b", validate=lambda network: 0.0, recipe=recipe(ema=None))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def poisoned(steps):
    """Batches that are NaN at some steps."""

    def batches(step):
        made = batch(step)
        return {**made, "images": made["images"] * math.nan} if step in steps else made

    return batches


def test_step_with_nan_is_skipped_and_counted(tmp_path):
    """Neither weights nor running statistics catch the NaN."""
    outcome = run(tmp_path, batches=poisoned({7, 8, 20}))
    assert outcome.skipped == 3
    made = recipe()
    run(tmp_path, recipe=made)
    assert all(torch.isfinite(value).all() for value in made.networks.state_dict().values())


def test_many_nan_in_a_row_go_back_once_then_stop(tmp_path):
    """After the second streak the training stops with a typed error and keeps a good checkpoint."""
    progress = Lines()
    budget = BUDGET.model_copy(update={"max_skipped": 4})
    with pytest.raises(TrainingError, match="4 steps in a row with NaN or infinite loss or gradient, up to step 21"):
        run(tmp_path, budget=budget, batches=poisoned(range(17, 40)), progress=progress)
    assert any("back from step 21 to 15 at half the learning rate" in line for line in progress.lines)
    assert list((tmp_path / "checkpoints").glob("step-*.json"))


def test_going_back_lets_a_training_recover(tmp_path):
    """A streak that ends after going back does no harm."""
    calls = []

    def batches(step):
        calls.append(step)
        return poisoned(range(17, 40))(step) if len(calls) < 22 else batch(step)

    outcome = run(tmp_path, budget=BUDGET.model_copy(update={"max_skipped": 4}), batches=batches)
    assert (outcome.steps, outcome.skipped) == (40, 4)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signal_ends_between_steps_after_a_checkpoint(tmp_path, number, code):
    """Ctrl-C and SIGTERM lose nothing: the next call ends with the same bytes."""
    run(tmp_path / "whole")

    def interrupting(step):
        if step == 12:
            os.kill(os.getpid(), number)
        return batch(step)

    with pytest.raises(code) as caught:
        run(tmp_path / "broken", batches=interrupting)
    if code is SystemExit:
        assert caught.value.code == 143
    assert (tmp_path / "broken" / "checkpoints" / "step-00000013.json").exists()
    run(tmp_path / "broken")
    assert contents(tmp_path / "whole") == contents(tmp_path / "broken")


@pytest.mark.slow
def test_killed_at_any_instant_the_same_call_ends_with_the_same_bytes(tmp_path):
    """Kill -9 at eight instants, among them while a checkpoint is written."""
    steps = 400
    budget = BUDGET.model_copy(update={"steps": steps})
    run(tmp_path / "whole", budget=budget)
    for number in range(8):
        child = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(tmp_path / "killed"), str(steps)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        child.stdout.readline()
        time.sleep(0.05 + 0.13 * number)
        child.kill()
        child.wait()
        child.stdout.close()
    run(tmp_path / "killed", budget=budget)
    assert contents(tmp_path / "whole") == contents(tmp_path / "killed")


def test_outside_the_main_thread_a_training_runs_without_signals(tmp_path):
    """A training may run in a worker thread."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(run, tmp_path, budget=Budget(steps=4, validate_every=4)).result()
    assert outcome.steps == 4


def test_outcome_survives_json():
    """What the done marker keeps is what a later call gives."""
    from glioforge.training.budget import Outcome

    outcome = Outcome(3, 2, 0.5, False, 1.5, 0, ({"step": 3, "loss": 0.25, "score": None},))
    assert Outcome.from_json(outcome.to_json()) == outcome


def test_networks_are_left_in_place(tmp_path):
    """The recipe's own network object is trained, not a copy."""
    made = recipe(ema=None)
    before = [p.clone() for p in made.networks.parameters()]
    run(tmp_path, recipe=made)
    assert isinstance(made.inference_network(), nn.Module)
    assert any(not torch.equal(a, b) for a, b in zip(before, made.networks.parameters(), strict=True))
