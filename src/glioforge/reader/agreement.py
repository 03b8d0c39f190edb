"""Agreement of readers with each other and with themselves: Cohen's and Fleiss' kappa, and masks.

Agreement within a reader comes from items shown a second time, agreement
between readers from items that both judged.  Kappa is 0 for agreement by chance
and 1 for complete agreement; scores are weighted by the square of their
distance.  Intervals draw subjects with replacement.

Sources: Cohen, Educational and Psychological Measurement 20 (1960) and
Psychological Bulletin 70 (1968); Fleiss, Psychological Bulletin 76 (1971).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int

from glioforge.core import stream
from glioforge.reader.analysis_readings import Readings
from glioforge.reader.answers import Answer
from glioforge.statistics import Interval, estimate_by_seed, too_few

DRAWS = 2000
"""Bootstrap samples of subjects."""
Codes = Int[np.ndarray, "item"]
Mask = Bool[np.ndarray, "row column"]
Pair = tuple[Answer, Answer]


@final
@dataclass(frozen=True)
class Agreement:
    """Agreement on the same items.

    Args:
        who: Whose, in words.
        kappa: Cohen's kappa, weighted for scores, with its interval.
        share: Share of items answered alike.
        items: Items answered twice.
    """

    who: str
    kappa: Interval
    share: float
    items: int


@final
@dataclass(frozen=True)
class Outlines:
    """Agreement of two readers' outlines.

    Args:
        who: Names of the readers, in words.
        overlap: Dice, mean over the images that both outlined, each of another subject unless the study says otherwise.
    """

    who: str
    overlap: Interval


@final
@dataclass(frozen=True)
class Scale:
    """Possible answers.

    Args:
        levels: Their number.
        weighted: Whether they are scores, whose disagreement weighs by the square of the distance.
    """

    levels: int
    weighted: bool


def pair_agreement(
    first: Codes, second: Codes, subjects: np.ndarray, scale: Scale, *, who: str, seed: int
) -> Agreement:
    """Agreement of two sets of answers to the same items, with an interval by the bootstrap over subjects.

    Args:
        first: Answers as numbers from 0.
        second: The same items answered again.
        subjects: Subject of each item.
        scale: Possible answers.
        who: Whose answers, in words.
        seed: Of the bootstrap.

    Returns:
        No interval for fewer than six subjects or where most samples do not vary.
    """
    names, codes = np.unique(subjects, return_inverse=True)
    tables = np.zeros((len(names), scale.levels, scale.levels))
    np.add.at(tables, (codes, first, second), 1)
    share = float((first == second).mean()) if len(first) else float("nan")
    kappa = float(_kappas(tables.sum(axis=0, keepdims=True), weighted=scale.weighted)[0])
    note = too_few(len(names))
    if note:
        return Agreement(who, Interval(kappa, np.nan, np.nan, 0.95, len(names), note), share, len(first))
    weights = stream(seed, "kappa").multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    drawn = _kappas(np.einsum("ds,sab->dab", weights.astype(np.float64), tables), weighted=scale.weighted)
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) > DRAWS / 2 else (np.nan, np.nan)
    return Agreement(who, Interval(kappa, float(low), float(high), 0.95, len(names)), share, len(first))


def agreements(answers: Sequence[Answer], *, seed: int) -> tuple[Agreement, ...]:
    """Agreement of every reader with himself, of every pair of readers, and of all readers together.

    Args:
        answers: Answers with repeats; practice items are passed over.
        seed: Of the bootstrap.

    Returns:
        Only of what was answered twice; empty for one reader without repeats.
    """
    counted = [answer for answer in answers if not answer.practice and _value(answer) is not None]
    levels = sorted({_value(answer) or "" for answer in counted}, key=_as_number)
    weighted = bool(counted) and not counted[0].call
    code = {value: place for place, value in enumerate(levels)}
    scale = Scale(max(len(levels), 2), weighted)
    return tuple(
        pair_agreement(*_coded(pairs, code), scale, who=who, seed=seed)
        for who, pairs in [*_within(counted), *_between(counted)]
    )


def outline_agreement(outlines: Mapping[str, Mapping[str, Mask]], *, seed: int) -> tuple[Outlines, ...]:
    """Compare the outlines of every pair of readers; a pair without a common image is left out.

    Args:
        outlines: Mask of each reader by image; masks of an image have one shape.
        seed: Of the interval.

    Example:
        >>> masks = {"a": np.array([[1, 1, 0]], dtype=bool), "b": np.array([[1, 0, 0]], dtype=bool)}
        >>> round(outline_agreement({"image": masks}, seed=1)[0].overlap.estimate, 3)
        0.667
    """
    readers = sorted({reader for masks in outlines.values() for reader in masks})
    found = []
    for one, two in combinations(readers, 2):
        values = [_overlap(masks[one], masks[two]) for masks in outlines.values() if {one, two} <= masks.keys()]
        if values:
            interval = estimate_by_seed(np.array(values)[:, None], seed=seed).interval()
            found.append(Outlines(f"{one} and {two}", interval))
    return tuple(found)


def _overlap(first: Mask, second: Mask) -> float:
    """Dice of two masks; 1 where both are empty."""
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def _value(answer: Answer) -> str | None:
    """What is compared: the call, for pairs as the method chosen, or the score."""
    if answer.kind == "preference":
        return answer.preferred or "equal"
    if answer.kind == "choice":
        return "right" if answer.correct else "wrong"
    if answer.call:
        return answer.call
    return None if answer.score is None or answer.kind == "delineation" else f"{answer.score:g}"


def _as_number(value: str) -> tuple[float, str]:
    """Scores in the order of their size, calls in that of the alphabet."""
    try:
        return float(value), ""
    except ValueError:
        return 0.0, value


def _within(answers: Sequence[Answer]) -> list[tuple[str, list[Pair]]]:
    """Repeats of each reader with what they repeat."""
    found = []
    for reader in sorted({answer.reader for answer in answers}):
        mine = {answer.item: answer for answer in answers if answer.reader == reader}
        pairs = [(mine[again.repeat_of], again) for again in mine.values() if again.repeat_of in mine]
        if pairs:
            found.append((f"{reader}, repeats", pairs))
    return found


def _between(answers: Sequence[Answer]) -> list[tuple[str, list[Pair]]]:
    """Answers of each pair of readers to items that both judged."""
    table: dict[str, dict[str, Answer]] = {}
    for answer in Readings.of(answers).answers:
        table.setdefault(answer.reader, {})[answer.item] = answer
    found = []
    for one, two in combinations(sorted(table), 2):
        shared = sorted(table[one].keys() & table[two].keys())
        if shared:
            found.append((f"{one} and {two}", [(table[one][item], table[two][item]) for item in shared]))
    return found


def _coded(pairs: Sequence[Pair], code: Mapping[str, int]) -> tuple[Codes, Codes, np.ndarray]:
    """Answers of pairs as numbers, and their subjects."""
    first, second = (np.array([code[_value(pair[place]) or ""] for pair in pairs]) for place in (0, 1))
    return first, second, np.array([pair[0].subject for pair in pairs])


def _kappas(tables: Float64[np.ndarray, "table level level"], *, weighted: bool) -> Float64[np.ndarray, "table"]:
    """Cohen's kappa of each table of answers against answers; NaN where neither varies."""
    levels = tables.shape[-1]
    total = tables.sum(axis=(1, 2))
    shares = tables / np.maximum(total, 1)[:, None, None]
    apart = np.subtract.outer(np.arange(levels), np.arange(levels)).astype(np.float64)
    cost = apart**2 if weighted else (apart != 0).astype(np.float64)
    observed = (shares * cost).sum(axis=(1, 2))
    expected = np.einsum("ta,tb,ab->t", shares.sum(axis=2), shares.sum(axis=1), cost)
    return np.where(expected > 1e-12, 1 - observed / np.where(expected > 1e-12, expected, 1.0), np.nan)
