"""Tables of the report of a reading study; each carries the flags of the study."""

from collections.abc import Mapping, Sequence

import numpy as np

from glioforge.reader.agreement import Outlines
from glioforge.reader.analysis import Analysis
from glioforge.reader.analysis_methods import Means
from glioforge.reader.analysis_rows import ALL, BASES, Basis, Row
from glioforge.reader.preference import Preference
from glioforge.reader.report_words import WORDS
from glioforge.report import Table, p_text
from glioforge.statistics import Interval


def flagged(caption: str, flags: Mapping[str, str]) -> str:
    """Add the flags of a study to a caption.

    Example:
        >>> flagged("Calls.", {"SEEN": "3 of 20 real subjects had a part in making synthetic cases"})
        'Calls. SEEN: 3 of 20 real subjects had a part in making synthetic cases.'
    """
    return " ".join([caption, *(f"{name}: {text}." for name, text in flags.items())])


def result_table(analysis: Analysis, flags: Mapping[str, str]) -> Table:
    """Accuracy, tests, sensitivity and bias of all readers and of each, over all images of the primary method."""
    first = analysis.rows[0]
    lines = [line for line in analysis.rows if (line.method, line.contrast) == (first.method, first.contrast)]
    positive = WORDS[analysis.kind][1]
    heads = (
        "Reader",
        "Answers",
        "Right, %",
        "p, chance",
        "p, calls",
        "p, equal",
        "d'",
        "c",
        f"Said {positive}, %",
        "AUC",
    )
    rows = tuple(
        (
            reader_name(line),
            str(line.detection.counts.trials),
            shares(line.detection.accuracy),
            p_text(line.detection.p_chance),
            p_text(line.detection.p_discrimination),
            p_text(line.detection.p_equivalence),
            plain(line.detection.dprime),
            number(line.detection.criterion),
            f"{100 * line.detection.counts.said_synthetic:.0f}",
            plain(line.auc),
        )
        for line in lines
    )
    caption = (
        "Right answers with 95 % interval. p, chance: accuracy against one half. p, calls: calls against truth, "
        "whatever the bias. p, equal: larger p of two one-sided tests that the accuracy lies outside "
        f"{100 * (0.5 - analysis.plan.margin):.0f} to {100 * (0.5 + analysis.plan.margin):.0f} %. d': sensitivity, 0 "
        f"for none. c: criterion, negative for a bias towards “{positive}”. AUC: area under the ROC curve over "
        f"confidence. All p values here are uncorrected. {basis_text(lines)}"
    )
    return Table(heads, rows, flagged(caption, flags), frozenset({0}) if len(rows) > 1 else frozenset())


def confusion_table(analysis: Analysis, lines: Sequence[Row], flags: Mapping[str, str]) -> Table:
    """Four counts and the share misclassified, by method, contrast and reader."""
    negative, positive = WORDS[analysis.kind]
    cells = [f"{truth.capitalize()} as {call}" for truth in (negative, positive) for call in (negative, positive)]
    rows = tuple(
        (
            line.method,
            line.contrast,
            reader_name(line),
            f"{100 * line.detection.counts.accuracy:.1f}",
            f"{100 * line.detection.counts.misclassified:.1f}",
            *map(str, line.detection.counts.cells),
            number(line.detection.dprime.estimate),
        )
        for line in lines
    )
    caption = "Answers by method, MRI contrast and reader, as counts; d' of several readers is their mean."
    heads = ("Method", "Contrast", "Reader", "Right, %", "Wrong, %", *cells, "d'")
    return Table(heads, rows, flagged(caption, flags))


def planned_table(analysis: Analysis, flags: Mapping[str, str]) -> Table:
    """The family of tests that was fixed before the first answer."""
    rows = tuple((test.name, p_text(test.p), p_text(test.p_holm)) for test in analysis.planned)
    caption = (
        f"Tests fixed before the first answer, corrected over the family by Holm's method; level "
        f"{100 * analysis.plan.alpha:g} %. All other tests of this report are exploratory."
    )
    return Table(("Test", "p", "p, Holm"), rows, flagged(caption, flags))


def means_table(means: Means, flags: Mapping[str, str]) -> Table:
    """Mean of each method over subjects."""
    rows = tuple(
        (mean.method, shares(mean.mean) if means.share else plain(mean.mean), str(mean.mean.count), str(mean.answers))
        for mean in means.means
    )
    unit = ", %" if means.share else ""
    caption = f"{means.what.capitalize()}, mean over subjects with 95 % interval."
    return Table(("Method", f"{means.what.capitalize()}{unit}", "Subjects", "Answers"), rows, flagged(caption, flags))


def differences_table(means: Means, flags: Mapping[str, str]) -> Table:
    """Every pair of methods."""
    scale, digits = (100, 1) if means.share else (1, 2)
    rows = tuple(
        (
            f"{pair.first} − {pair.second}",
            f"{scale * pair.difference:+.{digits}f}".replace("-", "−"),
            str(pair.paired) if pair.paired else "between subjects",
            p_text(pair.p),
            p_text(pair.p_holm),
        )
        for pair in means.differences
    )
    unit = ", points" if means.share else ""
    caption = (
        f"Differences in “{means.what}”. Where methods were shown on the same subjects, signs are flipped within "
        f"subjects; otherwise subjects are exchanged. Holm: corrected over all pairs.{_within_text(means)}"
    )
    return Table(("Methods", f"Difference{unit}", "Shared subjects", "p", "p, Holm"), rows, flagged(caption, flags))


def _within_text(means: Means) -> str:
    """Generators on the same cases, for these readers; empty where they were not all shown on them."""
    if means.within is None:
        return ""
    found = means.within
    return (
        f" On the {found.cases} cases of which every reader judged an image of every method: Cochran's Q within reader "
        f"and case, p = {p_text(found.p)}; with the variance taken between cases, p = {p_text(found.p_clustered)}."
    ).replace("= <", "<")


def auc_table(analysis: Analysis, flags: Mapping[str, str]) -> Table:
    """Generators compared by AUC."""
    rows = tuple((f"{p.first} − {p.second}", plain(p.difference, sign=True), p_text(p.p)) for p in analysis.pairs)
    caption = (
        "Differences in the mean AUC of readers with 95 % interval; real images are shared. Negative: harder to tell."
    )
    return Table(("Methods", "Difference in AUC", "p"), rows, flagged(caption, flags))


def preference_tables(preference: Preference, flags: Mapping[str, str]) -> tuple[Table, Table]:
    """Rates and strengths, and every pair."""
    rows = tuple(
        (one.method, shares(one.rate), str(one.rate.count), str(one.equal), plain(one.strength, sign=True))
        for one in preference.strengths
    )
    left = preference.said_left
    caption = (
        "Comparisons won with Wilson's 95 % interval, and Bradley-Terry strength: log odds against the mean of all "
        "methods, standard errors clustered by subject. The left image was preferred in "
        f"{shares(left)} % of decided comparisons."
    )
    strengths = Table(("Method", "Won, %", "Decided", "Equal", "Strength"), rows, flagged(caption, flags))
    pairs = tuple((f"{a} against {b}", f"{wins} of {count}", p_text(p)) for a, b, wins, count, p in preference.pairs)
    caption = "Decided comparisons won by the first method; exact test, Holm-corrected over pairs."
    return strengths, Table(("Pair", "Won by the first", "p, Holm"), pairs, flagged(caption, flags))


def agreement_table(analysis: Analysis, flags: Mapping[str, str]) -> Table:
    """Within and between readers."""
    rows = tuple(
        (entry.who, str(entry.items), f"{100 * entry.share:.0f}", plain(entry.kappa)) for entry in analysis.agreements
    )
    caption = (
        "Agreement on items answered twice by one reader, and by two readers: share answered alike, and Cohen's kappa "
        "(weighted by squared distance for scores) with its 95 % interval, subjects resampled."
    )
    return Table(("Readers", "Items", "Alike, %", "Kappa"), rows, flagged(caption, flags))


def outline_table(outlines: Sequence[Outlines], flags: Mapping[str, str]) -> Table:
    """Overlap of the tumours that pairs of readers outlined in the same images."""
    rows = tuple((pair.who, str(pair.overlap.count), plain(pair.overlap)) for pair in outlines)
    caption = (
        "Outlines of two readers in the same image: Dice, 1 where both outlined nothing, mean over images with its "
        "95 % interval."
    )
    return Table(("Readers", "Images", "Dice"), rows, flagged(caption, flags))


def order_table(analysis: Analysis, flags: Mapping[str, str]) -> Table:
    """Accuracy and time by quarter of the session."""
    rows = tuple(
        (
            "all readers" if who == ALL else who,
            *(shares(part) for part in trend.parts),
            " / ".join("–" if not np.isfinite(s) else f"{s:.0f}" for s in trend.seconds),
            p_text(trend.p),
            trend.reading,
        )
        for who, trend in analysis.trends.items()
    )
    caption = (
        "Right answers (%) in each quarter of the session, median seconds for an answer, and Mantel's test of a trend."
    )
    heads = ("Reader", "1st quarter", "2nd", "3rd", "4th", "Seconds", "p", "Reading")
    return Table(heads, rows, flagged(caption, flags))


def cue_rows(analysis: Analysis, flags: Mapping[str, str]) -> Table:
    """Reasons ticked, by method."""
    methods = list(analysis.cues[0].on_method)
    rows = tuple(
        (cue.name, shares(cue.on_real), *(shares(cue.on_method[m]) for m in methods), p_text(cue.p))
        for cue in analysis.cues
    )
    caption = (
        "Share of answers (%) in which a reason was ticked. A reason that is ticked as often on real images gives "
        "nothing away. p: synthetic against real, subjects exchanged, Holm-corrected over reasons."
    )
    return Table(("Reason", "real", *methods, "p, Holm"), rows, flagged(caption, flags))


def reader_name(line: Row) -> str:
    """Name of a line's reader."""
    return (
        f"all {line.readers}"
        if line.who == ALL and line.readers > 1
        else ("the reader" if line.who == ALL else line.who)
    )


def basis_text(lines: Sequence[Row]) -> str:
    """Say what intervals and tests rest on."""
    found: dict[Basis, list[str]] = {line.basis: [] for line in lines}
    for line in lines:
        found[line.basis].append(reader_name(line))
    return " ".join(f"{', '.join(names)}: {BASES[basis]}." for basis, names in found.items())


def shares(interval: Interval) -> str:
    """Percent with interval, one decimal.

    Example:
        >>> shares(Interval(0.54, 0.443, 0.634, 0.95, 100))
        '54.0 (44.3 to 63.4)'
    """
    estimate, low, high = (100 * value for value in (interval.estimate, interval.low, interval.high))
    return plain(Interval(estimate, low, high, interval.level, interval.count), digits=1)


def plain(interval: Interval, *, digits: int = 2, sign: bool = False) -> str:
    """Number with interval; a dash where there is none."""
    if not np.isfinite(interval.estimate):
        return "–"
    low, value, high = (
        f"{x:{'+' if sign else ''}.{digits}f}".replace("-", "−")
        for x in (interval.low, interval.estimate, interval.high)
    )
    return f"{value} ({low} to {high})" if interval.known else value


def number(value: float) -> str:
    """Two decimals with a true minus sign; a dash for none."""
    return f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "–"
