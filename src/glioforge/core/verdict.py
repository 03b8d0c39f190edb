"""Verdicts of quality filters on cases, as plain rows, and how many cases each filter leaves."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True)
class VerdictRow:
    """What one filter said of one case.

    Args:
        case_id: The case.
        filter: Kind of the filter.
        keep: Whether the case passed.
        score: The number behind it; higher is worse.
        reason: One sentence.
    """

    case_id: str
    filter: str
    keep: bool
    score: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; a score that is not finite becomes null."""
        return {
            "case_id": self.case_id,
            "filter": self.filter,
            "keep": self.keep,
            "score": self.score if math.isfinite(self.score) else None,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "VerdictRow":
        """Inverse of `to_json`; null becomes infinity."""
        score = values["score"]
        return cls(
            values["case_id"],
            values["filter"],
            values["keep"],
            float("inf") if score is None else float(score),
            values["reason"],
        )


@final
@dataclass(frozen=True)
class Stage:
    """How many cases are left after a step of the check."""

    name: str
    count: int


def funnel(rows: Iterable[VerdictRow]) -> tuple[Stage, ...]:
    """Cases left after each filter in turn, from `made` to the last filter; empty for no verdicts.

    Example:
        >>> rows = [VerdictRow("a", "x", True, 0.0, "fine"), VerdictRow("b", "x", False, 9.0, "odd")]
        >>> [(stage.name, stage.count) for stage in funnel(rows)]
        [('made', 2), ('x', 1)]
    """
    verdicts = list(rows)
    left = {row.case_id for row in verdicts}
    stages = [Stage("made", len(left))] if left else []
    for name in dict.fromkeys(row.filter for row in verdicts):
        left -= {row.case_id for row in verdicts if row.filter == name and not row.keep}
        stages.append(Stage(name, len(left)))
    return tuple(stages)
