"""What the parts promise each other, as protocols without a framework; verdicts of quality filters as plain rows."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, final, runtime_checkable

import numpy as np

from glioforge.core.case import Case
from glioforge.core.labels import LabelMap
from glioforge.core.volume import Modality, Volume


@runtime_checkable
class ImageSynthesizer(Protocol):
    """Makes the contrasts that belong to a complete label map."""

    def synthesize(self, labels: LabelMap, rng: np.random.Generator) -> Mapping[Modality, Volume]:
        """Return one volume a contrast on the map's grid; the same generator state gives the same bytes."""
        ...


@runtime_checkable
class ImageSampler(Protocol):
    """Makes images from noise."""

    def sample(self, count: int, rng: np.random.Generator) -> Iterator[Mapping[Modality, Volume]]:
        """Yield `count` times one volume per contrast on one grid; none for 0."""
        ...


@runtime_checkable
class LabelSampler(Protocol):
    """Makes label maps from noise."""

    def sample(self, count: int, rng: np.random.Generator) -> Iterator[LabelMap]:
        """Yield `count` label maps; none for 0."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Labels the tumour of a case."""

    def segment(self, case: Case) -> LabelMap:
        """Return a label map on the case's grid."""
        ...


@final
@dataclass(frozen=True)
class EditRecord:
    """A drawn edit: its kind and plain JSON values, enough to apply it again.

    Args:
        kind: Name of the edit.
        values: Drawn parameters, plain JSON.
    """

    kind: str
    values: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, as kept in a lineage."""
        return {"kind": self.kind, **self.values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "EditRecord":
        """Inverse of `to_json`."""
        return cls(values["kind"], {k: v for k, v in values.items() if k != "kind"})


@runtime_checkable
class LesionEdit(Protocol):
    """Changes the lesion of a complete label map; drawing is apart from applying."""

    def draw(self, labels: LabelMap, rng: np.random.Generator) -> EditRecord:
        """Draw the parameters that suit this map; raises `EditError` if none do."""
        ...

    def apply(self, labels: LabelMap, record: EditRecord) -> LabelMap:
        """Apply a drawn edit; pure: the same map and record give the same bytes."""
        ...


@final
@dataclass(frozen=True)
class Verdict:
    """What a quality filter says of a case.

    Args:
        keep: Whether the case passes.
        score: The number behind it; higher is worse.
        reason: One sentence, never empty.
    """

    keep: bool
    score: float
    reason: str


@runtime_checkable
class QualityFilter(Protocol):
    """Judges synthetic cases one by one, by limits that were set from real training cases."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everyone whose data the limits were set from, sorted; they join the lineage of every case that is kept."""
        ...

    def assess(self, case: Case) -> Verdict:
        """Judge the case without changing it."""
        ...


Item = TypeVar("Item")


@runtime_checkable
class Progress(Protocol):
    """Shows how far a long piece of work is."""

    def track(self, items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
        """Pass items on while showing how many are done."""
        ...

    def say(self, text: str) -> None:
        """Print one line."""
        ...

    def note(self, text: str) -> None:
        """Show the present state of the work, such as a loss, in place of the one before; cheap, called every step."""
        ...

    def task(self, name: str) -> AbstractContextManager["Progress"]:
        """Show one of several tasks as a row of its own; what it does is shown through the progress returned."""
        ...


@final
class Silent:
    """A `Progress` that shows nothing; the default of the Python API."""

    def track(self, items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:  # noqa: ARG002 - the protocol's signature
        """Pass items on."""
        yield from items

    def say(self, text: str) -> None:
        """Print nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def task(self, name: str) -> AbstractContextManager[Progress]:  # noqa: ARG002 - the protocol's signature
        """Show nothing of the task either."""
        return nullcontext(self)


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
