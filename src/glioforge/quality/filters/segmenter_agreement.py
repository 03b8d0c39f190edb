"""Images in which a frozen segmenter does not find the tumour of their label map.

A segmenter that was trained on real scans labels the made images; its regions are
compared with the label map that the images were made from.  The score is one less
the mean Dice over the scheme's regions.  The limit is set on real cases whose
subjects the segmenter has not seen: on its own training cases it agrees too well.

Source: a filter of Glioforge's own.  The same agreement grades segmentations without a
truth in Valindria et al. (2017), doi:10.1109/TMI.2017.2665165.

A segmenter of subjects who are evaluated later is no use: its subjects join the lineage.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from pydantic import Field

from glioforge.core import Case, LabelError, LabelMap, LabelScheme, Segmenter, Verdict
from glioforge.quality import FILTERS, Evidence, FilterSpec

_FEWEST = 3


class SegmenterAgreementSpec(FilterSpec):
    """Settings of the filter by a segmenter."""

    kind: Literal["segmenter_agreement"] = "segmenter_agreement"
    regions: tuple[str, ...] = ("WT", "TC", "ET")
    """Regions compared, of those that segmenter and label map name."""
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real cases of unseen subjects that may be refused."""

    @property
    def models(self) -> tuple[str, ...]:
        """A segmenter."""
        return ("segmenter",)


@FILTERS.register(SegmenterAgreementSpec)
@final
@dataclass(frozen=True, eq=False)
class SegmenterAgreement:
    """A segmenter and the largest disagreement that passes.

    Args:
        spec: Settings.
        subjects: Subjects behind segmenter and limit.
        segmenter: Labels images.
        limit: Largest disagreement that passes.
    """

    spec: SegmenterAgreementSpec
    subjects: tuple[str, ...]
    segmenter: Segmenter
    limit: float

    @classmethod
    def fit(cls, spec: SegmenterAgreementSpec, evidence: Evidence) -> "SegmenterAgreement":
        """Set the limit on real cases whose subjects the segmenter has not seen.

        Raises:
            SpecError: No segmenter was given.
            CohortError: Fewer than three subjects are new to the segmenter.
        """
        segmenter = evidence.model("segmenter", spec.kind)
        unseen = evidence.unseen("segmenter", spec.kind, _FEWEST)
        scores = [1 - float(np.mean(list(_agreement(segmenter, case, spec.regions).values()))) for case in unseen]
        return cls(spec, evidence.subjects("segmenter"), segmenter, evidence.limit(scores, spec.refused_share))

    def assess(self, case: Case) -> Verdict:
        """Segment the images and compare the regions.

        Raises:
            CaseError: The case lacks a contrast that the segmenter needs, or labels.
        """
        dice = _agreement(self.segmenter, case, self.spec.regions)
        score = float(1 - np.mean(list(dice.values())))
        keep = score <= self.limit
        found = ", ".join(f"{region} {value:.2f}" for region, value in dice.items())
        relation = "within" if keep else "beyond"
        text = f"Dice of segmenter and label map: {found}; disagreement {score:.2f} {relation} the limit"
        return Verdict(keep, score, f"{text} of {self.limit:.2f}")


def _agreement(segmenter: Any, case: Case, regions: tuple[str, ...]) -> dict[str, float]:  # noqa: ANN401 - any segmenter
    """Dice of each region that both name; 1 where both are empty.

    Raises:
        LabelError: They share no region.
    """
    truth, found = case.require_labels(), segmenter.segment(case)
    shared = [r for r in regions if _names(truth.scheme, r) and _names(found.scheme, r)]
    if not shared:
        raise LabelError(
            f"segmenter with labels {found.scheme.name} and cases with {truth.scheme.name}",
            f"a common region among {', '.join(regions)}",
            "name regions that both have",
            case.case_id,
        )
    return {region: _dice(truth, found, region) for region in shared}


def _names(scheme: LabelScheme, region: str) -> bool:
    """Whether a scheme has a region or label of this name."""
    return region in scheme.regions or region in scheme.labels


def _dice(one: LabelMap, other: LabelMap, region: str) -> float:
    """Dice overlap of a region; 1 where it is absent from both."""
    a, b = one.region(region), other.region(region)
    total = int(a.sum()) + int(b.sum())
    return 1.0 if total == 0 else float(2 * np.count_nonzero(a & b) / total)
