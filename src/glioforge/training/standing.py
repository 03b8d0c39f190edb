"""Progress of a training: what a checkpoint holds besides networks and optimisers."""

import math
from collections.abc import Mapping
from typing import Any, final

from torch import nn
from torch.optim import Optimizer

from glioforge.core import Progress, TrainingError
from glioforge.training.budget import HistoryRow, Outcome
from glioforge.training.record import Averages
from glioforge.training.state import Checkpoints, Snapshot, Tensors, capture, restore
from glioforge.training.step import scale_rates
from glioforge.training.watch import RIGHT, WatchSpec, WatchState, after_row, after_step
from glioforge.training.weights import below

_RATE_AFTER_GOING_BACK = 0.5
_COLUMNS = {"collapsed": ("diversity", "noise_response", "variety_lost"), "saturated": RIGHT}


@final
class Standing:
    """Counters, best weights and history of one training; changes as it runs.

    Args:
        networks: Every network of the recipe.
        optimizers: Its optimisers.
        checkpoints: Where the standing is kept.
    """

    def __init__(self, networks: nn.ModuleDict, optimizers: Mapping[str, Optimizer], checkpoints: Checkpoints) -> None:
        self._networks, self._optimizers, self.checkpoints = networks, optimizers, checkpoints
        self.step, self.best_step, self.stale, self.skipped, self.bad_in_a_row = 0, 0, 0, 0, 0
        self.best_score: float | None = None
        self.best: Tensors = {}
        self.reference: float | None = None
        self.went_back = False
        self.seconds = 0.0
        self.averages = Averages()
        self.history: list[HistoryRow] = []
        self.watch = WatchState()
        self.alarms: list[str] = []

    @property
    def sound(self) -> bool:
        """Whether the last step was finite and its losses had not exploded."""
        return not self.bad_in_a_row and not self.watch.exploded

    def advance(self, scalars: Mapping[str, float], watch: WatchSpec, progress: Progress) -> None:
        """Count a step that was taken; after several with exploded losses go back to the last checkpoint, once.

        Raises:
            TrainingError: It had gone back before.
        """
        self.step += 1
        self.bad_in_a_row = 0
        self.watch = after_step(self.watch, scalars, watch)
        if not self.watch.exploded:
            self.averages.add(scalars)
        if self.watch.exploded >= watch.exploded_steps:
            self._go_back(
                f"{self.watch.exploded} steps in a row with a loss over {watch.explosion:g} times its median",
                "losses that stay near those of the steps before",
                progress,
            )

    def skip(self, most: int, progress: Progress) -> None:
        """Count a step that was left out; after `most` in a row go back to the last checkpoint, once.

        Raises:
            TrainingError: It had gone back before, or there is no checkpoint to go back to.
        """
        self.step += 1
        self.skipped += 1
        self.bad_in_a_row += 1
        if self.bad_in_a_row >= most:
            self._go_back(f"{most} steps in a row with NaN or infinite loss or gradient", "finite numbers", progress)

    def _go_back(self, found: str, expected: str, progress: Progress) -> None:
        """Take up the last checkpoint at half the learning rate, once in a training."""
        step, skipped = self.step, self.skipped
        if self.went_back or not self.resume(progress):
            raise TrainingError(
                f"{found}, up to step {step}",
                expected,
                "lower the learning rate or look at the newest inputs; the last good checkpoint is kept",
                self.checkpoints.folder,
            )
        scale_rates(list(self._optimizers.values()), _RATE_AFTER_GOING_BACK)
        self.went_back, self.skipped, self.bad_in_a_row = True, skipped, 0
        progress.say(f"{found}: back from step {step} to {self.step} at half the learning rate")

    def sound_alarms(self, row: HistoryRow, watch: WatchSpec, progress: Progress) -> None:
        """Warn of collapse and of a saturated critic, whose learning rate is lowered if the spec asks for it."""
        self.watch, alarms = after_row(self.watch, row, watch)
        for text in alarms.values():
            self.alarms.append(f"step {self.step}: {text}")
            progress.say(f"warning at {self.alarms[-1]}")
        for name in ("collapsed", "saturated"):
            if any(column in row for column in _COLUMNS[name]):
                row[name] = int(name in alarms)
        if "saturated" in alarms and watch.ease is not None:
            scale_rates([player for name, player in self._optimizers.items() if name.endswith("critic")], watch.ease)

    def judge(
        self, score: float | None, network: nn.Module, min_delta: float, seen: Mapping[str, float] | None = None
    ) -> bool:
        """Note a row of history; keep the network's weights if its score is the best so far.

        A score that is NaN or infinite is never the best.

        Args:
            score: Higher is better; none when there is no validation, or the network cannot be chosen yet.
            network: The network scored.
            min_delta: Rise that counts against the plateau.
            seen: Further columns of the row.

        Returns:
            Whether this score is the best so far.
        """
        finite = score is not None and math.isfinite(score)
        row: HistoryRow = {"step": self.step, **self.averages.take(), **(seen or {})}
        if score is not None:
            row["score"] = score if finite else None
        self.history.append(row)
        if score is None:
            self.best_step = self.step if self.best_score is None else self.best_step
            return False
        risen = finite and (self.reference is None or score > self.reference + min_delta)
        self.stale = 0 if risen else self.stale + 1
        self.reference = score if risen else self.reference
        if not finite or (self.best_score is not None and score <= self.best_score):
            return False
        self.best_step, self.best_score = self.step, score
        self.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
        return True

    def checkpoint(self) -> None:
        """Write the whole standing."""
        state = capture(self._networks, self._optimizers)
        best = {f"best/{name}": value for name, value in self.best.items()}
        self.checkpoints.save(self.step, Snapshot({**state.tensors, **best}, {**state.values, **self._values()}))

    def resume(self, progress: Progress) -> bool:
        """Resume from the newest whole checkpoint; return whether there was one."""
        snapshot = self.checkpoints.latest(progress)
        if snapshot is None:
            return False
        restore(snapshot, self._networks, self._optimizers)
        self.best = below(snapshot.tensors, "best/")
        values = snapshot.values["standing"]
        self.averages = Averages(dict(values.pop("sums")), dict(values.pop("counts")))
        self.watch = WatchState.from_json(values.pop("watch"))
        for name, value in values.items():
            setattr(self, name, value)
        return True

    def outcome(self, *, plateaued: bool) -> Outcome:
        """What the training came to."""
        return Outcome(
            self.step,
            self.best_step,
            self.best_score,
            plateaued,
            self.seconds,
            self.skipped,
            tuple(self.history),
            tuple(self.alarms),
        )

    def _values(self) -> dict[str, Any]:
        names = (
            "step",
            "best_step",
            "best_score",
            "stale",
            "reference",
            "skipped",
            "bad_in_a_row",
            "went_back",
            "seconds",
            "history",
            "alarms",
        )
        averages = {"sums": dict(self.averages.sums), "counts": dict(self.averages.counts)}
        standing = {name: getattr(self, name) for name in names}
        return {"standing": {**standing, **averages, "watch": self.watch.to_json()}}
