"""A finding: what is wrong or remarkable with a case, and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, final

from glioforge.core import GlioforgeError

Severity = Literal["error", "warning", "remark"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "remark")
"""Errors stop `ingest`; warnings are probably mistakes; remarks are good to know."""


@final
@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        severity: How bad it is.
        topic: What it is about, the same words for the same kind of thing.
        case_id: The case; empty where it is about the folder.
        file: The file; empty where it is about the case.
        what: What was found.
        remedy: What to do about it.
    """

    severity: Severity
    topic: str
    case_id: str
    file: str
    what: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def finding_of(error: GlioforgeError, case_id: str, topic: str) -> Finding:
    """An error, as a finding that does not stop anything.

    Args:
        error: The typed error.
        case_id: The case it is about; empty for the folder.
        topic: What it is about.
    """
    what = f"{error.found}; expected {error.expected}" if error.expected else error.found
    file = error.where if error.where and error.where != case_id else ""
    return Finding("error", topic, case_id, file, what, error.remedy)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings, the worst first, then by case, topic and file.

    Example:
        >>> a, b = Finding("remark", "t", "c", "", "w", "r"), Finding("error", "t", "d", "", "w", "r")
        >>> in_order([a, b])[0].severity
        'error'
    """
    return tuple(sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.case_id, f.topic, f.file)))
