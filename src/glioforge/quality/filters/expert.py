"""Cases that experts accepted in a reading study of kind `accept`: their verdicts as a filter.

`glioforge filter --queue N` writes a cohort of cases for experts, and `glioforge
reader create` shows it.  The exported answers come back here: a case is kept where
the share of experts who rejected it is not above a limit.  What no expert has seen is
not kept, for an unread case is no accepted one.

Source: Foroozandeh & Eklund (2020) propose that physicians discard masks.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from pydantic import Field

from glioforge.core import Case, InputFileError, Verdict
from glioforge.io import read_csv
from glioforge.quality import FILTERS, Evidence, FilterSpec

_CALLS: Final = ("accept", "reject")


class ExpertSpec(FilterSpec):
    """Settings of the filter by experts."""

    kind: Literal["expert"] = "expert"
    answers: Path
    """Exported answers of a locked reading study of kind `accept`: `answers.csv`, or any table with the columns
    `subject`, `call`, and, if it likes, `reader` and `practice`."""
    most_rejecting: float = Field(0.5, ge=0, lt=1)
    """Largest share of experts who rejected a case that is kept."""


@FILTERS.register(ExpertSpec)
@final
@dataclass(frozen=True, eq=False)
class Expert:
    """Calls of experts by the subject id of each case, which is a synthetic case's own.

    Args:
        spec: Settings.
        subjects: Subjects behind the limit.
        calls: Calls on each case, by its subject id.
    """

    spec: ExpertSpec
    subjects: tuple[str, ...]
    calls: Mapping[str, tuple[str, ...]]

    @classmethod
    def fit(cls, spec: ExpertSpec, evidence: Evidence) -> "Expert":
        """Read the answers; practice items do not count.

        Raises:
            InputFileError: The file is no table of answers of this kind.
        """
        calls: dict[str, list[str]] = defaultdict(list)
        for number, row in enumerate(read_csv(spec.answers), start=2):
            if row.get("practice", "no").lower() == "yes":
                continue
            if "subject" not in row or row.get("call") not in _CALLS:
                raise InputFileError(
                    f"line {number} without subject or with call {row.get('call')!r}",
                    f"answers of a reading study of kind accept, calls {' or '.join(_CALLS)}",
                    "export the study with `glioforge reader export`",
                    spec.answers,
                )
            calls[row["subject"].removeprefix("'")].append(row["call"])
        return cls(spec, evidence.subjects(), {subject: tuple(given) for subject, given in calls.items()})

    def assess(self, case: Case) -> Verdict:
        """Look the case up among the answers."""
        given = self.calls.get(case.subject_id, ())
        if not given:
            return Verdict(False, 1.0, "no expert has read the case")
        rejecting = given.count("reject")
        share = rejecting / len(given)
        return Verdict(
            share <= self.spec.most_rejecting, share, f"{rejecting} of {len(given)} readings reject the case"
        )
