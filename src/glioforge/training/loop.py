"""The training loop: short, restartable, the same for every model.

A recipe says what one step does; the loop gives it batches, seeds each step
from (seed, step), validates, keeps the best weights, writes checkpoints and
survives being killed; Ctrl-C and SIGTERM end a training between two steps, after a
checkpoint.  The same call on the same folder goes on where it stood
and ends with the same bytes as an undisturbed run (same torch, device type and
thread count).

Conventions
-----------
score       of a validation, higher is better; the earlier of two equal ones is kept
folder      `checkpoints/` while it runs; `weights.safetensors`, `history.csv`, `done.json` at the end;
            `samples/`, `snapshots/` and `events/` grow as it goes, where the budget asks for them
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, final

import torch
from lightning_fabric import Fabric

from glioforge.compute import deterministic, seed_torch
from glioforge.core import Progress, Silent, SpecError
from glioforge.io import ORPHAN_S, Step
from glioforge.training.budget import Budget, Outcome, levelled
from glioforge.training.estimation import end_if_estimating
from glioforge.training.parallel import averaged, share
from glioforge.training.recipe import Batches, Observable, Observation, Recipe, Validate, observe_last
from glioforge.training.record import Record, line, present, write_history
from glioforge.training.standing import Standing
from glioforge.training.state import Checkpoints
from glioforge.training.step import Buffers, NonFiniteError, recompute_stages, set_parts
from glioforge.training.weights import read_weights, write_weights


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], int | None]]:
    """Hold back the first SIGINT or SIGTERM; return a function that gives the one that came.

    A second one acts at once.  Outside the main thread nothing is held back.

    Example:
        >>> with deferred_interrupts() as pending:
        ...     print(pending())
        None
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_by(number: int) -> None:
    """End as the signal asks: KeyboardInterrupt for Ctrl-C, exit code 143 for SIGTERM.

    Raises:
        KeyboardInterrupt: For SIGINT.
        SystemExit: For SIGTERM.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


__all__ = ["Batches", "Budget", "Outcome", "Recipe", "Validate", "train"]


def train(  # noqa: PLR0913 - what a training consists of, by keyword
    recipe: Recipe,
    batches: Batches,
    budget: Budget,
    folder: Path,
    *,
    seed: int,
    fabric: Fabric,
    validate: Validate | None = None,
    progress: Progress | None = None,
    settings: Mapping[str, Any] | None = None,
    kept: Mapping[str, Any] | None = None,
) -> Outcome:
    """Train, resume, or load a finished training; the inference network holds the kept weights afterwards.

    Args:
        recipe: Networks, optimisers and what a step does.
        batches: Batch of a step, a pure function of its number; samples along the first axis.
        budget: Length, and rhythm of validation and checkpoints.
        folder: The training's own folder; nobody else writes there.
        seed: Root of all random draws.
        fabric: Devices and precision.
        validate: Scores a network in evaluation mode; without it, or where it never gives a score, the last weights are
            kept. Where it has `scalars`, a mapping of names to numbers, they join the history.
        progress: Where progress is shown.
        settings: What else the outcome depends on; a folder made with other settings is refused.
        kept: What the folder remembers beside them (see `io.run_folder`).

    Raises:
        OutputError: The folder was made with other settings, is in use, or cannot be written.
        SpecError: The batches cannot be cut into parts, the networks have no stages to compute again, there is
            patience without a validation, or the length is in epochs.
        DependencyError: Events for TensorBoard are asked for and it is not installed.
        TrainingError: Losses stayed NaN or infinite, or exploded, after going back once.
        KeyboardInterrupt: Ctrl-C; a checkpoint was written first.
    """
    if (budget.patience is not None or budget.gain is not None) and validate is None:
        rule = "gain" if budget.patience is None else "patience"
        raise SpecError(
            f"budget.{rule} {getattr(budget, rule)} without a score to wait for",
            "a model that is selected on held-out cases",
            f"set select to true, keep validation subjects, or leave {rule} out",
        )
    if budget.epochs is not None:
        raise SpecError(
            f"budget.epochs {budget.epochs}", "a length in steps", "give budget.steps: nothing counts epochs"
        )
    set_parts(recipe, budget.accumulate)
    if budget.checkpoint_activations:
        recompute_stages(recipe.networks)
    end_if_estimating(recipe, batches, budget, fabric, seed, validate)
    key = {"budget": budget.model_dump(mode="json"), "seed": seed, "settings": dict(settings or {})}
    run = _Run(recipe, batches, budget, folder, fabric, seed, validate, progress or Silent())
    if not fabric.is_global_zero:
        return run.to_the_end(None)
    with Step(folder, key, wait_s=ORPHAN_S, kept=kept) as step:
        return run.to_the_end(step)


@final
class _Run:
    """One call of `train`."""

    def __init__(  # noqa: PLR0913, PLR0917 - the arguments of `train`
        self,
        recipe: Recipe,
        batches: Batches,
        budget: Budget,
        folder: Path,
        fabric: Fabric,
        seed: int,
        validate: Validate | None,
        progress: Progress,
    ) -> None:
        self.recipe, self.batches, self.budget, self.folder = recipe, batches, budget, folder
        self.fabric, self.seed, self.validate, self.progress = fabric, seed, validate, progress
        self.standing = Standing(recipe.networks, recipe.optimizers, Checkpoints(folder / "checkpoints"))
        self.record = Record(folder, budget)

    def to_the_end(self, step: Step | None) -> Outcome:
        """Train unless done, then load the kept weights."""
        self.recipe.networks.to(self.fabric.device)
        if not self._broadcast(step is not None and step.done):
            with deferred_interrupts() as pending:
                if self.fabric.device.type == "cuda":
                    deterministic(partial(self._train, pending))
                else:
                    self._train(pending)
            if step is not None:
                self._finish(step)
        self._barrier()
        facts = self._broadcast(step.facts if step is not None else None)
        read_weights(self.folder / "weights.safetensors", self.recipe.inference_network())
        return Outcome.from_json(facts["outcome"])

    def _train(self, pending: Callable[[], int | None]) -> None:
        """All steps that are left."""
        standing = self.standing
        if not standing.resume(self.progress) and self.fabric.is_global_zero:
            standing.checkpoint()
        self._barrier()
        total = self.budget.steps - standing.step
        self._clock = (time.monotonic(), standing.step)
        for number in self.progress.track(self._numbers(), "training", total):
            self._step(number)
            signal = pending()
            due = standing.step % self.budget.checkpoint_every == 0
            if self.fabric.is_global_zero and standing.sound and (due or signal is not None):
                standing.checkpoint()
            if signal is not None:
                end_by(signal)

    def _numbers(self) -> Iterator[int]:
        """Numbers of the steps to take; it follows the standing when that goes back."""
        while self.standing.step < self.budget.steps and not self._plateaued:
            yield self.standing.step

    @property
    def _plateaued(self) -> bool:
        if self.budget.gain is not None and levelled(self.standing.history, self.budget.gain):
            return True
        return self.budget.patience is not None and self.standing.stale >= self.budget.patience

    def _step(self, number: int) -> None:
        """One step, skipped where it is not finite, and a validation where one is due."""
        standing = self.standing
        began = time.monotonic()
        seed_torch(self.seed, "step", number, self.fabric.global_rank)
        self.recipe.networks.train()
        batch = share(self.batches(number), self.fabric)
        buffers = Buffers(self.recipe.networks)
        try:
            scalars = self.recipe.step(batch, number, self.fabric)
        except NonFiniteError:
            buffers.put_back()
            standing.skip(self.budget.max_skipped, self.progress)
        else:
            losses = averaged(scalars, self.fabric)
            standing.advance(losses, self.budget.watch, self.progress)
            self.progress.note(present(losses))
        due = standing.step % self.budget.validate_every == 0 or standing.step == self.budget.steps
        if due and standing.step > number and not standing.bad_in_a_row:
            self._validate()
        standing.seconds += time.monotonic() - began

    def _validate(self) -> None:
        """Score and observe the inference network, note the row, and sound alarms."""
        network, standing = self.recipe.inference_network(), self.standing
        score: float | None = None
        self.recipe.networks.eval()
        with torch.no_grad():
            if self.validate is not None:
                score = self.validate(network)
            seen = self._observation()
        further = {**({} if seen is None else seen.scalars), **getattr(self.validate, "scalars", {})}
        best = standing.judge(score, network, self.budget.min_delta, further)
        row = standing.history[-1]
        standing.sound_alarms(row, self.budget.watch, self.progress)
        if self.fabric.is_global_zero:
            self.record.note(row, network, seen)
            self.progress.say(line(row, self.budget.steps, self._seconds_left(), best=best))

    def _observation(self) -> Observation | None:
        """Observe the recipe on fixed batches, the same in every process; none if it cannot be observed."""
        if not isinstance(self.recipe, Observable):
            return None
        seed_torch(self.seed, "observe", self.standing.step)
        return observe_last(self.recipe.observe, self.batches, self.budget.steps, self.fabric.device)

    def _seconds_left(self) -> float:
        """Time for the steps to come, at the pace of this call."""
        began, start = self._clock
        pace = (time.monotonic() - began) / max(1, self.standing.step - start)
        return pace * (self.budget.steps - self.standing.step)

    def _finish(self, step: Step) -> None:
        """Write what is kept, mark the folder as done, drop the checkpoints."""
        standing = self.standing
        state = standing.best or self.recipe.inference_network().state_dict()
        digest = write_weights(self.folder / "weights.safetensors", state)
        write_history(self.folder / "history.csv", standing.history)
        outcome = standing.outcome(plateaued=self._plateaued)
        snapshots = self.record.finish(standing.step)
        step.finish({"outcome": outcome.to_json(), "weights": digest, "snapshots": snapshots})
        standing.checkpoints.clear()

    def _broadcast(self, value: Any) -> Any:  # noqa: ANN401 - any plain values
        """The first process's value in every process."""
        return value if self.fabric.world_size == 1 else self.fabric.broadcast(value)

    def _barrier(self) -> None:
        if self.fabric.world_size > 1:
            self.fabric.barrier()
