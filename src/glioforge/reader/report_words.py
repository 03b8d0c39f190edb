"""What may be said of a reading study: verdicts in words, never more than the tests carry.

- "Not distinguishable within the margin" stands only where two one-sided tests
  place the accuracy within it, and the reader's bias left room to fail.
- Where a reader is biased, the share of the answer is said with the accuracy.
- One or two readers are no sample: nothing is said of readers in general.
- A Visual Turing Test says nothing of diversity, and that is said, with a
  number where there is one.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from glioforge.reader.analysis import Analysis
from glioforge.reader.analysis_methods import Means
from glioforge.reader.analysis_rows import ALL, Row
from glioforge.reader.mrmc import FEWEST_READERS
from glioforge.reader.preference import Preference
from glioforge.statistics import Interval

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "turing": ("real", "synthetic"),
    "training": ("real", "synthetic"),
    "choice": ("left", "right"),
    "diagnosis": ("no tumour", "tumour"),
}
"""The two answers of a kind, the positive one last."""
TITLES: Final[Mapping[str, str]] = {
    "turing": "Can readers tell synthetic from real images?",
    "training": "How readers learned to tell synthetic from real images",
    "choice": "Which of two images is the real one?",
    "preference": "Which method do readers prefer?",
    "accept": "Which images do readers accept?",
    "likert": "How good do readers find the images?",
    "delineation": "Do readers draw the tumour where the label map has it?",
    "diagnosis": "Do readers see the tumour?",
}
"""Question of a kind, for the heading of its report."""


def verdict(analysis: Analysis) -> str:
    """Answer the question of a study in one or two sentences."""
    if analysis.preference is not None:
        return _preferred(analysis.preference, analysis.plan.alpha)
    if analysis.primary is not None and analysis.kind != "diagnosis":
        return f"{found(analysis.primary, analysis)} {bias(analysis.primary, analysis.kind)}".strip()
    return _means(analysis)


def found(line: Row, analysis: Analysis) -> str:
    """State what a line of a Visual Turing Test or a forced choice shows; the primary line by its corrected p."""
    detection, alpha = line.detection, analysis.plan.alpha
    p_chance, p_equal = detection.p_chance, detection.p_equivalence
    if line is analysis.primary:
        p_chance = _corrected(analysis, "accuracy against chance", p_chance)
        p_equal = _corrected(analysis, "equivalence with chance", p_equal)
    pairs = "pairs" if analysis.kind == "choice" else "images"
    numbers = f"{percent(detection.accuracy, pairs)}; {detection.counts.trials} answers"
    return f"{_finding(line, told=p_chance < alpha, equal=p_equal < alpha)} ({numbers})."


def _finding(line: Row, *, told: bool, equal: bool) -> str:
    """What a line shows, by whether a difference from chance, and equivalence with it, are significant."""
    detection, who = line.detection, _who(line)
    margin = f"{100 * detection.margin:.0f} points"
    if told and detection.accuracy.estimate < 0.5:
        return f"{who} took synthetic images for real ones, and real for synthetic ones, more often than chance"
    if told and equal and detection.room:
        return f"{who} distinguished synthetic from real images, but by less than {margin}"
    if told:
        return f"{who} distinguished synthetic from real images"
    if equal and detection.room:
        return f"Not distinguishable within the margin of {margin} around chance for {_lower(who)}"
    if equal:
        return f"Not answered: the bias of {_lower(who)} left no room to tell images apart"
    return f"Not answered: neither a difference from chance nor equivalence within {margin} is shown for {_lower(who)}"


def bias(line: Row, kind: str) -> str:
    """State the bias of a line, where there is one; empty otherwise."""
    detection = line.detection
    if not detection.p_bias < 0.05:
        return ""
    share, answer = detection.counts.said_synthetic, WORDS[kind][1]
    if share < 0.5:
        share, answer = 1 - share, WORDS[kind][0]
    return f"{_who(line)} said {answer} {100 * share:.0f} % of the time."


def readers_note(analysis: Analysis) -> str:
    """State for whom the results hold."""
    count = len(analysis.readers)
    if count < FEWEST_READERS:
        who = "One reader is" if count == 1 else "Two readers are"
        return f"{who} no sample of readers: all results are about {'this reader' if count == 1 else 'these readers'}."
    return (
        f"Results over all {count} readers hold for readers like these: their variance is over readers and cases. "
        "Comparisons of means between methods take the readers as given."
    )


def diversity_note(diversity: Mapping[str, float]) -> str:
    """State what the study says of diversity: nothing, unless numbers come with it."""
    start = "A reading study judges one image at a time and says nothing about diversity:"
    if not diversity:
        return (
            f"{start} a method that makes one perfect image again and again would pass. No measure of diversity was "
            "given; add one with a fidelity file."
        )
    values = ", ".join(f"{name} {value:.3f}" for name, value in diversity.items())
    return f"{start} that is measured on the cohorts. Diversity: {values}."


def percent(interval: Interval, of: str = "") -> str:
    """Write a share in percent with its interval.

    Example:
        >>> percent(Interval(0.54, 0.443, 0.634, 0.95, 100), "images")
        '54 % of images right, 95 % interval 44 to 63 %'
    """
    if not np.isfinite(interval.estimate):
        return "–"
    value = f"{100 * interval.estimate:.0f} %{f' of {of} right' if of else ''}"
    if not interval.known:
        return value
    return f"{value}, 95 % interval {100 * interval.low:.0f} to {100 * interval.high:.0f} %"


def _corrected(analysis: Analysis, name: str, p: float) -> float:
    """Corrected p of a planned test; the p itself where it was not planned."""
    return next((test.p_holm for test in analysis.planned if test.name == name), p)


def _who(line: Row) -> str:
    """Who a line is about, at the start of a sentence."""
    if line.readers == 1:
        return "The reader" if line.who == ALL else line.who
    return f"The {line.readers} readers" if line.readers < FEWEST_READERS else "Readers"


def _lower(who: str) -> str:
    """The same within a sentence."""
    return who[0].lower() + who[1:] if who.split(maxsplit=1)[0] in {"The", "Readers"} else who


def _preferred(preference: Preference, alpha: float) -> str:
    """What comparisons of pairs show."""
    first = preference.strengths[0]
    if not preference.p < alpha:
        return f"No method is shown to be preferred (p = {preference.p:.3f})."
    return (
        f"{first.method} is preferred most: of its comparisons it won {percent(first.rate)}; methods differ "
        f"(p {'< 0.001' if preference.p < 0.001 else f'= {preference.p:.3f}'})."
    )


def _means(analysis: Analysis) -> str:
    """What means of methods show."""
    if not analysis.means:
        return "There is nothing to compare."
    first = analysis.means[0]
    listed = "; ".join(f"{mean.method} {mean_text(mean.mean, first)}" for mean in first.means)
    differing = [pair for pair in first.differences if pair.p_holm < analysis.plan.alpha]
    pairs = ", ".join(f"{pair.first} and {pair.second}" for pair in differing)
    end = f"Shown to differ: {pairs}." if pairs else "No difference between methods is shown."
    return f"{first.what.capitalize()}: {listed}. {end}"


def mean_text(interval: Interval, of: Means) -> str:
    """Write the mean of a method: in percent for shares."""
    if of.share and interval.known:
        return f"{100 * interval.estimate:.0f} % ({100 * interval.low:.0f} to {100 * interval.high:.0f} %)"
    if of.share:
        return f"{100 * interval.estimate:.0f} %"
    if not interval.known:
        return f"{interval.estimate:.2f}"
    return f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})"
