"""The style that a generator's condition is painted with: mixed between training cases, or drawn about their mean."""

import numpy as np

from glioforge.synthesis.appearance import Style
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.order_rules import keeps_order, measured_order, places_of
from glioforge.synthesis.style_spread import StyleSpread

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
