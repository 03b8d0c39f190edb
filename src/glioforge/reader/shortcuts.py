"""Audit of pixel shortcuts: does a number without any anatomy separate real from synthetic stimuli?

A reader who notices that one kind has a ragged border or few grey levels answers without looking at the brain.  Each
feature is compared between real and synthetic stimuli by the area under its ROC curve, with a Mann-Whitney test
corrected over features (Holm).  A feature that separates them is refused before a study starts.

Features
--------
levels     number of grey levels used within the brain, which shows quantisation
commonest  share of the most frequent grey level within the brain
clipped    share of voxels at either end of the grey window
holes      share of background voxels within the rows that the brain spans
rim        mean of the outermost voxels of the brain over that of the brain
ragged     length of the brain's border over that of the smoothest one of its area
extent     area of the brain
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage, stats

from glioforge.core import CohortError
from glioforge.reader.stimulus import Pixels
from glioforge.statistics import holm

FEATURES: Final = ("levels", "commonest", "clipped", "holes", "rim", "ragged", "extent")
LARGEST_AUC: Final = 0.85
"""Area under the curve from which on, in either direction, a feature is a shortcut if it is significant."""
LEVEL: Final = 0.01
"""Corrected p below which it is significant."""


@final
@dataclass(frozen=True)
class Shortcut:
    """How well a feature separates real from synthetic stimuli.

    Args:
        feature: Its name.
        auc: Area under the ROC curve of synthetic against real, .5 where it separates nothing.
        p: Two-sided Mann-Whitney p, corrected over features by Holm's method.
    """

    feature: str
    auc: float
    p: float

    @property
    def separates(self) -> bool:
        """Whether a reader could answer by it."""
        return abs(self.auc - 0.5) >= LARGEST_AUC - 0.5 and self.p < LEVEL

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"feature": self.feature, "auc": round(self.auc, 4), "p": round(self.p, 6), "separates": self.separates}


def features_of(pixels: Pixels) -> dict[str, float]:
    """Measure the features of a stimulus, the mean over its contrasts; zeros for a stimulus without brain."""
    found = [_features(contrast) for contrast in pixels]
    return {name: float(np.mean([one[name] for one in found])) for name in FEATURES}


def find_shortcuts(real: Sequence[Mapping[str, float]], made: Sequence[Mapping[str, float]]) -> tuple[Shortcut, ...]:
    """Compare features of real and synthetic stimuli; none where either group has fewer than two.

    Args:
        real: Features of each real stimulus.
        made: Features of each synthetic stimulus.
    """
    if min(len(real), len(made)) < 2:
        return ()
    tests = []
    for name in FEATURES:
        ones, others = [row[name] for row in made], [row[name] for row in real]
        if len({*ones, *others}) == 1:
            tests.append((0.5, 1.0))
            continue
        test = stats.mannwhitneyu(ones, others, alternative="two-sided")
        tests.append((float(test.statistic) / (len(ones) * len(others)), float(test.pvalue)))
    corrected = holm(np.array([p for _, p in tests])).tolist()
    return tuple(Shortcut(n, auc, p) for n, (auc, _), p in zip(FEATURES, tests, corrected, strict=True))


def listed_shortcuts(found: Sequence[Shortcut]) -> str:
    """Name the features that separate, with their areas under the curve; empty where none does."""
    return ", ".join(f"{one.feature} (AUC {one.auc:.2f})" for one in found if one.separates)


def require_no_shortcut(found: Sequence[Shortcut], where: str) -> None:
    """Refuse a study in which a feature gives the answer away.

    Raises:
        CohortError: Names the features with their areas under the curve.
    """
    separating = listed_shortcuts(found)
    if separating:
        raise CohortError(
            f"pixel shortcuts: {separating}",
            f"no such feature with an AUC beyond {1 - LARGEST_AUC:.2f} to {LARGEST_AUC:.2f}",
            "prepare real and synthetic cases alike (brain mask, grid, intensities); where the shortcut belongs to the "
            "method, give --allow-shortcuts, which marks every table of the study",
            where,
        )


def _features(levels: UInt8[np.ndarray, "_ _ _"]) -> dict[str, float]:
    """Features of one contrast, slices along the first axis."""
    brain = levels > 0
    if not brain.any():
        return dict.fromkeys(FEATURES, 0.0)
    inside = levels[brain]
    counts = np.bincount(inside, minlength=256)
    rows = brain.any(axis=2, keepdims=True)
    between = rows & (np.cumsum(brain, axis=2) > 0) & (np.cumsum(brain[..., ::-1], axis=2)[..., ::-1] > 0)
    inner = ndimage.binary_erosion(brain, np.ones((1, 3, 3), bool))
    rim = brain & ~inner
    return {
        "levels": float(np.count_nonzero(counts)),
        "commonest": float(counts[2:255].max(initial=0) / inside.size),
        "clipped": float((counts[1] + counts[255]) / inside.size),
        "holes": float((between & ~brain).sum() / brain.sum()),
        "rim": float(levels[rim].mean() / max(1.0, inside.mean())),
        "ragged": float(rim.sum() / np.sqrt(brain.sum())),
        "extent": float(brain.sum()),
    }
