"""Numbers, comparisons and verdicts in words: never more than the numbers carry."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from glioforge.metrics import Direction, metric_named
from glioforge.report.compare import ArmComparison, compare_endpoints, goodness, is_better
from glioforge.report.scores import Endpoint, finite_or_none, interval_json
from glioforge.statistics import Interval, too_few

SIGNIFICANT: Final = 0.05
"""Corrected p below which a difference counts as shown."""


def reading(entry: ArmComparison) -> str:
    """Say what a comparison shows, in a few words.

    With too few subjects nothing is concluded; a significant difference that
    rests on one subject is named so.  Numbers of whole cohorts have no test;
    their difference is shown where its interval leaves 0 out.
    """
    comparison = entry.comparison
    few = too_few(comparison.difference.count, entry.noun)
    if few:
        return few
    untested = not np.isfinite(entry.p_holm)
    if not (comparison.difference.excludes(0) if untested else entry.p_holm < SIGNIFICANT):
        return "no difference shown"
    direction = "better" if comparison.difference.estimate > 0 else "worse"
    return f"{direction}, but one {entry.noun} decides" if comparison.without.changes_sign else direction


def finding(entry: ArmComparison, title: str, reference: str, metric: str, what: str = "") -> str:
    """State in one sentence how an arm compares with its reference, how sure that is, and on how many subjects.

    Args:
        entry: The comparison.
        title: Title of the arm.
        reference: Title of the reference.
        metric: Name of the metric compared.
        what: The metric in words; its title unless given.
    """
    shown = metric_named(metric)
    difference = entry.comparison.difference
    count = counted(difference.count, entry.noun)
    finding = f"{what or shown.title} {difference_text(metric, replace(difference, low=np.nan, high=np.nan))}"
    if not difference.count:
        return f"{title} and {reference} have no {entry.noun} in common."
    if too_few(difference.count):
        return f"Not answered for {title} against {reference}: {finding} on {count}, too few to conclude."
    low, high = ends_text(metric, difference.low, difference.high)
    p = p_text(entry.p_holm)
    tested = f", p {p if p.startswith('<') else f'= {p}'}" if np.isfinite(entry.p_holm) else ""
    sure = f"{finding}, 95 % interval {low} to {high}{tested}, {count}"
    word = reading(entry)
    if word == "no difference shown":
        return f"{title} is not distinguishable from {reference} ({sure})."
    direction, _, caveat = word.partition(", ")
    return f"{title} is {direction} than {reference} ({sure}){f', {caveat}' if caveat else ''}."


def findings(endpoint: Endpoint, arms: Mapping[str, str], reference: str, what: str = "") -> dict[str, str]:
    """Return the finding on each arm but the reference in one endpoint, by the arm's name.

    Args:
        endpoint: The number that decides.
        arms: Title of each arm by its name; without the reference there is no finding.
        reference: The arm that the others are compared with.
        what: The endpoint in words; the metric's title unless given.
    """
    if reference not in arms:
        return {}
    entries = compare_endpoints([endpoint], arms, reference)[endpoint.metric]
    return {e.arm: finding(e, arms[e.arm], arms[reference], endpoint.metric, what) for e in entries}


def standings(endpoint: Endpoint, arms: Mapping[str, str], references: Sequence[str]) -> str:
    """For each reference, say which arms are better, worse or not distinguishable in one endpoint; empty for none."""
    sentences = []
    for reference in references:
        found: dict[str, list[str]] = {}
        for entry in compare_endpoints([endpoint], arms, reference)[endpoint.metric]:
            few = too_few(entry.comparison.difference.count)
            word = f"too few {entry.noun}s to conclude" if few else reading(entry)
            found.setdefault(word, []).append(arms[entry.arm])
        if found:
            words = "; ".join(f"{word}: {', '.join(names)}" for word, names in found.items())
            sentences.append(f"Against {arms[reference]}, {words}.")
    return " ".join(sentences)


def ranking(endpoint: Endpoint, arms: Mapping[str, str]) -> list[str]:
    """Titles of arms with their means over subjects, the best first; arms without scores are left out."""
    means = {name: endpoint.of(name).estimate for name in arms}
    known = [name for name in arms if np.isfinite(means[name])]
    order = sorted(known, key=lambda name: -float(goodness(endpoint.metric, np.array([means[name]]))[0]))
    return [f"{arms[name]} {number(means[name], metric_named(endpoint.metric).unit)}" for name in order]


def leading(endpoint: Endpoint, methods: Mapping[str, str], references: Sequence[str], what: str) -> str:
    """Say which method leads, how sure that is, and on how many subjects.

    Args:
        endpoint: The number that decides.
        methods: Title of each method by its name.
        references: Methods that the others are compared with.
        what: The number in words, such as `Dice, mean over WT and TC`.
    """
    noun = endpoint.results.noun
    count = max((endpoint.of(name).count for name in methods), default=0)
    order = ranking(endpoint, methods)
    if not order:
        return f"No method has results on unseen {noun}s."
    start = f"{what}, on {counted(count, f'unseen {noun}')}: {order[0]} is the best mean of {len(order)}."
    if too_few(count):
        return f"{start} Not answered: {counted(count, noun)} {'is' if count == 1 else 'are'} too few to conclude."
    if not references:
        return f"{start} No reference was named, so no difference was tested."
    return f"{start} {standings(endpoint, methods, references)}"


def outdone(endpoint: Endpoint, trained: Mapping[str, str], plain: str, plain_title: str) -> str:
    """Say which trained arms are no better than one without a network; empty where each is better.

    Args:
        endpoint: The number that decides.
        trained: Title of each trained arm by its name; those without scores are passed over.
        plain: Name of the arm without a network.
        plain_title: What that arm is called.
    """
    theirs, unit = endpoint.of(plain), metric_named(endpoint.metric).unit
    found = {name: endpoint.of(name) for name in trained}
    beaten = [
        f"{trained[name]} {number(ours.estimate, unit)}"
        for name, ours in found.items()
        if ours.count and theirs.count and not is_better(endpoint.metric, ours.estimate, theirs.estimate)
    ]
    if not beaten:
        return ""
    measured = f"{endpoint.title} {number(theirs.estimate, unit)} on {counted(theirs.count, endpoint.results.noun)}"
    return (
        f"{plain_title} has a mean at least as good without a trained network: {measured}, against {', '.join(beaten)}."
    )


def comparison_json(entry: ArmComparison, metric: str) -> dict[str, Any]:
    """Return one paired difference as plain values; null where there is no number."""
    mean = interval_json(entry.comparison.difference)
    return {
        "method": entry.arm,
        "metric": metric,
        "region": entry.region,
        "reading": reading(entry),
        "difference": mean.pop("mean"),
        **mean,
        "p": finite_or_none(entry.comparison.p),
        "p_holm": finite_or_none(entry.p_holm),
    }


def with_interval(interval: Interval, unit: str, *, signed: bool = False) -> str:
    """Write an estimate with its interval in brackets; alone where there is none, a dash where there is nothing.

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
    """Write three decimals for shares and intensities, one for other units; a dash for NaN; a true minus sign."""
    if not np.isfinite(value):
        return "–"
    decimals = 3 if unit in ("", "1", "intensity", "octaves") else 1
    rounded = round(value, decimals) + 0.0
    return f"{rounded:{'+' if signed else ''}.{decimals}f}".replace("-", "−")


def ratio(metric: str, difference: float) -> float:
    """Return the ratio of geometric means, arm over reference, from a difference of logarithms that is better above 0.

    Example:
        >>> round(ratio("far_volume", 0.6931), 3)
        0.5
    """
    worse_above = metric_named(metric).direction is Direction.LOWER
    return float(np.exp(-difference if worse_above else difference))


def difference_text(metric: str, difference: Interval) -> str:
    """Write a difference with its interval: signed, or as a ratio.

    Example:
        >>> difference_text("far_volume", Interval(0.6931, 0.0, 1.0986, 0.95, 12))
        'ratio 0.50 (0.33 to 1.00)'
        >>> difference_text("dice", Interval(0.012, -0.01, 0.04, 0.95, 12))
        '+0.012 (−0.010 to +0.040)'
    """
    registered = metric_named(metric)
    if registered.offset is None:
        return with_interval(difference, registered.unit, signed=True)
    estimate = ratio(metric, difference.estimate)
    if not np.isfinite(estimate):
        return "–"
    return (
        f"ratio {estimate:.2f} ({' to '.join(ends_text(metric, difference.low, difference.high))})"
        if difference.known
        else f"ratio {estimate:.2f}"
    )


def ends_text(metric: str, low: float, high: float) -> tuple[str, str]:
    """Both ends of a difference in words, the smaller first."""
    registered = metric_named(metric)
    if registered.offset is None:
        return number(low, registered.unit, signed=True), number(high, registered.unit, signed=True)
    first, last = sorted((ratio(metric, low), ratio(metric, high)))
    return f"{first:.2f}", f"{last:.2f}"


def size_text(metric: str, size: float) -> str:
    """Write the size of a difference without its direction: a number with its unit, or a factor.

    Example:
        >>> size_text("dice", 0.031), size_text("hd95", 4.0), size_text("far_volume", 0.6931)
        ('0.031', '4.0 mm', 'a factor of 2.00')
    """
    registered = metric_named(metric)
    if not np.isfinite(size):
        return "–"
    if registered.offset is not None:
        return f"a factor of {np.exp(size):.2f}"
    return (
        number(size, registered.unit) if registered.is_share else f"{number(size, registered.unit)} {registered.unit}"
    )


def in_unit(metric: str) -> str:
    """Write the title of a metric with its unit in brackets, for running text.

    Example:
        >>> in_unit("dice"), in_unit("hd95")
        ('Dice', 'HD95 (mm)')
    """
    shown = metric_named(metric)
    return shown.title if shown.is_share else f"{shown.title} ({shown.unit})"


def p_text(p: float) -> str:
    """Write p with three decimals, a bound below a thousandth, a dash for none."""
    if not np.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def counted(count: int, noun: str) -> str:
    """Write a number with its noun.

    Example:
        >>> counted(1, "method"), counted(3, "method")
        ('1 method', '3 methods')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
