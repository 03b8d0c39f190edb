"""Styles drawn around the mean of the training cases, at any width, or mixed between two of them.

The spread is that of a shrunk covariance.  A style is a table of mean intensities whose last axis is the contrast.  Few
subjects give a covariance of low rank: it is mixed with a structured target,
in which all classes of a contrast share a part of their variation, as a change
of scanner does, and each class and each subclass has a part of its own.  The
weight of the target is estimated, and 1 for fewer than four cases.  Variances
are shrunk towards those of the contrast, and have a floor, so that one subject
gives a spread as well.

Sources: Ledoit & Wolf 2003, J Empir Finance 10:603 (structured target);
Schäfer & Strimmer 2005, Stat Appl Genet Mol Biol 4:32, equations 8 and 10
(weight of the target for correlations, from the variance of each).
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from glioforge.synthesis.appearance import Style
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.order_rules import keeps_order, measured_order, places_of

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
