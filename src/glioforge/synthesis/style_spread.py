"""Styles drawn around the mean of the training cases, at any width, or mixed between two of them, that keep an order.

The spread is that of a shrunk covariance.  A style is a table of mean intensities whose last axis is the contrast.  Few
subjects give a covariance of low rank: it is mixed with a structured target,
in which all classes of a contrast share a part of their variation, as a change
of scanner does, and each class and each subclass has a part of its own.  The
weight of the target is estimated, and 1 for fewer than four cases.  Variances
are shrunk towards those of the contrast, and have a floor, so that one subject
gives a spread as well.

A drawn style must keep rules of which class is brighter than which in a contrast.

Sources: Ledoit & Wolf 2003, J Empir Finance 10:603 (structured target);
Schäfer & Strimmer 2005, Stat Appl Genet Mol Biol 4:32, equations 8 and 10
(weight of the target for correlations, from the variance of each).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from glioforge.config import Spec
from glioforge.core import LabelScheme, Modality, SpecError
from glioforge.synthesis.appearance import Style
from glioforge.synthesis.method import Knowledge

_SHARED, _OWN = 0.3, 0.7
"""Parts of the variance of a class mean: common to the classes of a contrast, and its own."""
_FEWEST = 4
_PRIOR_CASES = 3
"""Cases that the pooled variance of a contrast counts for."""


@final
@dataclass(frozen=True, eq=False)
class StyleSpread:
    """Mean and spread of styles.

    Args:
        mean: Mean over the cases that have the entry.
        spread: Standard deviation of each entry, shrunk.
        directions: Standardised deviations of the cases, `(case, *style)`, scaled by 1 / sqrt(cases - 1).
        target_weight: Weight of the structured target, 0 to 1.
    """

    mean: Float64[np.ndarray, "*style"]
    spread: Float64[np.ndarray, "*style"]
    directions: Float64[np.ndarray, "case *style"]
    target_weight: float

    @classmethod
    def of(cls, styles: Float64[np.ndarray, "case *style"], floor: Float64[np.ndarray, "*style"]) -> "StyleSpread":
        """Estimate the spread of measured styles.

        Args:
            styles: Style of each case, `nan` where it lacks the entry; an entry that no case has is 0.
            floor: Least standard deviation of each entry.
        """
        known = np.isfinite(styles)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, styles, 0.0).sum(axis=0) / counts
        away = np.where(known, styles - mean, 0.0)
        variance = (away**2).sum(axis=0) / np.maximum(counts - 1, 1)
        free = counts - 1
        axes = tuple(range(variance.ndim - 1))
        pooled = (variance * free).sum(axis=axes) / np.maximum(free.sum(axis=axes), 1)
        spread = np.sqrt((variance * free + pooled * _PRIOR_CASES) / (free + _PRIOR_CASES))
        spread = np.maximum(spread, floor)
        scaled = away / np.maximum(np.sqrt(variance), 1e-9) / np.sqrt(max(len(styles) - 1, 1))
        return cls(mean, spread, scaled, _target_weight(scaled))

    def draw(self, rng: np.random.Generator, width: float) -> Float64[np.ndarray, "*style"]:
        """Draw a style; a width of 0 gives the mean, 1 the spread of the training cases."""
        along = np.tensordot(rng.standard_normal(len(self.directions)), self.directions, axes=1)
        structured = _structured(rng, self.mean.shape)
        deviation = np.sqrt(1 - self.target_weight) * along + np.sqrt(self.target_weight) * structured
        drawn: Float64[np.ndarray, "*style"] = self.mean + width * self.spread * deviation
        return drawn


def _structured(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Deviations of variance 1 with the correlations of the target, `(class, [subclass,] contrast)`."""
    shared = rng.standard_normal((*[1] * (len(shape) - 1), shape[-1]))
    own = rng.standard_normal((shape[0], *[1] * (len(shape) - 2), shape[-1]))
    if len(shape) == 2:
        return np.asarray(np.sqrt(_SHARED) * shared + np.sqrt(_OWN) * own)
    inner = rng.standard_normal(shape)
    return np.asarray(np.sqrt(_SHARED) * shared + np.sqrt(_OWN - 0.2) * own + np.sqrt(0.2) * inner)


def _target_correlations(shape: tuple[int, ...]) -> np.ndarray:
    """Correlations of the target between all entries."""
    index = np.indices(shape).reshape(len(shape), -1)
    same = index[:, :, None] == index[:, None, :]
    own = _OWN if len(shape) == 2 else _OWN - 0.2
    found = same[-1] * (_SHARED + own * same[0])
    np.fill_diagonal(found, 1.0)
    return np.asarray(found, dtype=np.float64)


def _target_weight(scaled: Float64[np.ndarray, "case *style"]) -> float:
    """Weight of the target that lowers the expected squared error of the correlations."""
    cases = len(scaled)
    if cases < _FEWEST:
        return 1.0
    rows = scaled.reshape(cases, -1)
    rows = rows[:, (rows != 0).any(axis=0)] * np.sqrt(cases - 1)
    chosen = (scaled != 0).any(axis=0).ravel()
    target = _target_correlations(scaled.shape[1:])[np.ix_(chosen, chosen)]
    products = rows[:, :, None] * rows[:, None, :]
    found = products.sum(axis=0) / (cases - 1)
    noise = cases / (cases - 1) ** 3 * ((products - products.mean(axis=0)) ** 2).sum(axis=0)
    apart = ~np.eye(len(target), dtype=bool)
    off = float(((found - target) ** 2)[apart].sum())
    return float(np.clip(noise[apart].sum() / off, 0, 1)) if off > 0 else 1.0


FLOOR = 0.3
"""Least spread of a class mean, as a share of the variation within the class."""
_TRIES = 40


def drawn_style(knowledge: Knowledge, jitter: float, width: float | None, rng: np.random.Generator) -> Style:
    """Draw a style.

    Args:
        knowledge: Class statistics of the training cases.
        jitter: For mixed styles: see `Appearance.draw`.
        width: Spread about the mean of the cases, as of `painted`, with the order of classes kept; none mixes two
            cases.
        rng: Source of the draws.
    """
    appearance = knowledge.appearance
    if width is None:
        return appearance.draw(rng, jitter)
    cases = len(appearance.means)
    own = appearance.own(int(rng.integers(cases)))
    within = np.stack([appearance.own(n).deviations for n in range(cases)]).mean(axis=0)
    spread = StyleSpread.of(appearance.means, FLOOR * within)
    order = measured_order(appearance.means, knowledge.modalities, knowledge.scheme)
    places = places_of(order, knowledge.modalities, knowledge.scheme)
    means, tries = spread.draw(rng, width), 0
    while width and not keeps_order(means, places):
        tries += 1
        # At a width of 0 the mean remains, which keeps every measured rule.
        width = width if tries % _TRIES else (width / 2 if width > 0.05 else 0.0)
        means = spread.draw(rng, width)
    means[0] = 0.0
    return Style(means, own.deviations)


class OrderRule(Spec):
    """One class is brighter than another in a contrast."""

    contrast: Modality
    """The contrast."""
    brighter: str
    """Name of the class that is brighter."""
    darker: str
    """Name of the class that is darker."""


def _rule(contrast: Modality, brighter: str, darker: str) -> OrderRule:
    return OrderRule(contrast=contrast, brighter=brighter, darker=darker)


USUAL_ORDER = (
    _rule(Modality.T1CE, "enhancing", "white_matter"),
    _rule(Modality.T1CE, "white_matter", "necrotic_core"),
    _rule(Modality.T1, "white_matter", "grey_matter"),
    _rule(Modality.T1, "grey_matter", "csf"),
    _rule(Modality.FLAIR, "oedema", "grey_matter"),
    _rule(Modality.FLAIR, "grey_matter", "csf"),
    _rule(Modality.T2, "oedema", "white_matter"),
    _rule(Modality.T2, "csf", "white_matter"),
)
"""What radiologists expect of gliomas; a rule is kept where the training cases keep it."""

Means = Float64[np.ndarray, "class contrast"]
Places = tuple[tuple[int, int, int], ...]


def measured_order(
    means: Float64[np.ndarray, "case class contrast"], modalities: Sequence[Modality], scheme: LabelScheme
) -> tuple[OrderRule, ...]:
    """Return those of `USUAL_ORDER` that hold in the mean and in four of five of the cases which have both classes."""
    kept = []
    for rule, (contrast, brighter, darker) in _located(USUAL_ORDER, modalities, scheme).items():
        lead = means[:, brighter, contrast] - means[:, darker, contrast]
        lead = lead[np.isfinite(lead)]
        if lead.size and lead.mean() > 0 and (lead > 0).mean() >= 0.8:
            kept.append(rule)
    return tuple(kept)


def require_order(rules: Iterable[OrderRule], mean: Means, modalities: Sequence[Modality], scheme: LabelScheme) -> None:
    """Refuse rules with unknown classes, and rules that the mean of the training cases breaks.

    Raises:
        SpecError: With the rule.
    """
    rules = tuple(rules)
    for rule in rules:
        unknown = sorted({rule.brighter, rule.darker} - set(scheme.labels))
        if unknown:
            raise SpecError(
                f"an order rule with {unknown}", f"classes of scheme {scheme.name!r}: {list(scheme.labels)}"
            )
    for rule, (contrast, brighter, darker) in _located(rules, modalities, scheme).items():
        if not mean[brighter, contrast] > mean[darker, contrast]:
            raise SpecError(
                f"the order rule {rule.contrast}: {rule.brighter} above {rule.darker}",
                "a rule that the mean of the training cases keeps",
                "leave it out: no style near theirs would keep it",
            )


def places_of(rules: Iterable[OrderRule], modalities: Sequence[Modality], scheme: LabelScheme) -> Places:
    """Return rows and columns of rules in a table of means: contrast, brighter, darker; others are passed over."""
    return tuple(_located(rules, modalities, scheme).values())


def keeps_order(means: Means, places: Places) -> bool:
    """Return whether a table of class means keeps all rules; no rules are always kept."""
    return all(means[brighter, contrast] > means[darker, contrast] for contrast, brighter, darker in places)


def _located(
    rules: Iterable[OrderRule], modalities: Sequence[Modality], scheme: LabelScheme
) -> Mapping[OrderRule, tuple[int, int, int]]:
    """Rules about these contrasts and classes, with their places."""
    rank = {name: place for place, name in enumerate(sorted(scheme.labels, key=scheme.value))}
    known = list(modalities)
    return {
        rule: (known.index(rule.contrast), rank[rule.brighter], rank[rule.darker])
        for rule in rules
        if rule.contrast in known and rule.brighter in rank and rule.darker in rank
    }
