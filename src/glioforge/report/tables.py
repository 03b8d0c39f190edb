"""The tables of reports, made from the long results table and from what trainings recorded.

Every mean stands with its interval and the number of subjects behind it, and
what so few subjects cannot show is said in words.  No table counts which arm
wins most often.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from glioforge.core import VerdictRow, funnel
from glioforge.metrics import metric_named
from glioforge.report.compare import ArmComparison
from glioforge.report.page import Table
from glioforge.report.scores import EMPTY, Endpoint, ResultTable, Spread
from glioforge.report.words import (
    difference_text,
    ends_text,
    in_unit,
    number,
    p_text,
    reading,
    size_text,
    with_interval,
)
from glioforge.statistics import ENOUGH_SUBJECTS

NO_INTERVAL: Final = f"An interval is given from {ENOUGH_SUBJECTS} subjects on; with fewer it would not hold its 95 %."


@final
@dataclass(frozen=True)
class Trained:
    """What a report shows of one training.

    Args:
        title: Name of the arm or method; trainings of one title share a look.
        fold: Number of the fold.
        seed: Number of the repetition.
        steps: Optimiser steps done; 0 without a network.
        seconds: Length of the training.
        history: Rows with `step` and scalars, in order.
        best_step: Step whose weights were kept.
        best_score: Validation score of these weights, if any was measured.
        plateaued: Whether it stopped because the score levelled off; none where that was not asked.
        parameters: Trained numbers of the network; none where they are not known.
        peak_gib: Peak memory of its process.
        seconds_per_volume: Time for one volume afterwards, if measured.
    """

    title: str
    fold: int
    seed: int
    steps: int
    seconds: float
    history: Sequence[Mapping[str, float | None]] = ()
    best_step: int | None = None
    best_score: float | None = None
    plateaued: bool | None = None
    parameters: int | None = 0
    peak_gib: float = 0.0
    seconds_per_volume: float | None = None


def score_table(
    groups: Mapping[str, Sequence[Endpoint]],
    arms: Mapping[str, str],
    caption: str,
    *,
    named: str = "Arm",
    grouped: str = "Region",
) -> Table:
    """Mean over subjects of every endpoint, a row for each group and arm.

    Args:
        groups: Endpoints by the name of their group, such as a region; all have the same titles.  A single group has
            no column of its own.
        arms: Title of each arm by its name, in order.
        caption: What is shown.
        named: What an arm is called here.
        grouped: What a group is called here.

    Returns:
        Cells of arms without results hold a dash; the first arm of each group is set off.
    """
    several = len(groups) > 1
    columns = next(iter(groups.values()), ())
    noun = columns[0].results.noun if columns else "subject"
    cells, most = [], 0
    for group, endpoints in groups.items():
        for arm, title in arms.items():
            found = [endpoint.of(arm) for endpoint in endpoints]
            shown = (
                with_interval(i, metric_named(e.metric).unit) if e.interval else number(i.estimate, _unit(e))
                for i, e in zip(found, endpoints, strict=True)
            )
            count = max((interval.count for interval in found), default=0)
            most = max(most, count)
            cells.append((*((group,) if several else ()), title, *shown, str(count)))
    heads = (*((grouped,) if several else ()), named, *(endpoint.title for endpoint in columns))
    return Table(
        (*heads, f"{noun.capitalize()}s"),
        tuple(cells),
        caption if most >= ENOUGH_SUBJECTS else f"{caption} {NO_INTERVAL}",
        frozenset(range(0, len(cells), len(arms))) if several else frozenset(),
    )


def difference_table(
    comparisons: Sequence[ArmComparison], arms: Mapping[str, str], metric: str = "dice", *, named: str = "Arm"
) -> Table:
    """Paired difference of every arm from the reference: interval, test, and what one subject weighs.

    Args:
        comparisons: From `compare_arms`.
        arms: Title of each arm by its name; the first is the reference.
        metric: The metric compared.
        named: What an arm is called here.
    """
    noun = comparisons[0].noun if comparisons else "subject"
    cells = tuple(
        (
            entry.region,
            arms.get(entry.arm, entry.arm),
            difference_text(metric, entry.comparison.difference),
            reading(entry),
            p_text(entry.comparison.p),
            p_text(entry.p_holm),
            _better_text(entry),
            _without_text(entry, metric),
            _effect_text(entry.comparison.effect_size) if _enough(entry) else "–",
            size_text(metric, entry.comparison.detectable) if _enough(entry) else "–",
        )
        for entry in comparisons
    )
    tested = sum(bool(np.isfinite(entry.p_holm)) for entry in comparisons)
    left_out = sorted({subject for entry in comparisons for subject in entry.left_out})
    lost = f" Left out for want of a result in both arms: {', '.join(left_out)}." if left_out else ""
    caption = (
        f"Difference in {in_unit(metric)} from “{next(iter(arms.values()), 'the reference')}” on the same "
        f"{noun}s and seeds; positive is better. "
        f"p: two-sided, the larger of a sign-flip test over {noun}s and a t test over {noun}s and seeds; "
        f"Holm: corrected over {tested} tests. "
        f"Without each {noun}: smallest and largest mean when one {noun} is left out. "
        f"Effect size: mean over standard deviation of the differences over {noun}s (Cohen's d); as what is "
        f"detectable, it is given from {ENOUGH_SUBJECTS} {noun}s on. "
        "Detectable: smallest true difference detectable with 80 % power at this sample size; where none is shown, "
        f"a smaller one may still exist.{lost}"
    )
    heads = ("Region", named, "Difference", "Reading", "p", "p, Holm", f"{noun.capitalize()}s better")
    return Table((*heads, f"Without each {noun}", "Effect size", "Detectable"), cells, caption)


def subject_table(results: ResultTable, arms: Mapping[str, str], region: str, metric: str = "dice") -> Table:
    """One row a subject, one column an arm, mean over seeds; a dash where not measured."""
    unit = metric_named(metric).unit
    scores = {arm: results.scores(arm, region, metric).by_subject() for arm in arms}
    subjects = sorted({subject for found in scores.values() for subject in found})
    cells = tuple((s, *(number(scores[arm].get(s, np.nan), unit) for arm in arms)) for s in subjects)
    caption = f"{metric_named(metric).heading}, {region}, mean over seeds of each {results.noun}."
    return Table((results.noun.capitalize(), *arms.values()), cells, caption)


def spread_table(found: Sequence[Spread], noun: str = "subject") -> Table:
    """One row a region and metric: mean, median, quartiles, and how many scores follow the policy for empty masks."""
    cells = []
    for spread in found:
        shown = metric_named(spread.metric)
        low, median, high = (number(quartile, shown.unit) for quartile in spread.quartiles)
        counts = (str(spread.mean.count), str(spread.cases), " / ".join(map(str, spread.empty)))
        mean = with_interval(spread.mean, shown.unit)
        cells.append((spread.region, shown.heading, mean, median, f"{low} to {high}", *counts))
    starts = [place for place, spread in enumerate(found) if not place or found[place - 1].region != spread.region]
    few = any(not spread.mean.known for spread in found)
    caption = (
        f"Over {noun}s, each counted once: mean with its 95 % interval, median, and the quartiles between which half "
        f"of the {noun}s lie. Empty: cases in which truth and prediction are both empty (a true negative), the "
        "prediction alone (a miss), the truth alone (a false alarm); their scores follow the written policy."
        f"{f' {NO_INTERVAL}' if few else ''}"
    )
    columns = ("Region", "Metric", "Mean", "Median", "Middle half", f"{noun.capitalize()}s", "Cases")
    return Table((*columns, "Empty: both / pred. / truth"), tuple(cells), caption, frozenset(starts))


def empty_table(results: ResultTable, arms: Mapping[str, str], regions: Sequence[str], metric: str = "dice") -> Table:
    """Number of scores set by the policy for empty masks, by arm and region.

    Such a number is a convention and no measurement: a miss counts as 0, agreeing on nothing as perfect.
    """
    cells = []
    for region in regions:
        for arm, title in arms.items():
            notes = Counter(row.empty for row in results.of(arm, region, metric))
            cells.append((region, title, *(str(notes[note]) for note in EMPTY), str(notes.total())))
    caption = (
        "Predictions whose score follows the policy for empty masks. Both empty: a true negative, the best score. "
        "Prediction empty: a miss; truth empty: a false alarm; both get the worst score."
    )
    return Table(("Region", "Arm", "Both empty", "Prediction empty", "Truth empty", "Of"), tuple(cells), caption)


def refusal_table(verdicts: Sequence[VerdictRow], most: int = 50) -> Table:
    """Cases that a filter refused, with the reason; the first `most` of them."""
    refused = [row for row in verdicts if not row.keep]
    cells = tuple((row.case_id, row.filter.replace("_", " "), row.reason) for row in refused[:most])
    more = f" The first {most} are shown." if len(refused) > most else ""
    left = funnel(verdicts)
    kept = f"{left[-1].count} of {left[0].count} cases are kept." if left else "No case was judged."
    return Table(("Case", "Filter", "Why"), cells, f"Refused by quality filters. {kept}{more}")


def training_table(trainings: Sequence[Trained], *, named: str = "Arm") -> Table:
    """Steps, kept weights and plateau of each training; a dash where there is none."""
    cells = tuple(
        (
            t.title,
            str(t.fold),
            str(t.seed),
            str(t.steps),
            "–" if t.best_step is None else str(t.best_step),
            "–" if t.best_score is None else f"{t.best_score:.3f}",
            "–" if t.plateaued is None else ("reached" if t.plateaued else "not reached"),
        )
        for t in trainings
    )
    columns = (named, "Fold", "Seed", "Steps", "Kept", "Validation Dice", "Plateau")
    return Table(columns, cells, "Optimiser steps of each training, and the step whose weights were kept.")


def cost_table(trainings: Sequence[Trained]) -> Table:
    """Size, steps and times of each method, mean over its folds and seeds."""
    cells = []
    for title in dict.fromkeys(t.title for t in trainings):
        mine = [t for t in trainings if t.title == title]
        steps, seconds = (float(np.mean([getattr(t, key) for t in mine])) for key in ("steps", "seconds"))
        each = f"{1000 * seconds / steps:.0f}" if steps else "–"
        paces = [t.seconds_per_volume for t in mine if t.seconds_per_volume is not None]
        volume = f"{np.mean(paces):.2f}" if paces else "–"
        size = "–" if mine[0].parameters is None else f"{mine[0].parameters:,}".replace(",", " ")
        peak = f"{max(t.peak_gib for t in mine):.1f}"
        cells.append((title, size, f"{steps:.0f}", f"{seconds:.0f}", each, volume, peak))
    columns = ("Method", "Parameters", "Steps", "Training, s", "A step, ms", "A volume, s", "Peak memory, GiB")
    caption = (
        "Trained numbers of the network that is used after training, length of a training, and time for one volume; "
        "wall-clock times of processes that may have run side by side."
    )
    return Table(columns, tuple(cells), caption)


def _unit(endpoint: Endpoint) -> str:
    """Unit of an endpoint's metric."""
    return metric_named(endpoint.metric).unit


def _without_text(entry: ArmComparison, metric: str) -> str:
    """Range of the mean without each subject."""
    without = entry.comparison.without
    return " to ".join(ends_text(metric, without.low, without.high)) if np.isfinite(without.low) else "–"


def _enough(entry: ArmComparison) -> bool:
    """Whether there are subjects enough for a standard deviation to say something; so for numbers of whole cohorts."""
    return not 0 < entry.comparison.difference.count < ENOUGH_SUBJECTS


def _effect_text(value: float) -> str:
    """Effect size with its sign and two decimals; a dash for none."""
    return f"{value:+.2f}".replace("-", "−") if np.isfinite(value) else "–"


def _better_text(entry: ArmComparison) -> str:
    """Subjects on whom the arm is better, of all; a dash for numbers of whole cohorts."""
    comparison = entry.comparison
    return f"{comparison.better} of {comparison.difference.count}" if np.isfinite(comparison.p) else "–"
