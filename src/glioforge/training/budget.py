"""How long a training may take and when it is validated, and what one call to train is given.

The module is free of torch, so that specs can hold a budget.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

from pydantic import Field, model_validator

from glioforge.compute import AcceleratorSpec
from glioforge.config import Spec
from glioforge.core import Cohort, Progress
from glioforge.training.watch import WatchSpec

HistoryRow = dict[str, float | int | None]


class Budget(Spec):
    """Length of a training, and the rhythm of validation and checkpoints.

    Example:
        >>> Budget(epochs=150, validate_every=10_000).in_steps(lambda: 3255).steps
        488250
    """

    steps: int = Field(1000, ge=0)
    """Steps at most; 0, or null, where the length is given in `epochs`."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training slices, or over the cases for patches and volumes, in place of `steps`: an epoch has as
    many steps as batches are needed to draw each of them once on average, and ends with a validation at the latest."""
    validate_every: int = Field(100, ge=1)
    """Steps between two validations; one more comes at the end."""
    patience: int | None = Field(None, ge=1)
    """Validations without improvement until the plateau is declared and training ends; none trains to the last step."""
    min_delta: float = Field(0.0, ge=0.0)
    """By how much a score must rise to count as an improvement for `patience`."""
    gain: float | None = Field(None, gt=0, exclude_if=lambda value: value is None)
    """Training ends when the best score of the last third of the steps exceeds the best one before by less than this,
    from a score of .1 and six validations on; none trains to the last step."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between two checkpoints."""
    max_skipped: int = Field(10, ge=1)
    """Steps in a row with NaN or infinity before the training goes back to its last checkpoint, once."""
    watch: WatchSpec = WatchSpec()
    """When the training goes back or warns though all numbers are finite."""
    snapshots: int = Field(0, ge=0)
    """Number of networks of the last validations that are kept with the weights, for ensembles."""
    accumulate: int = Field(1, ge=1)
    """Parts that a batch is cut into, one after the other in memory; the step is that of the whole batch."""
    checkpoint_activations: bool = False
    """Compute the networks' stages again on the way back instead of keeping them: less memory, about a third slower."""
    samples: bool = True
    """Write a picture of synthetic images with their scans at each validation."""
    tensorboard: bool = False
    """Write events for TensorBoard at each validation; needs the extra `tensorboard`."""

    @model_validator(mode="before")
    @classmethod
    def _steps_left_out(cls, values: Any) -> Any:  # noqa: ANN401 - whatever a YAML holds
        """Epochs alone, or with null steps, mean 0 steps."""
        if not isinstance(values, Mapping) or values.get("steps") is not None:
            return values
        others = {key: value for key, value in values.items() if key != "steps"}
        return others if values.get("epochs") is None else {**others, "steps": 0}

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        """Refuse two lengths, and none."""
        if (self.steps > 0) == (self.epochs is not None):
            msg = f"{self.steps} steps and epochs {self.epochs}: give one of them and set the other to null"
            raise ValueError(msg)
        return self

    def in_steps(self, epoch: Callable[[], int]) -> "Budget":
        """Return this budget with its length in steps; itself unless that is given in epochs.

        Args:
            epoch: Counts the steps of an epoch, at least 1; called only where they are needed.
        """
        if self.epochs is None:
            return self
        count = epoch()
        often = min(self.validate_every, count)
        return self.model_copy(update={"steps": self.epochs * count, "epochs": None, "validate_every": often})


LEAST_VALIDATIONS = 6
"""Validations from which on a plateau is looked for by `gain`."""
LEAST_SCORE = 0.1
"""Score from which on a flat curve is a plateau and no slow begin."""


def levelled(history: Sequence[HistoryRow], gain: float) -> bool:
    """Return whether the best score of the last third of the validations exceeds the best before by less than `gain`.

    Args:
        history: Rows with a `score`, one a validation; rows without one are passed over.
        gain: Smallest rise that counts.

    Example:
        >>> rows = [{"step": n, "score": score} for n, score in enumerate([0.1, 0.5, 0.7, 0.8, 0.801, 0.8])]
        >>> levelled(rows, 0.005), levelled(rows, 0.0005)
        (True, False)
    """
    scores = [float(score) for row in history if (score := row.get("score")) is not None]
    last = math.ceil(len(scores) / 3)
    if len(scores) < LEAST_VALIDATIONS or max(scores) < LEAST_SCORE:
        return False
    return max(scores[-last:]) - max(scores[:-last]) < gain


@final
@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Args:
        steps: Steps taken.
        best_step: Step whose weights were kept; the last one without validation.
        best_score: Validation score of these weights, higher is better; none without validation.
        plateaued: Whether the score stopped rising before the steps ran out.
        seconds: Time spent in all processes that took part.
        skipped: Steps left out because of NaN or infinity.
        history: Losses and scores over steps, a row a validation interval.
        alarms: Warnings about collapse or balance, with their steps.
    """

    steps: int
    best_step: int
    best_score: float | None
    plateaued: bool
    seconds: float
    skipped: int
    history: tuple[HistoryRow, ...]
    alarms: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.__dict__, "history": list(self.history), "alarms": list(self.alarms)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Outcome":
        """Inverse of `to_json`."""
        return cls(
            **{**values, "history": tuple(values["history"]), "alarms": tuple(values.get("alarms", ()))},
        )


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what several trainings of one model came to: the longest, the mean of their scores, the first history.

    Args:
        outcomes: Of each training; at least one.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    scores = [outcome.best_score for outcome in outcomes if outcome.best_score is not None]
    return Outcome(
        steps=max(outcome.steps for outcome in outcomes),
        best_step=max(outcome.best_step for outcome in outcomes),
        best_score=sum(scores) / len(scores) if scores else None,
        plateaued=all(outcome.plateaued for outcome in outcomes),
        seconds=sum(outcome.seconds for outcome in outcomes),
        skipped=sum(outcome.skipped for outcome in outcomes),
        history=outcomes[0].history,
        alarms=tuple(alarm for outcome in outcomes for alarm in outcome.alarms),
    )


@final
@dataclass(frozen=True, eq=False)
class Fitting:
    """One call to train a method or a sampler.

    Args:
        train: Training cases.
        validation: Cases of other subjects that select the weights, if any.
        folder: The training's own folder.
        seed: Root of all draws.
        accelerator: Devices, precision, threads.
        progress: Where progress is shown.
    """

    train: Cohort
    validation: Cohort | None
    folder: Path
    seed: int
    accelerator: AcceleratorSpec
    progress: Progress
