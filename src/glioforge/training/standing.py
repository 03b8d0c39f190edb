"""How far a training has come: what a checkpoint holds beside networks and optimisers."""

import math
from collections.abc import Mapping
from typing import Any, final

from torch import nn
from torch.optim import Optimizer

from glioforge.core.errors import TrainingError
from glioforge.core.protocols import Progress
from glioforge.training.budget import HistoryRow, Outcome
from glioforge.training.observe import Averages
from glioforge.training.stability import scale_rates
from glioforge.training.state import Checkpoints, Snapshot, Tensors, below, capture, restore

_RATE_AFTER_GOING_BACK = 0.5


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

    def advance(self, scalars: Mapping[str, float]) -> None:
        """Count a step that was taken."""
        self.step += 1
        self.bad_in_a_row = 0
        self.averages.add(scalars)

    def skip(self, most: int, progress: Progress) -> None:
        """Count a step that was left out; after `most` in a row go back to the last checkpoint, once.

        Raises:
            TrainingError: It had gone back before, or there is no checkpoint to go back to.
        """
        self.step += 1
        self.skipped += 1
        self.bad_in_a_row += 1
        if self.bad_in_a_row < most:
            return
        step, skipped = self.step, self.skipped
        if self.went_back or not self.resume(progress):
            raise TrainingError(
                f"{self.bad_in_a_row} steps in a row with NaN or infinite loss or gradient, up to step {step}",
                "finite numbers",
                "lower the learning rate or look at the newest inputs; the last good checkpoint is kept",
                self.checkpoints.folder,
            )
        scale_rates(list(self._optimizers.values()), _RATE_AFTER_GOING_BACK)
        self.went_back, self.skipped, self.bad_in_a_row = True, skipped, 0
        progress.say(
            f"{most} steps in a row were NaN or infinite: "
            f"back from step {step} to {self.step} at half the learning rate"
        )

    def judge(self, score: float | None, network: nn.Module, min_delta: float) -> bool:
        """Note a row of history; keep the network's weights if its score is the best so far.

        A score that is NaN or infinite is never the best.

        Args:
            score: Higher is better; none when there is no validation.
            network: The network scored.
            min_delta: Rise that counts against the plateau.

        Returns:
            Whether this score is the best so far.
        """
        finite = score is not None and math.isfinite(score)
        row: HistoryRow = {"step": self.step, **self.averages.take()}
        if score is not None:
            row["score"] = score if finite else None
        self.history.append(row)
        if score is None:
            self.best_step = self.step
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
        """Take up the newest whole checkpoint; tell whether there was one."""
        snapshot = self.checkpoints.latest(progress)
        if snapshot is None:
            return False
        restore(snapshot, self._networks, self._optimizers)
        self.best = below(snapshot.tensors, "best/")
        values = snapshot.values["standing"]
        self.averages = Averages(dict(values.pop("sums")), dict(values.pop("counts")))
        for name, value in values.items():
            setattr(self, name, value)
        return True

    def outcome(self, *, plateaued: bool) -> Outcome:
        """What the training came to."""
        return Outcome(
            self.step, self.best_step, self.best_score, plateaued, self.seconds, self.skipped, tuple(self.history)
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
        )
        averages = {"sums": dict(self.averages.sums), "counts": dict(self.averages.counts)}
        return {"standing": {**{name: getattr(self, name) for name in names}, **averages}}
