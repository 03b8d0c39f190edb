"""The scheme that the label files of a cohort are written in, and how that is known."""

from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True)
class LabelSource:
    """Scheme of the label files that a cohort comes from.

    A prepared or synthetic cohort keeps it, so that what is written for people
    has the label values of their own files.

    Args:
        scheme: Name of the scheme.
        reason: Why this scheme was taken, for people.

    Example:
        >>> print(LabelSource("brats2017", "stated"))
        brats2017 (stated)
    """

    scheme: str
    reason: str

    def __str__(self) -> str:
        """Return scheme and reason."""
        return f"{self.scheme} ({self.reason})" if self.reason else self.scheme

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"scheme": self.scheme, "reason": self.reason}
