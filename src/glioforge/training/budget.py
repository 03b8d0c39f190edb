"""How long a training may take and when it is judged; free of torch, so that specs can hold it."""

from dataclasses import dataclass
from typing import Any, final

from pydantic import Field

from glioforge.config.spec import Spec
from glioforge.training.watch import WatchSpec

HistoryRow = dict[str, float | int | None]


class Budget(Spec):
    """Length of a training, and the rhythm of validation and checkpoints."""

    steps: int = Field(1000, ge=1)
    """Steps at most."""
    validate_every: int = Field(100, ge=1)
    """Steps between two validations; one more comes at the end."""
    patience: int | None = Field(None, ge=1)
    """Validations without improvement until the plateau is declared and training ends; none trains to the last step."""
    min_delta: float = Field(0.0, ge=0.0)
    """By how much a score must rise to count as an improvement for `patience`."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between two checkpoints."""
    max_skipped: int = Field(10, ge=1)
    """Steps in a row with NaN or infinity before the training goes back to its last checkpoint, once."""
    watch: WatchSpec = WatchSpec()
    """When the training goes back or warns though all numbers are finite."""
    snapshots: int = Field(0, ge=0)
    """Networks of the last so many validations that are kept beside the weights, for ensembles."""
    accumulate: int = Field(1, ge=1)
    """Parts that a batch is cut into, one after the other in memory; the step is that of the whole batch."""
    checkpoint_activations: bool = False
    """Compute the networks' stages again on the way back instead of keeping them: less memory, about a third slower."""
    samples: bool = True
    """Write a picture of made images beside scans at each validation."""
    tensorboard: bool = False
    """Write events for TensorBoard at each validation; needs the extra `tensorboard`."""


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
