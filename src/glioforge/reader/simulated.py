"""Simulated readers: answers of known behaviour, for tests, power and demonstrations.

A reader sees evidence that an item is synthetic, `d' x strength` for synthetic
items plus noise, part of which all readers share because it lies in the image,
and calls it synthetic above a criterion.  Confidence grows with the distance
from the criterion, and so does speed.

Profiles
--------
chance    sees nothing
expert    d' 1.5
perfect   sees everything
biased    sees little and says `synthetic` four times in five
learning  starts at chance and ends with d' 2.5
tired     starts with d' 2 and ends at chance

Source: Green & Swets, Signal Detection Theory and Psychophysics (1966); Roe &
Metz, Academic Radiology 4 (1997) for the noise that readers share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from glioforge.core import stream
from glioforge.reader.analysis_readings import POSITIVE
from glioforge.reader.answers import Answer

SHARED: Final = 0.4
"""Share of the noise that lies in the image and all readers see alike."""
_CUE_SHARE: Final = 0.65


@final
@dataclass(frozen=True)
class SimulatedReader:
    """How a simulated reader behaves.

    Args:
        start: d' at the first item.
        end: d' at the last item.
        criterion: Evidence above which an item is called synthetic, from the middle.
        seconds: Median time for an answer.
    """

    start: float
    end: float
    criterion: float = 0.0
    seconds: float = 6.0


PROFILES: Final[Mapping[str, SimulatedReader]] = {
    "chance": SimulatedReader(0.0, 0.0),
    "expert": SimulatedReader(1.5, 1.5),
    "perfect": SimulatedReader(12.0, 12.0, seconds=3.0),
    "biased": SimulatedReader(0.3, 0.3, criterion=-0.85),
    "learning": SimulatedReader(0.0, 2.5),
    "tired": SimulatedReader(2.0, 0.0, seconds=9.0),
}
"""The profiles described above."""


@final
@dataclass(frozen=True)
class Form:
    """What a reader is asked besides the call.

    Args:
        levels: Steps of confidence; 0 for none.
        scores: Steps of a quality score; 0 for none.
        cues: Reasons to tick from.
    """

    levels: int = 5
    scores: int = 0
    cues: tuple[str, ...] = ()


def answer_items(
    items: Sequence[Answer],
    reader: SimulatedReader,
    form: Form,
    *,
    seed: int,
    strengths: Mapping[str, float] | None = None,
) -> tuple[Answer, ...]:
    """Answer one reader's items in their order.

    Args:
        items: Rows of the table of answers without answers: truth, method, order, side and kind are read.
        reader: How the reader behaves.
        form: What is asked.
        seed: Of the noise; the part that lies in an image depends on subject, method and contrast, not on the reader.
        strengths: How much of d' the images of a method give away, 1 unless given; and how much better a method is than
            others where a preference is asked.

    Returns:
        The same rows with call, confidence, score, cues, and time.
    """
    strengths = strengths or {}
    rng = stream(seed, "simulated reader", items[0].reader if items else "")
    places = np.linspace(0.0, 1.0, max(len(items), 2))[: len(items)]
    noise = rng.normal(size=len(items))
    answered = []
    for place, own, item in zip(places, noise, items, strict=True):
        strength = strengths.get(item.method, 1.0)
        sensitivity = (reader.start + (reader.end - reader.start) * place) * strength
        shared = stream(seed, "image", item.subject, item.method, item.contrast).normal()
        mixed = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own
        call, evidence = _filled(item, sensitivity, mixed, reader.criterion, strengths)
        answered.append(
            replace(
                item,
                call=call,
                confidence=_confidence(abs(evidence), form.levels) if call else None,
                score=_score(item, mixed, strength, form.scores),
                cues=_cues(item, call, form.cues, rng),
                ms=int(1000 * reader.seconds * np.exp(0.35 * rng.normal() - 0.25 * min(abs(evidence), 2.0))),
            )
        )
    return tuple(answered)


def _confidence(distance: float, levels: int) -> int | None:
    """Confidence that grows with the distance from the criterion."""
    return int(np.clip(np.ceil(distance / 2 * levels), 1, levels)) if levels else None


def _filled(
    item: Answer, sensitivity: float, noise: float, criterion: float, strengths: Mapping[str, float]
) -> tuple[str, float]:
    """Call, and evidence as distance from the criterion."""
    if item.kind == "preference":
        lead = strengths.get(item.method, 0.0) - strengths.get(item.other, 0.0) + 1.4 * noise
        other = {"left": "right", "right": "left"}.get(item.side, "right")
        return (item.side if lead > 0 else other), lead
    if item.kind in {"likert", "delineation"}:
        return "", noise
    if item.kind == "accept":
        evidence = 1.0 - (0.8 * sensitivity if item.truth == "synthetic" else 0.0) + noise
        return ("accept" if evidence > 0 else "reject"), evidence
    positive = POSITIVE.get(item.kind, "synthetic")
    negative = {"right": "left", "tumour": "no tumour"}.get(positive, "real")
    scale = np.sqrt(2) if item.kind == "choice" else 1.0
    evidence = scale * sensitivity * (0.5 if item.truth == positive else -0.5) + noise - criterion
    return (positive if evidence > 0 else negative), evidence


def _score(item: Answer, noise: float, strength: float, scores: int) -> float | None:
    """Quality score: real images are better by what a method gives away; Dice for drawings."""
    worse = 0.0 if item.method == "real" else 0.8 * strength
    if item.kind == "delineation":
        return round(float(np.clip(0.85 - 0.06 * worse + 0.05 * noise, 0.0, 1.0)), 4)
    if not scores:
        return None
    return float(np.clip(np.round(0.72 * scores - worse + 0.16 * scores * noise), 1, scores))


def _cues(item: Answer, call: str, cues: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Reasons for a call `synthetic`: the first two of the list most often for synthetic images, any for real ones."""
    if call != "synthetic" or not cues or rng.random() > _CUE_SHARE:
        return ()
    weights = np.ones(len(cues)) if item.truth == "real" else np.r_[3.0, 2.0, np.ones(len(cues))][: len(cues)]
    return (str(rng.choice(list(cues), p=weights / weights.sum())),)
