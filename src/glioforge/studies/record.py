"""What tasks of a study leave behind, in one shape that every page reads.

A study is a plan of tasks.  Each finished task leaves one `Record`; a page gets all of them,
in the order of the plan, with the results table, as `Results`.

Kinds of task
-------------
pilot             trial run of the baseline that finds the number of steps (`training`)
trial             training of a segmenter with one of the changes that are tried (`training`, `made`: `score`)
generator         training of the synthesizer under test, in augmentation studies (`training`)
synthesizer       training of one synthesizer of a comparison (`training`)
segmenter         training of one segmenter, of an arm or of a comparison (`training`)
judge             training of the reference segmenter, and its rows on scans (`training`, `rows`)
joined            second cohort that a synthesizer is also trained on (`details`: `cases`, `from`, `contrasts`)
screener          training of the segmenter that filters ask (`training`); a note where there are too few subjects
synthetic         synthetic cases of the source `arm` (`details`: `made`, `kept`, `verdicts`); a filter that could
                  not be fitted is a note
fidelity, images  images of unseen label maps, with their rows
search            search of cases for held-out subjects: a hit is an error (`details`: `searched`, `held_out`)
gap               distances of synthetic cases from test scans (`details`: `numbers`, `extractor`)
series            edited label maps for pictures (`details`: `source`); an edit that suits no map is a note
hosts, inserted   healthy brain of another cohort (`details`: `case`, `from`), and lesions in its label map
shown             images of a series and of lesions in a healthy brain (`details`: `dice`, `subjects`)
scores            rows of a segmenter on unseen subjects
"""

import math
import resource
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self, final

from glioforge.core import Lineage
from glioforge.io import ResultRow
from glioforge.training import HistoryRow, Outcome

_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024


@final
@dataclass(frozen=True)
class Training:
    """How one training went; the same for segmenters and synthesizers, and for those without a network.

    Args:
        parameters: Trained numbers of the network that is used after training; 0 without a network, none where a
            program of others does not say.
        steps: Optimiser steps taken; 0 without a network.
        best_step: Step whose weights were kept.
        best_score: Validation score of these weights, higher is better; none without validation.
        plateaued: Whether the score stopped rising before the steps ran out.
        seconds: Time of the training alone; none without a network.
        history: Losses and scores over steps, a row for each validation interval.
        alarms: Warnings about collapse or balance.
    """

    parameters: int | None = 0
    steps: int = 0
    best_step: int = 0
    best_score: float | None = None
    plateaued: bool = False
    seconds: float | None = None
    history: tuple[HistoryRow, ...] = ()
    alarms: tuple[str, ...] = ()

    @classmethod
    def of(cls, parameters: int | None, outcome: Outcome) -> Self:
        """Return the record of a network's training."""
        return cls(
            parameters,
            outcome.steps,
            outcome.best_step,
            outcome.best_score,
            outcome.plateaued,
            outcome.seconds,
            tuple(outcome.history),
            tuple(outcome.alarms),
        )


@final
@dataclass(frozen=True)
class Cost:
    """Time and memory of a task, for reports and estimates; never part of the results.

    Args:
        seconds: Wall-clock time of the task.
        peak_gib: Largest resident memory of its process so far.
        disk_mib: Size of the files that it left.
        seconds_per_volume: Time to label or to make one volume, where the task does that.
        processor_s: Processor time of its process, over all threads; none in records of earlier releases. With one
            thread, less than `seconds` where the processor was shared.
    """

    seconds: float
    peak_gib: float
    disk_mib: float = 0.0
    seconds_per_volume: float | None = None
    processor_s: float | None = None


@final
class Clock:
    """Measures a task from the making of this object on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._processor = time.process_time()

    @property
    def seconds(self) -> float:
        """Wall-clock time so far."""
        return time.monotonic() - self._began

    def cost(self, seconds_per_volume: float | None = None) -> Cost:
        """Return time and peak memory until now."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT
        spent = round(time.process_time() - self._processor, 1)
        sizes = (round(self.seconds, 1), round(peak / 2**30, 2))
        return Cost(*sizes, seconds_per_volume=seconds_per_volume, processor_s=spent)


@final
@dataclass(frozen=True)
class Record:
    """What a task leaves: rows of the results table, one shape of training, time and memory.

    Args:
        task: Name of the task, which is its place below the study's folder.
        kind: Kind of the task, by which pages choose (see above).
        fold: Fold of the task.
        arm: What is compared, or the source of synthetic cases; empty for a task of the whole fold.
        seed: Number of the repetition.
        rows: Rows of the results table.
        training: The training, where the task trained something.
        cost: Time and memory.
        notes: What a page has to say of the task, in sentences without a full stop.
        left_out: Why the task was not done; empty for one that was.
        made: Hashes and numbers that other tasks depend on, plain JSON values.
        lineage: Everyone behind what the task made, for the firewall; none for what is never trained on.
        details: What only pages read, plain JSON values.
        draw: Number of the draw of training subjects.
        generator_seed: Number of the generator's repetition.
    """

    task: str
    kind: str
    fold: int = 0
    arm: str = ""
    seed: int = 0
    rows: tuple[ResultRow, ...] = ()
    training: Training | None = None
    cost: Cost | None = None
    notes: tuple[str, ...] = ()
    left_out: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)
    lineage: Lineage | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    draw: int = 0
    generator_seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, free of the study's and the task's own names, so that studies can share them."""
        values = {name: getattr(self, name) for name in ("notes", "left_out", "made", "details")}
        values["lineage"] = None if self.lineage is None else self.lineage.to_json()
        values |= {name: None if part is None else asdict(part) for name, part in self._parts().items()}
        return values | {"rows": [_row_to_json(row, self.arm) for row in self.rows]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], named: Self, study: str) -> Self:
        """Return the record of a task from what `to_json` gave.

        Args:
            values: Plain values.
            named: Record with task, kind, fold, arm and seed.
            study: Name of the study that the rows are for.
        """
        known = {"study": study, **{name: getattr(named, name) for name in _OWN[1:]}}
        training, cost = values["training"], values["cost"]
        lists = {name: tuple(training[name]) for name in ("history", "alarms")} if training else {}
        return replace(
            named,
            rows=tuple(_row_from_json(row, named.arm, known) for row in values["rows"]),
            training=Training(**{**training, **lists}) if training else None,
            cost=Cost(**cost) if cost else None,
            notes=tuple(values["notes"]),
            left_out=values["left_out"],
            made=values["made"],
            lineage=None if values["lineage"] is None else Lineage.from_json(values["lineage"]),
            details=values["details"],
        )

    def _parts(self) -> dict[str, Training | Cost | None]:
        """Values that are dataclasses."""
        return {"training": self.training, "cost": self.cost}


def of_kind(records: Iterable[Record], *kinds: str) -> list[Record]:
    """Return the records of these kinds that were not left out, in order."""
    return [record for record in records if record.kind in kinds and not record.left_out]


def rows_of(records: Sequence[Record]) -> list[ResultRow]:
    """Return the rows of all records."""
    return [row for record in records for row in record.rows]


_OWN = ("study", "fold", "seed", "draw", "generator_seed")
"""Columns of a row that its study and its task give."""


def _row_to_json(row: ResultRow, arm: str) -> dict[str, Any]:
    """Columns of a row that do not name study, fold, draw and seeds; no value stands for NaN, no arm for the task's."""
    own = {name: value for name, value in asdict(row).items() if name not in _OWN}
    return {**own, "arm": None if row.arm == arm else row.arm, "value": None if math.isnan(row.value) else row.value}


def _row_from_json(values: Mapping[str, Any], arm: str, known: Mapping[str, Any]) -> ResultRow:
    """Inverse of `_row_to_json`."""
    value = math.nan if values["value"] is None else values["value"]
    return ResultRow(**{**values, **known, "arm": arm if values["arm"] is None else values["arm"], "value": value})
