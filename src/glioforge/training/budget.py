"""How long a training may take and when it is judged; free of torch, so that specs can hold it."""

from dataclasses import dataclass
from typing import Any, final

from pydantic import Field

from glioforge.config.spec import Spec

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
    """

    steps: int
    best_step: int
    best_score: float | None
    plateaued: bool
    seconds: float
    skipped: int
    history: tuple[HistoryRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.__dict__, "history": list(self.history)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Outcome":
        """Inverse of `to_json`."""
        return cls(**{**values, "history": tuple(values["history"])})
