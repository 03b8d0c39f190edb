"""The analysis of a reading study: from the table of answers to everything the report shows.

The same answers and settings give the same numbers.  Nothing is tested that the
settings do not name without being marked as exploratory: the planned family is
corrected by Holm's method at the level that was fixed before the first answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, final

import numpy as np

from glioforge.core import CohortError
from glioforge.reader import mrmc
from glioforge.reader.agreement import Agreement, Outlines, agreements
from glioforge.reader.analysis_cues import Cue, Trend, cue_table, trend
from glioforge.reader.analysis_methods import Means, MethodDifference, method_differences, method_means, within_cases
from glioforge.reader.analysis_readings import REAL, Readings, Roc, grid, roc
from glioforge.reader.analysis_rows import ALL, Row, row
from glioforge.reader.answers import Answer
from glioforge.reader.preference import Preference, comparisons, preferences
from glioforge.reader.spec import AnalysisSpec
from glioforge.statistics import Interval, holm

DETECTED = frozenset({"turing", "training", "choice", "diagnosis"})
"""Kinds whose calls are right or wrong."""
SEED = 20
"""Of exchanges and bootstrap samples: the same answers give the same report."""


@final
@dataclass(frozen=True)
class Planned:
    """A test of the family that was fixed before the first answer.

    Args:
        name: What is tested.
        p: p of the test.
        p_holm: Corrected over the family.
    """

    name: str
    p: float
    p_holm: float


@final
@dataclass(frozen=True)
class MethodPair:
    """Two generators compared by AUC over readers and cases.

    Args:
        first: Name of the one.
        second: Name of the other.
        difference: AUC of the first minus that of the second.
        p: Two-sided p.
    """

    first: str
    second: str
    difference: Interval
    p: float


@final
@dataclass(frozen=True)
class Analysis:
    """Everything the report shows.

    Args:
        kind: Kind of the study.
        plan: Margin, level and planned family.
        readers: Names of the readers.
        answers: Answers that count.
        practice: Practice answers, which do not count.
        repeats: Repeated items, which serve agreement alone.
        several_per_subject: Whether a reader saw several items of one subject.
        planned: Tests of the planned family.
        rows: Lines of kinds whose calls are right or wrong; the first is the primary one.
        means: Shares and scores by method.
        pairs: Generators compared by AUC.
        preference: Of kind `preference`.
        agreements: Within and between readers.
        trends: Accuracy along the session, by reader and for all.
        cues: Reasons ticked.
        rocs: ROC curves by reader.
        outlines: Overlap of the outlines of pairs of readers.
    """

    kind: str
    plan: AnalysisSpec
    readers: tuple[str, ...]
    answers: int
    practice: int
    repeats: int
    several_per_subject: bool
    planned: tuple[Planned, ...] = ()
    rows: tuple[Row, ...] = ()
    means: tuple[Means, ...] = ()
    pairs: tuple[MethodPair, ...] = ()
    preference: Preference | None = None
    agreements: tuple[Agreement, ...] = ()
    trends: Mapping[str, Trend] = field(default_factory=dict)
    cues: tuple[Cue, ...] = ()
    rocs: Mapping[str, Roc] = field(default_factory=dict)
    outlines: tuple[Outlines, ...] = ()

    @property
    def primary(self) -> Row | None:
        """The line that answers the primary question; none for kinds without right calls."""
        return self.rows[0] if self.rows else None


def analyse(answers: Sequence[Answer], plan: AnalysisSpec, *, seed: int = SEED) -> Analysis:
    """Analyse the answers of a study.

    Args:
        answers: All answers, practice and repeats among them.
        plan: Margin, level, primary method and family of tests.
        seed: Of exchanges of subjects and bootstrap samples.

    Raises:
        CohortError: No answer counts, answers are of several kinds, or the primary method has none.
    """
    readings = Readings.of(answers)
    kinds = sorted({answer.kind for answer in readings.answers})
    if len(kinds) != 1:
        raise CohortError(
            f"answers of kinds {', '.join(kinds)}" if kinds else "no answer that counts",
            "answers of one kind",
            "analyse each study apart" if kinds else "wait until a reader has answered more than practice items",
        )
    parts: dict[str, Any] = {}
    if kinds[0] in DETECTED:
        parts = _detected(readings, plan, seed)
    elif kinds[0] == "preference":
        parts = {"preference": preferences(comparisons(readings.answers), seed=seed)}
    means = _means(readings, seed)
    return Analysis(
        kinds[0],
        plan,
        readings.readers,
        len(readings),
        sum(answer.practice for answer in answers),
        sum(bool(answer.repeat_of) and not answer.practice for answer in answers),
        readings.several_per_subject,
        planned=_planned(plan, parts.get("rows", ()), means, _by_contrast(readings, seed)),
        means=means,
        agreements=agreements(answers, seed=seed),
        cues=cue_table(readings, seed=seed) if kinds[0] in {"turing", "training"} else (),
        **parts,
    )


def _detected(readings: Readings, plan: AnalysisSpec, seed: int) -> dict[str, Any]:
    """Lines, ROC curves and trends of kinds whose calls are right or wrong."""
    if plan.primary not in {ALL, *readings.methods}:
        raise CohortError(
            f"no answer on primary method {plan.primary!r}",
            f"one of {', '.join(readings.methods)}",
            "check the settings",
        )
    alone = readings.kind == "diagnosis"
    methods = [ALL, *((REAL,) if alone else ()), *(readings.methods if alone or len(readings.methods) > 1 else ())]
    contrasts = [ALL, *(readings.contrasts if len(readings.contrasts) > 1 else ())]
    who = [ALL, *(readings.readers if len(readings.readers) > 1 else ())]
    lines = [(w, m, c) for m in methods for c in contrasts for w in who]
    lines.sort(key=lambda line: line != (ALL, plan.primary if plan.primary in methods else ALL, ALL))
    rows = []
    for w, m, c in lines:
        part = readings.where(
            reader="" if w == ALL else w, method="" if m == ALL else m, contrast="" if c == ALL else c, alone=alone
        )
        if part and (alone or len(set(part.positive.tolist())) == 2):
            rows.append(row(part, plan.margin, seed=seed, who=w, method=m, contrast=c))
    return {"rows": tuple(rows), "rocs": _rocs(readings), "trends": _trends(readings), "pairs": _auc_pairs(readings)}


def _rocs(readings: Readings) -> dict[str, Roc]:
    """ROC curve of each reader who gave confidences and saw both kinds."""
    curves = {reader: roc(readings.where(reader=reader)) for reader in readings.readers}
    return {reader: curve for reader, curve in curves.items() if curve is not None}


def _trends(readings: Readings) -> dict[str, Trend]:
    """Accuracy along the session, for all and for each of several readers."""
    parts = {ALL: readings}
    if len(readings.readers) > 1:
        parts |= {reader: readings.where(reader=reader) for reader in readings.readers}
    return {
        who: trend(part.correct, part.numbers("order"), part.column("reader"), part.numbers("ms"))
        for who, part in parts.items()
    }


def _auc_pairs(readings: Readings) -> tuple[MethodPair, ...]:
    """Generators compared by AUC, where confidence was asked and every reader saw both."""
    if readings.kind != "turing" or not np.isfinite(readings.numbers("confidence")).any():
        return ()
    laid = grid(readings)
    order = np.unique(readings.column("item"), return_index=True)[1]
    method = readings.column("method")[order]
    found = []
    for one, two in combinations(readings.methods, 2):
        scores = [np.where((method == REAL) | (method == name), laid.rating, np.nan) for name in (one, two)]
        seen = all(
            np.isfinite(given[:, kind]).any(axis=1).all()
            for given in scores
            for kind in (laid.positive, ~laid.positive)
        )
        if seen:
            difference = mrmc.auc_difference(scores[0], scores[1], laid.positive, laid.subjects)
            found.append(MethodPair(one, two, difference.interval(), float(difference.p())))
    return tuple(found)


def _means(readings: Readings, seed: int) -> tuple[Means, ...]:
    """Shares and scores by method, as far as they were asked."""
    found = []
    for what, values, chosen, share in _measured(readings):
        known = np.isfinite(values) & chosen
        if known.any():
            parts = (values[known], readings.column("method")[known], readings.column("subject")[known])
            means = method_means(*parts, share=share, seed=seed)
            within = within_cases(*parts, readings.column("reader")[known]) if share else None
            found.append(Means(what, means, method_differences(*parts, seed=seed), share, within))
    return tuple(found)


def _measured(readings: Readings) -> list[tuple[str, np.ndarray, np.ndarray, bool]]:
    """What is averaged by method: name, values, rows that count, and whether it is a share."""
    every = np.ones(len(readings), dtype=bool)
    call = readings.column("call")
    listed: list[tuple[str, np.ndarray, np.ndarray, bool]] = []
    if readings.kind in {"turing", "training"}:
        listed.append(("called synthetic", readings.called_positive.astype(float), every, True))
    if readings.kind == "accept":
        listed.append(("accepted", (call == "accept").astype(float), every, True))
    if readings.kind == "choice":
        listed.append(("real image found", readings.correct, every, True))
    if readings.kind == "diagnosis":
        listed.append(("tumour called right", readings.correct, every, True))
    score = "Dice with the label map" if readings.kind == "delineation" else "quality score"
    listed.append((score, readings.numbers("score"), every, False))
    for name, key, true in (
        ("tumour marked within the label map", "hit", None),
        ("tumour answered right", "tumour", "true_tumour"),
        ("enhancement answered right", "enhancing", "true_enhancing"),
    ):
        listed.append((name, _detail(readings, key, true), every, True))
    return listed


def _detail(readings: Readings, key: str, true: str | None) -> np.ndarray:
    """A further answer as 0 or 1, or whether it is right; NaN where it was not given."""
    values = np.full(len(readings), np.nan)
    for place, answer in enumerate(readings.answers):
        given, truth = answer.details.get(key), True if true is None else answer.details.get(true)
        if given is not None and truth is not None:
            values[place] = float(given == truth)
    return values


def _by_contrast(readings: Readings, seed: int) -> tuple[MethodDifference, ...]:
    """Contrasts compared by right calls."""
    if readings.kind not in DETECTED or len(readings.contrasts) < 2:
        return ()
    return method_differences(readings.correct, readings.column("contrast"), readings.column("subject"), seed=seed)


def _planned(
    plan: AnalysisSpec, rows: Sequence[Row], means: Sequence[Means], contrasts: Sequence[MethodDifference]
) -> tuple[Planned, ...]:
    """The tests of the planned family that the answers allow, corrected by Holm's method."""
    tests: list[tuple[str, float]] = []
    if rows and "chance" in plan.family:
        tests.append(("accuracy against chance", rows[0].detection.p_chance))
    if rows and "equivalence" in plan.family:
        tests.append(("equivalence with chance", rows[0].detection.p_equivalence))
    if means and "methods" in plan.family:
        pairs = [pair for pair in means[0].differences if REAL not in {pair.first, pair.second}]
        tests += [(f"{means[0].what}: {pair.first} and {pair.second}", pair.p) for pair in pairs]
    if "contrasts" in plan.family:
        tests += [(f"right calls: {pair.first} and {pair.second}", pair.p) for pair in contrasts]
    corrected = holm(np.array([p for _, p in tests])) if tests else ()
    return tuple(Planned(name, p, float(q)) for (name, p), q in zip(tests, corrected, strict=True))
