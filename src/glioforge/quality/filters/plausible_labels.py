"""Label maps that break rules which every real case keeps, a filter of Glioforge's own.

The rules: the brain is one piece; the lesion lies inside the brain; tumour core
has oedema (or the rest of the tumour) around or beside it; no class is missing
that every training case has; the lesion is no larger, smaller or more scattered
than real ones by a stated factor.  Where real cases bend a rule, the worst of
them sets the limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from pydantic import Field
from scipy import ndimage

from glioforge.core import LabelMap, LabelScheme, Mask
from glioforge.quality.base import FILTERS, Case, Evidence, FilterSpec, Verdict

_TOUCHING = ndimage.generate_binary_structure(3, 3)


class PlausibleLabelsSpec(FilterSpec):
    """Settings of the filter on label maps."""

    kind: Literal["plausible_labels"] = "plausible_labels"
    stray_share: float = Field(0.02, ge=0, le=1)
    """Share of the brain, or of the tumour core, that may lie apart, where no real case has more."""
    volume_factor: float = Field(2.0, ge=1)
    """How many times the largest real lesion, or how small a part of the smallest, is allowed."""
    pieces_factor: float = Field(2.0, ge=1)
    """How many times the largest number of pieces of a real lesion is allowed."""


@final
@dataclass(frozen=True)
class LabelFacts:
    """What the rules look at.

    Args:
        lesion_ml: Volume of the lesion.
        pieces: Pieces of the lesion that do not touch each other.
        stray_brain: Share of the brain outside its largest piece.
        stray_core: Share of the core in pieces of the lesion without any other tumour label.
        outside: Share of the lesion outside the brain mask.
        classes: Names of the classes present.
    """

    lesion_ml: float
    pieces: int
    stray_brain: float
    stray_core: float
    outside: float
    classes: frozenset[str]


@FILTERS.register(PlausibleLabelsSpec)
@final
@dataclass(frozen=True, eq=False)
class PlausibleLabels:
    """Limits of the rules.

    Args:
        spec: Settings.
        subjects: Subjects behind the limits.
        scheme: Scheme in which maps are read.
        real: Facts of the real training cases.
    """

    spec: PlausibleLabelsSpec
    subjects: tuple[str, ...]
    scheme: LabelScheme
    real: tuple[LabelFacts, ...]

    @classmethod
    def fit(cls, spec: PlausibleLabelsSpec, evidence: Evidence) -> "PlausibleLabels":
        """Gather the facts of all training cases.

        Raises:
            CohortError: There is no training case.
        """
        train = evidence.train
        evidence.require_subjects(1, spec.kind)
        real = tuple(label_facts(ref.load(), train.scheme) for ref in train)
        return cls(spec, evidence.subjects(), train.scheme, real)

    def assess(self, case: Case) -> Verdict:
        """Count the rules that the case breaks.

        Raises:
            CaseError: The case has no label map.
            LabelError: Its labels cannot be read in the training cases' scheme.
        """
        broken = list(self._broken(label_facts(case, self.scheme)))
        if broken:
            return Verdict(False, float(len(broken)), "; ".join(broken))
        return Verdict(True, 0.0, "the label map keeps every rule of the real cases")

    def _broken(self, facts: LabelFacts) -> Iterator[str]:
        """Sentences on the rules that these facts break."""
        shares = {
            "of the brain lies apart from it": (facts.stray_brain, [f.stray_brain for f in self.real]),
            "of the tumour core lies apart from the rest of the tumour": (
                facts.stray_core,
                [f.stray_core for f in self.real],
            ),
            "of the lesion lies outside the brain": (facts.outside, [f.outside for f in self.real]),
        }
        for text, (share, real) in shares.items():
            limit = max(self.spec.stray_share, *real)
            if share > limit:
                yield f"{share:.1%} {text} (limit {limit:.1%})"
        missing = frozenset.intersection(*(f.classes for f in self.real)) - facts.classes
        if missing:
            yield f"{', '.join(sorted(missing))} missing, which every real case has"
        yield from self._wrong_sizes(facts)

    def _wrong_sizes(self, facts: LabelFacts) -> Iterator[str]:
        """Sentences on a lesion that is too large, too small or too scattered."""
        volumes = [f.lesion_ml for f in self.real]
        low, high = min(volumes) / self.spec.volume_factor, max(volumes) * self.spec.volume_factor
        if not low <= facts.lesion_ml <= high:
            yield f"lesion of {facts.lesion_ml:.2f} ml (limits {low:.2f} to {high:.2f} ml)"
        pieces = max(1, *(f.pieces for f in self.real)) * self.spec.pieces_factor
        if facts.pieces > pieces:
            yield f"lesion in {facts.pieces} pieces (limit {pieces:.0f})"


def label_facts(case: Case, scheme: LabelScheme) -> LabelFacts:
    """Facts of a case's label map; shares of something absent are 0.

    Raises:
        CaseError: The case has no label map.
        LabelError: Its labels cannot be read in the scheme.
    """
    labels = case.require_labels().to(scheme)
    lesion = labels.lesion
    brain = case.brain if case.brain is not None else labels.foreground
    pieces, count = ndimage.label(lesion, _TOUCHING)
    present = set(np.unique(labels.voxels).tolist())
    return LabelFacts(
        float(lesion.sum() * labels.geometry.voxel_volume / 1000),
        int(count),
        _share_apart(brain),
        _stray_core(labels, pieces),
        float((lesion & ~brain).sum() / max(1, lesion.sum())),
        frozenset(name for name, value in labels.scheme.labels.items() if value in present and name != "background"),
    )


def _share_apart(mask: Mask) -> float:
    """Share of a mask outside its largest piece."""
    pieces, count = ndimage.label(mask, _TOUCHING)
    if count == 0:
        return 0.0
    sizes = np.bincount(pieces.ravel())[1:]
    return float(1 - sizes.max() / sizes.sum())


def _stray_core(labels: LabelMap, pieces: np.ndarray) -> float:
    """Share of the core in pieces that hold no tumour label beside the core."""
    if "TC" not in labels.scheme.regions:
        return 0.0
    core = labels.region("TC")
    beside = np.unique(pieces[labels.lesion & ~core])
    return float((core & ~np.isin(pieces, beside)).sum() / max(1, core.sum()))
