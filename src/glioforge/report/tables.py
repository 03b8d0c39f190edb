"""The tables of reports, made from the long results table.

Every number stands with its interval and the number of subjects behind it, and
what so few subjects cannot show is said in words.  No table counts which arm
wins most often.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from glioforge.core.verdict import VerdictRow, funnel
from glioforge.io.tables import ResultRow
from glioforge.metrics.intervals import Interval, bootstrap_mean, too_few
from glioforge.report.compare import ArmComparison, metric_shown, scores_of
from glioforge.report.page import Table

ARM_METRICS: Final = ("dice", "hd95", "sensitivity", "precision")
"""Metrics of the table of arms."""
_EMPTY_NOTES: Final = ("both empty", "prediction empty", "truth empty")


def arm_table(
    rows: Sequence[ResultRow],
    arms: Mapping[str, str],
    regions: Sequence[str],
    metrics: Sequence[str] = ARM_METRICS,
    *,
    seed: int = 0,
    named: str = "Arm",
) -> Table:
    """Mean over subjects of every metric, with its 95 % interval, by region and arm.

    Args:
        rows: Results.
        arms: Title of each arm by its name, in order; the first is set off as the baseline.
        regions: Regions, in order.
        metrics: Names of metrics, a column each.
        seed: Of the intervals.
        named: What an arm is called here.

    Returns:
        Cells of arms without results hold a dash.
    """
    cells = []
    subjects: set[str] = set()
    for region in regions:
        for arm, title in arms.items():
            found = [scores_of(rows, arm, region, metric) for metric in metrics]
            subjects.update(*(scores.subjects for scores in found))
            intervals = [bootstrap_mean(scores.values, seed=seed) for scores in found]
            shown = [with_interval(i, metric_shown(m).unit) for i, m in zip(intervals, metrics, strict=True)]
            count = max((interval.count for interval in intervals), default=0)
            cells.append((region, title, *shown, str(count)))
    few = too_few(len(subjects))
    caption = (
        "Mean over subjects with the 95 % interval over subjects and seeds in brackets. "
        "Each subject counts once, whatever its number of scans and the size of its tumour."
    )
    return Table(
        ("Region", named, *(metric_shown(metric).heading for metric in metrics), "Subjects"),
        tuple(cells),
        f"{caption} {_sentence(few)}".strip(),
        frozenset(range(0, len(cells), max(1, len(arms)))),
    )


def difference_table(
    comparisons: Sequence[ArmComparison], arms: Mapping[str, str], metric: str = "dice", *, named: str = "Arm"
) -> Table:
    """Paired difference of every arm from the baseline: interval, test, and what one subject weighs.

    Args:
        comparisons: From `compare_arms`.
        arms: Title of each arm by its name; the first is the baseline.
        metric: The metric compared.
        named: What an arm is called here.
    """
    unit = metric_shown(metric).unit
    cells = tuple(
        (
            entry.region,
            arms.get(entry.arm, entry.arm),
            with_interval(entry.comparison.difference, unit, signed=True),
            reading(entry),
            _p_text(entry.comparison.p),
            _p_text(entry.p_holm),
            _better_text(entry),
            _without_text(entry, unit),
            _effect_text(entry.comparison.effect_size),
            number(entry.comparison.detectable, unit),
        )
        for entry in comparisons
    )
    baseline = next(iter(arms.values()), "the baseline")
    tested = sum(bool(np.isfinite(entry.p_holm)) for entry in comparisons)
    left_out = sorted({subject for entry in comparisons for subject in entry.left_out})
    lost = f" Left out for want of a result in both arms: {', '.join(left_out)}." if left_out else ""
    caption = (
        f"Difference in {metric_shown(metric).heading} from “{baseline}” on the same subjects and seeds; "
        "positive is better. "
        f"p: two-sided sign-flip test over subjects; Holm: corrected over {tested} tests. "
        "Without each subject: smallest and largest mean when one subject is left out. "
        "Effect size: mean over standard deviation of the differences over subjects (Cohen's d). "
        "Detectable: smallest true difference detectable with 80 % power at this sample size; where none is shown, "
        f"a smaller one may still exist.{lost}"
    )
    columns = (
        "Region",
        named,
        "Difference",
        "Reading",
        "p",
        "p, Holm",
        "Subjects better",
        "Without each subject",
        "Effect size",
        "Detectable",
    )
    return Table(columns, cells, caption)


def subject_table(rows: Sequence[ResultRow], arms: Mapping[str, str], region: str, metric: str = "dice") -> Table:
    """One row a subject, one column an arm, mean over seeds; a dash where not measured."""
    unit = metric_shown(metric).unit
    scores = {arm: scores_of(rows, arm, region, metric).by_subject() for arm in arms}
    subjects = sorted({subject for found in scores.values() for subject in found})
    cells = tuple((s, *(number(scores[arm].get(s, np.nan), unit) for arm in arms)) for s in subjects)
    caption = f"{metric_shown(metric).heading}, {region}, mean over seeds of each subject."
    return Table(("Subject", *arms.values()), cells, caption)


def empty_table(
    rows: Sequence[ResultRow], arms: Mapping[str, str], regions: Sequence[str], metric: str = "dice"
) -> Table:
    """How many results stand on the policy for empty masks, by arm and region.

    Such a number is a convention and no measurement: a miss counts as 0, agreeing on nothing as perfect.
    """
    chosen = [row for row in rows if row.metric == metric]
    counts = Counter((row.arm, row.region, row.note) for row in chosen)
    totals = Counter((row.arm, row.region) for row in chosen)
    cells = tuple(
        (region, title, *(str(counts[arm, region, note]) for note in _EMPTY_NOTES), str(totals[arm, region]))
        for region in regions
        for arm, title in arms.items()
    )
    caption = (
        "Predictions whose score follows the policy for empty masks. Both empty: a true negative, the best score. "
        "Prediction empty: a miss; truth empty: a false alarm; both get the worst score."
    )
    return Table(("Region", "Arm", "Both empty", "Prediction empty", "Truth empty", "Of"), cells, caption)


def verdict_table(verdicts: Sequence[VerdictRow], most: int = 50) -> Table:
    """Cases that a filter refused, with the reason; the first `most` of them."""
    refused = [row for row in verdicts if not row.keep]
    cells = tuple((row.case_id, row.filter.replace("_", " "), row.reason) for row in refused[:most])
    more = f" The first {most} are shown." if len(refused) > most else ""
    left = funnel(verdicts)
    kept = f"{left[-1].count} of {left[0].count} cases are kept." if left else "No case was judged."
    return Table(("Case", "Filter", "Why"), cells, f"Refused by quality filters. {kept}{more}")


def reading(entry: ArmComparison) -> str:
    """What a comparison shows, in a few words.

    With too few subjects nothing is concluded; a significant difference that
    rests on one subject is named so.
    """
    comparison = entry.comparison
    few = too_few(comparison.difference.count)
    if few:
        return few
    if not entry.p_holm < 0.05:
        return "no difference shown"
    direction = "better" if comparison.difference.estimate > 0 else "worse"
    return f"{direction}, but one subject decides" if comparison.without.changes_sign else direction


def with_interval(interval: Interval, unit: str, *, signed: bool = False) -> str:
    """An estimate with its interval in brackets; alone where there is none, a dash where there is nothing.

    Example:
        >>> with_interval(Interval(0.712, 0.6, 0.8, 0.95, 12), "1")
        '0.712 (0.600 to 0.800)'
        >>> with_interval(Interval(0.012, -0.01, 0.04, 0.95, 12), "1", signed=True)
        '+0.012 (−0.010 to +0.040)'
    """
    estimate = number(interval.estimate, unit, signed=signed)
    if not interval.known:
        return estimate
    low, high = (number(end, unit, signed=signed) for end in (interval.low, interval.high))
    return f"{estimate} ({low} to {high})"


def number(value: float, unit: str, *, signed: bool = False) -> str:
    """Three decimals for shares and intensities, one for other units; a dash for NaN; a true minus sign."""
    if not np.isfinite(value):
        return "–"
    decimals = 3 if unit in ("", "1", "intensity", "octaves") else 1
    rounded = round(value, decimals) + 0.0
    return f"{rounded:{'+' if signed else ''}.{decimals}f}".replace("-", "−")


def _p_text(p: float) -> str:
    """Show p with three decimals, a bound below a thousandth, a dash for none."""
    if not np.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _better_text(entry: ArmComparison) -> str:
    """Subjects better out of all."""
    return f"{entry.comparison.better} of {entry.comparison.difference.count}"


def _without_text(entry: ArmComparison, unit: str) -> str:
    """Range of the mean without each subject."""
    without = entry.comparison.without
    low, high = (number(end, unit, signed=True) for end in (without.low, without.high))
    return f"{low} to {high}" if np.isfinite(without.low) else "–"


def _effect_text(value: float) -> str:
    """Effect size with its sign and two decimals; a dash for none."""
    return f"{value:+.2f}".replace("-", "−") if np.isfinite(value) else "–"


def _sentence(text: str) -> str:
    """Text as a sentence with a capital and a full stop; empty stays empty."""
    return f"{text[0].upper()}{text[1:]}." if text else ""
