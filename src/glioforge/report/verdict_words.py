"""What a finding shows, in sentences: never more than its numbers carry.

The first sentence gives the answer, the next ones what it rests on and what
limits it.  "Not shown" always carries the smallest difference that could have
been shown, and a gain of a study with little power says that its size is
probably exaggerated.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from glioforge.metrics import metric_named
from glioforge.report.words import counted, difference_text, p_text, size_text
from glioforge.statistics import DIFFERENCES, ENOUGH_SUBJECTS, Finding, Needed, Plan, Shown, WithAndWithout, too_few

_SHOWN: Final = (Shown.HELPS, Shown.HARMS)
_NOISE: Final = 1e-6
"""Standard deviations below this are rounding."""


def answer(found: Finding, arm: str, reference: str, metric: str, noun: str = "subject", what: str = "") -> str:
    """Answer in one sentence whether an arm is better than its reference, with difference, p and number of subjects.

    Args:
        found: From `judge` or `judge_family`.
        arm: Title of the arm.
        reference: Title of the reference.
        metric: Name of the metric.
        noun: What a subject is called.
        what: The metric in words; its title unless given.
    """
    count = counted(found.difference.count, noun)
    numbers = f"{what or metric_named(metric).title} {difference_text(metric, found.difference)}, {_p(found)}, {count}"
    if too_few(found.difference.count):
        measured = f"{what or metric_named(metric).title} {difference_text(metric, found.difference)}"
        return f"Not answered for {arm} against {reference}: {measured} on {count}, too few to conclude."
    if found.shown is Shown.NOT_SHOWN:
        few = found.difference.note
        reason = few or f"the smallest difference detectable was {size_text(metric, found.detectable)}"
        return f"No difference between {arm} and {reference} is shown ({numbers}): {reason}."
    if found.shown is Shown.EQUIVALENT:
        margin = size_text(metric, found.margins.equivalence) if found.margins else "–"
        return f"{arm} and {reference} are equivalent within {margin} ({numbers})."
    if found.shown is Shown.NON_INFERIOR:
        margin = size_text(metric, found.margins.non_inferiority) if found.margins else "–"
        return f"{arm} is not worse than {reference} by {margin} or more ({numbers}); a gain is not shown."
    return f"{arm} {found.shown.value} against {reference} ({numbers})."


def undecided(findings: Sequence[Finding], metric: str, noun: str = "subject") -> str:
    """Count the contrasts that show nothing, with the range of the smallest differences they could have shown.

    Args:
        findings: Contrasts that show nothing; the text is empty for none.
        metric: Name of the metric.
        noun: What a subject is called.
    """
    if not findings:
        return ""
    count = counted(len(findings), "further contrast")
    least = min(found.difference.count for found in findings)
    if too_few(least):
        return f"Not answered in {count}: {counted(least, noun)}, too few to conclude."
    known = sorted(found.detectable for found in findings if np.isfinite(found.detectable))
    ends = dict.fromkeys(size_text(metric, end) for end in (known[0], known[-1])) if known else {}
    sizes = f"; the smallest difference detectable was {' to '.join(ends)}" if ends else ""
    return f"No difference is shown in {count}{sizes}."


def paragraph(found: Finding, arm: str, reference: str, metric: str, noun: str = "subject", what: str = "") -> str:
    """Give the answer, what it rests on, and what limits it, as one paragraph; arguments as `answer`."""
    sentences = [
        answer(found, arm, reference, metric, noun, what),
        _small(found, metric),
        _subjects(found, noun),
        _carried(found, noun),
        exaggerated(found, metric),
        _power(found, metric, noun),
        f"Not in the interval: {'; '.join(found.limits)}." if found.limits and found.difference.known else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def small_regions(both: WithAndWithout, metric: str, noun: str = "subject") -> str:
    """Give the answer that the rule for small regions did not name; empty where no region is small."""
    if not both.small:
        return ""
    everyone = both.rule.decides == "all"
    other = both.without if everyone else both.everyone
    left_out = f"{counted(len(both.small), noun)} with a region below {both.rule.minimum_ml:g} ml"
    told = f"Without {left_out}" if everyone else f"With {left_out}"
    same = "the answer is the same" if both.agree else f"the answer is another, {other.shown}"
    return f"{told}, {same}: {difference_text(metric, other.difference)}, {_p(other)}."


def _p(found: Finding) -> str:
    """Text of p, with Holm's name where it was corrected."""
    p = p_text(found.p_adjusted)
    text = f"p {p}" if p.startswith("<") else f"p = {p}"
    return text if found.primary or found.family < 2 else f"{text} by Holm's correction of {found.family}"


def _small(found: Finding, metric: str) -> str:
    """That a shown difference is smaller than what was said to matter."""
    if found.shown not in _SHOWN or not found.within_margin or not found.margins:
        return ""
    return f"The difference is smaller than the margin of equivalence, {size_text(metric, found.margins.equivalence)}."


def _subjects(found: Finding, noun: str) -> str:
    """Share of subjects improved, and the effect size."""
    count = found.difference.count
    if not count:
        return ""
    share = found.improved
    known = count >= ENOUGH_SUBJECTS and np.isfinite(found.effect_size)
    size = f"; effect size {found.effect_size:+.2f}".replace("-", "−") if known else ""
    return (
        f"Better on {found.better} of {counted(count, noun)} ({100 * share.low:.0f} to {100 * share.high:.0f} %), "
        f"worse on {found.worse}{size}."
    )


def _carried(found: Finding, noun: str) -> str:
    """Subjects and sites without which the difference has the other sign."""
    ranges = ((noun, found.without_subject), ("site", found.without_site)) if found.shown in _SHOWN else ()
    decisive = [
        f"{what} {without.low_without if found.difference.estimate > 0 else without.high_without}"
        for what, without in ranges
        if without.changes_sign
    ]
    return f"Its sign depends on {' and on '.join(decisive)} alone." if decisive else ""


def exaggerated(found: Finding, metric: str) -> str:
    """That a shown difference of a small study is probably too large."""
    if found.shown not in _SHOWN or not np.isfinite(found.exaggeration) or found.plan is None:
        return ""
    expected = size_text(metric, found.plan.expected)
    return (
        f"The planned power was {100 * found.planned_power:.0f} % for {expected}: the size is probably exaggerated, "
        f"about {found.exaggeration:.1f}-fold if that was the true one."
    )


def _power(found: Finding, metric: str, noun: str) -> str:
    """What the study could have shown, and where the spread comes from."""
    if not np.isfinite(found.detectable) or too_few(found.difference.count):
        return ""
    smallest = size_text(metric, found.detectable)
    if found.plan is None:
        spread = f"standard deviation {found.sd:.3f}" if metric_named(metric).is_share else "their spread"
        return (
            f"No power was planned. Detectable with 80 % power: {smallest}, from these very results ({spread})."
            f"{_needed(found, metric, noun)}"
        )
    return (
        f"Detectable with {100 * found.plan.power:.0f} % power: {smallest}, from a standard deviation of "
        f"{found.plan.sd:.3f} ({found.plan.source}) fixed before."
        f"{_needed(found, metric, noun)}"
    )


def _needed(found: Finding, metric: str, noun: str) -> str:
    """Subjects needed for gains of one, two and three points, from the planned spread or else from that measured."""
    needed = found.needed
    if not needed and metric_named(metric).is_share and found.sd > _NOISE:
        measured = Plan(found.sd, found.difference.count, DIFFERENCES[0], "these results")
        needed = tuple(Needed(gain, measured.subjects_for(gain)) for gain in DIFFERENCES)
    counts = [
        counted(max(need.subjects, ENOUGH_SUBJECTS), noun) if need.subjects else "more than can be had"
        for need in needed
    ]
    texts = [f"+{size_text(metric, need.difference)}, {count}" for need, count in zip(needed, counts, strict=True)]
    alone = "" if found.needed else ", by that spread over subjects alone,".replace("subject", noun)
    return f" Needed{alone} for {'; for '.join(texts)}." if texts else ""
