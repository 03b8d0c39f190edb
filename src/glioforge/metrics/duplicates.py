"""Near-duplicates: images or tumour label maps that show the same person as a reference, disguised or not.

All pairs are compared on a coarse grid, as they are and mirrored; the nearest
references of each image are then aligned by a rigid motion and compared in
detail.  Label maps are compared by the Dice coefficient of their nested regions,
laid upon each other by the middle of the tumour, so that a lesion that was moved
to another place is found as well.

What it finds: copies with noise, another intensity scale, blur, a shift, a turn
of some 10 degrees, a mirror image, another grid, and further scans of the same
person.  What it does not: copies bent by a strong deformation, parts of an image,
and tumours below 1 ml by their label map.  No hit is no proof of absence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float32

from glioforge.core import Case, CaseRef, Progress, Silent
from glioforge.metrics.head_picture import Head, agreement, align, halved, head_of
from glioforge.metrics.tumour_picture import Tumour, nested_dice, tumour_of

LABEL_MAP: Final = "label map"
"""Value of `NearDuplicate.what` where label maps agree."""
_CANDIDATES: Final = 4
"""References that are aligned to each image."""
_LEAST: Final = 0.5
"""Coarse correlation below which no reference is aligned."""

Units = Float32[np.ndarray, "case cell"]


@final
@dataclass(frozen=True)
class Limits:
    """From where on two cases count as near-duplicates.

    Args:
        correlation: Correlation of detail of one contrast, 0 to 1.
        dice: Dice of the nested tumour regions, 0 to 1.
    """

    correlation: float = 0.8
    dice: float = 0.82


@final
@dataclass(frozen=True)
class NearDuplicate:
    """One hit.

    Args:
        case_id: Case that was searched for.
        reference_id: Reference that it is nearly the same as.
        subject_id: Subject of the reference.
        what: Contrast (`flair`), tissue (`tissue csf`) or `label map` that agrees best.
        score: Correlation of detail, or Dice.
        mirrored: Whether the case agrees mirrored left to right.
    """

    case_id: str
    reference_id: str
    subject_id: str
    what: str
    score: float
    mirrored: bool

    def __str__(self) -> str:
        """One clause for messages and pages."""
        measure = "Dice" if self.what == LABEL_MAP else "correlation"
        way = ", mirrored" if self.mirrored else ""
        return (
            f"{self.what} of {self.case_id!r} is nearly that of {self.reference_id!r} ({measure} {self.score:.2f}{way})"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


@final
@dataclass(frozen=True, eq=False)
class _Pictures:
    """What is kept of each case: its reference, coarse channels as units, and its tumour."""

    ref: CaseRef
    coarse: Mapping[str, Float32[np.ndarray, "i j k"]]
    tumour: Tumour | None


def near_duplicates(
    images: Iterable[CaseRef],
    references: Iterable[CaseRef],
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> tuple[NearDuplicate, ...]:
    """Find the cases whose images or tumour label maps are nearly those of a reference.

    Args:
        images: Cases to search for, such as those of an external source; contrasts, labels or both.
        references: Cases to compare with, such as test subjects.
        limits: When two cases count as the same; calibrated on different people unless given.
        progress: Shows how many cases were read.

    Returns:
        The nearest hit of each case and reference, nearest first; empty where either side is.

    Raises:
        GlioforgeError: A case cannot be read.
    """
    limit, shown = limits or Limits(), progress or Silent()
    ours = _pictures(images, "reading cases", shown)
    theirs = _pictures(references, "reading references", shown)
    if not ours or not theirs:
        return ()
    hits: dict[tuple[str, str], NearDuplicate] = {}
    for hit in (*_alike_images(ours, theirs, limit, shown), *_alike_tumours(ours, theirs, limit)):
        known = hits.get((hit.case_id, hit.reference_id))
        if known is None or hit.score > known.score:
            hits[hit.case_id, hit.reference_id] = hit
    return tuple(sorted(hits.values(), key=lambda hit: (-hit.score, hit.case_id, hit.reference_id)))


def aligned_agreement(case: Case, reference: Case) -> float:
    """Return how far the detail of two cases agrees after rigid alignment, the best of all contrasts, mirrored or not.

    Args:
        case: One case.
        reference: Another with a contrast in common; NaN without one.
    """
    head, other = head_of(case), head_of(reference)
    shared = [channel for channel in head.channels if channel in other.channels]
    if not shared:
        return float("nan")
    return max(_best(head, other, shared[0], mirrored=mirrored)[1] for mirrored in (False, True))


def _pictures(cases: Iterable[CaseRef], title: str, progress: Progress) -> list[_Pictures]:
    """Coarse pictures of all cases; fine ones are made again for the few that are aligned."""
    found = []
    refs = list(cases)
    for ref in progress.track(refs, title, len(refs)):
        case = ref.load()
        tumour = None if case.labels is None else tumour_of(case.labels)
        found.append(_Pictures(ref, halved(head_of(case)), tumour))
    return found


def _alike_images(
    ours: Sequence[_Pictures], theirs: Sequence[_Pictures], limits: Limits, progress: Progress
) -> Iterator[NearDuplicate]:
    """Hits by contrast or tissue."""
    for mine in progress.track(ours, "comparing with references", len(ours)):
        candidates = _candidates(mine, theirs)
        head = head_of(mine.ref.load()) if candidates else None
        for reference, channel, mirrored in candidates:
            if head is None:
                continue
            found = _best(head, head_of(reference.ref.load()), channel, mirrored=mirrored)
            if found[1] >= limits.correlation:
                yield _hit(mine, reference, *found, mirrored=mirrored)


def _candidates(mine: _Pictures, theirs: Sequence[_Pictures]) -> list[tuple[_Pictures, str, bool]]:
    """Nearest references on the coarse grid, each with its best channel and whether mirrored."""
    best: dict[int, tuple[float, str, bool]] = {}
    for channel, picture in mine.coarse.items():
        known = [n for n, other in enumerate(theirs) if channel in other.coarse]
        if not known:
            continue
        others = _units(np.stack([theirs[n].coarse[channel] for n in known]))
        for mirrored, view in ((False, picture), (True, picture[::-1])):
            scores = others @ _units(view[None])[0]
            for n, score in zip(known, scores.tolist(), strict=True):
                if score > best.get(n, (_LEAST, "", False))[0]:
                    best[n] = (score, channel, mirrored)
    nearest = sorted(best, key=lambda n: -best[n][0])[:_CANDIDATES]
    return [(theirs[n], best[n][1], best[n][2]) for n in nearest]


def _best(mine: Head, other: Head, channel: str, *, mirrored: bool) -> tuple[str, float]:
    """Channel that agrees best after alignment by the given one, and its agreement."""
    channels, brain = mine.channels, mine.brain
    if mirrored:
        channels, brain = {name: values[::-1] for name, values in channels.items()}, brain[::-1]
    motion = align(other.channels[channel], channels[channel], other.brain)
    scores = {
        name: agreement(other.channels[name], channels[name], (other.brain, brain), motion)
        for name in channels
        if name in other.channels
    }
    best = max(scores, key=lambda name: scores[name])
    return best, scores[best]


def _alike_tumours(ours: Sequence[_Pictures], theirs: Sequence[_Pictures], limits: Limits) -> Iterator[NearDuplicate]:
    """Hits by label map."""
    pairs = ((mine, other, mine.tumour, other.tumour) for mine in ours for other in theirs)
    for mine, other, tumour, known in pairs:
        if tumour is None or known is None or not tumour.comparable(known):
            continue
        straight, mirrored = (nested_dice(tumour, known, mirrored=way) for way in (False, True))
        score = max(straight, mirrored)
        if score >= limits.dice:
            yield _hit(mine, other, LABEL_MAP, score, mirrored=mirrored > straight)


def _hit(mine: _Pictures, other: _Pictures, what: str, score: float, *, mirrored: bool) -> NearDuplicate:
    """A hit of two cases."""
    return NearDuplicate(mine.ref.case_id, other.ref.case_id, other.ref.subject_id, what, round(score, 4), mirrored)


def _units(pictures: Float32[np.ndarray, "case i j k"]) -> Units:
    """Pictures as vectors of length 1, whose mean within the brain is 0 as ranks are; 0 for a constant one."""
    flat = pictures.reshape(len(pictures), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    units: Units = (flat / np.where(length > 0, length, 1)).astype(np.float32)
    return units
