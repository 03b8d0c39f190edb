"""Answers as arrays: what the tests of a reading study compute with, and the ROC curve of a reader.

Each kind asks whether something is there: a synthetic image, a tumour, or, of
two images side by side, the real one on the right.  That answer is `positive`.

Practice items are left out, and so are repeats, which serve the agreement of a
reader with himself only: an item counts once.

The ROC curve is over confidence: both errors at every degree of suspicion (Green &
Swets, Signal Detection Theory and Psychophysics, 1966, chapter 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float64

from glioforge.core import CohortError
from glioforge.reader.analysis_counts import Counts
from glioforge.reader.answers import Answer

POSITIVE: Final = {"choice": "right", "diagnosis": "tumour"}
"""The answer that is positive, by kind; `synthetic` for the others."""
REAL: Final = "real"
"""Method of items that no generator made."""
Texts = np.ndarray
"""Array of text, one a row."""


@final
@dataclass(frozen=True)
class Readings:
    """Answers of one kind in the order they were given, practice and repeats left out.

    Args:
        answers: The rows.
    """

    answers: tuple[Answer, ...]

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> "Readings":
        """Take the answers that count."""
        return cls(tuple(answer for answer in answers if not answer.practice and not answer.repeat_of))

    def __len__(self) -> int:
        """Number of answers."""
        return len(self.answers)

    def __bool__(self) -> bool:
        """Whether there is any answer."""
        return bool(self.answers)

    def column(self, name: str) -> Texts:
        """Values of a text column, `(answer,)`."""
        return np.array([getattr(answer, name) for answer in self.answers], dtype=str)

    def numbers(self, name: str) -> Float64[np.ndarray, "answer"]:
        """Values of a column of numbers; NaN where empty."""
        found = (getattr(answer, name) for answer in self.answers)
        return np.array([np.nan if value is None else float(value) for value in found], dtype=np.float64)

    @property
    def kind(self) -> str:
        """Kind of the answers; empty without any."""
        return self.answers[0].kind if self.answers else ""

    @property
    def positive(self) -> Bool[np.ndarray, "answer"]:
        """Whether the item is positive: synthetic, with a tumour, or real on the right."""
        return self.column("truth") == POSITIVE.get(self.kind, "synthetic")

    @property
    def called_positive(self) -> Bool[np.ndarray, "answer"]:
        """Whether the reader called it so."""
        return self.column("call") == POSITIVE.get(self.kind, "synthetic")

    @property
    def correct(self) -> Float64[np.ndarray, "answer"]:
        """1 for right calls, 0 for wrong ones."""
        return (self.positive == self.called_positive).astype(np.float64)

    @property
    def readers(self) -> tuple[str, ...]:
        """Names of the readers, sorted."""
        return tuple(sorted({answer.reader for answer in self.answers}))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the generators, sorted; `real` and phantoms are none."""
        return tuple(sorted({answer.method for answer in self.answers} - {REAL, "phantom", ""}))

    @property
    def contrasts(self) -> tuple[str, ...]:
        """Contrasts shown, in the order of their first answer."""
        return tuple(dict.fromkeys(answer.contrast for answer in self.answers))

    def where(self, *, reader: str = "", method: str = "", contrast: str = "", alone: bool = False) -> "Readings":
        """Answers of a reader, of a contrast, and on a method's items with the real ones, or without; empty for all."""
        methods = {method} if alone else {method, REAL}
        return Readings(
            tuple(
                answer
                for answer in self.answers
                if (not reader or answer.reader == reader)
                and (not method or answer.method in methods)
                and (not contrast or answer.contrast == contrast)
            )
        )

    @property
    def counts(self) -> Counts:
        """Calls against truth."""
        truth, call = self.positive, self.called_positive
        return Counts(*(int(((truth == t) & (call == c)).sum()) for t in (False, True) for c in (False, True)))

    @property
    def several_per_subject(self) -> bool:
        """Whether a reader saw several items of one subject."""
        pairs = [(answer.reader, answer.subject) for answer in self.answers]
        return len(set(pairs)) < len(pairs)


@final
@dataclass(frozen=True)
class Grid:
    """Answers of several readers to the same items.

    Args:
        readers: Names of the rows.
        subjects: Subject of each column.
        positive: Whether each column is positive; of pairs, for the first reader who saw it.
        rating: `(reader, item)`; confidence that it is positive, negative for the other call; NaN where not read.
        correct: `(reader, item)`; 1 right, 0 wrong; NaN where not read.
    """

    readers: tuple[str, ...]
    subjects: Texts
    positive: Bool[np.ndarray, "item"]
    rating: Float64[np.ndarray, "reader item"]
    correct: Float64[np.ndarray, "reader item"]


def ratings(readings: Readings) -> Float64[np.ndarray, "answer"]:
    """Confidence that an item is positive: plus for positive calls, minus for others; one step where not asked.

    A call with the lowest confidence is half a step from the middle, so that all steps are equal.
    """
    confidence = readings.numbers("confidence")
    size = np.where(np.isfinite(confidence), confidence - 0.5, 0.5)
    return np.where(readings.called_positive, size, -size)


def grid(readings: Readings) -> Grid:
    """Lay out answers by reader and item.

    Raises:
        CohortError: There are no answers.
    """
    if not readings:
        raise CohortError("no answers", "answers of at least one reader")
    items, first, columns = np.unique(readings.column("item"), return_index=True, return_inverse=True)
    rows = np.searchsorted(np.array(readings.readers), readings.column("reader"))
    rating, correct = (np.full((len(readings.readers), len(items)), np.nan) for _ in range(2))
    rating[rows, columns] = ratings(readings)
    correct[rows, columns] = readings.correct
    return Grid(readings.readers, readings.column("subject")[first], readings.positive[first], rating, correct)


@final
@dataclass(frozen=True)
class Roc:
    """Points of a curve from (0, 0) to (1, 1).

    Args:
        alarms: Share of negative items rated at least as high as each threshold.
        hits: The same share of positive items.
    """

    alarms: tuple[float, ...]
    hits: tuple[float, ...]

    @property
    def area(self) -> float:
        """Area under the straight lines between the points: the AUC."""
        return float(np.trapezoid(self.hits, self.alarms))


def roc(readings: Readings) -> Roc | None:
    """Curve of one reader; none without confidences, or where one kind of item is missing.

    Args:
        readings: Answers of one reader.
    """
    truth = readings.positive
    if not np.isfinite(readings.numbers("confidence")).any() or truth.all() or not truth.any():
        return None
    values = ratings(readings)
    steps = np.unique(values)[::-1]
    alarms, hits = ((values[kind][:, None] >= steps).mean(axis=0) for kind in (~truth, truth))
    return Roc((0.0, *alarms.tolist()), (0.0, *hits.tolist()))
