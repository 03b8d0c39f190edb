"""Which class is brighter than which in a contrast: rules that a drawn style must keep."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from glioforge.config import Spec
from glioforge.core import LabelScheme, Modality, SpecError


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
