"""Typed errors that say what was found, what was expected and what to do.

Every error a user can meet derives from `GlioforgeError`.  The command line
prints its message without a traceback and exits with `exit_code`.
"""

from pathlib import Path
from typing import ClassVar, final


class GlioforgeError(Exception):
    """Base of all errors that a user can cause and fix; never raised itself.

    Args:
        found: What was found.
        expected: What was expected instead; may be empty.
        remedy: What to do about it; may be empty.
        where: File, folder, case or configuration key concerned, if any.

    Example:
        >>> print(LabelError("label map holds [4]", "labels 0-3", "remap the map"))
        label map holds [4]; expected labels 0-3; remap the map
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, found: str, expected: str = "", remedy: str = "", where: str | Path | None = None) -> None:
        self.found = found
        self.expected = expected
        self.remedy = remedy
        self.where = None if where is None else str(where)
        super().__init__(found, expected, remedy, where)

    def __str__(self) -> str:
        """Return `where: found; expected ...; remedy`, leaving out what is empty."""
        parts = [self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(self.remedy)
        message = "; ".join(parts)
        return f"{self.where}: {message}" if self.where else message


@final
class GeometryError(GlioforgeError):
    """Grids, affines or boxes do not fit each other."""


@final
class LabelError(GlioforgeError):
    """Label values or schemes do not fit each other."""


@final
class CaseError(GlioforgeError):
    """A case is incomplete or contradicts itself."""


@final
class CohortError(GlioforgeError):
    """A cohort cannot be formed, split or mixed as asked."""


@final
class LeakageError(GlioforgeError):
    """Evaluation subjects stand behind a training input."""

    exit_code: ClassVar[int] = 3


@final
class SpecError(GlioforgeError):
    """A configuration key or value is wrong."""

    exit_code: ClassVar[int] = 2


@final
class InputFileError(GlioforgeError):
    """A file cannot be read or trusted."""


@final
class OutputError(GlioforgeError):
    """A result cannot be written: disk full, read-only, or made by another command."""


@final
class EditError(GlioforgeError):
    """A lesion edit cannot be drawn or applied."""


@final
class TrainingError(GlioforgeError):
    """A training diverged or cannot go on."""


@final
class MetricError(GlioforgeError):
    """Numbers of one case contradict each other: a fault of the program or of a label scheme, never of a model."""


@final
class DependencyError(GlioforgeError):
    """An optional package is needed and not installed."""


@final
class WorkerError(GlioforgeError):
    """A worker process ended before its work did."""
