"""Images that lie far from all real images in a space of features.

The features of a case (`features`) are standardised over real cases and reduced to
their principal components.  A case's score is its mean distance to its nearest real
cases, so that it may resemble any of them: slices at several heights, two kinds of
tumour.  The limit is set on real cases of subjects who were left out of everything,
the components included.

Source: distances to the k nearest neighbours as scores of outliers are those of
Ramaswamy, Rastogi & Shim (2000), doi:10.1145/342009.335437; that features rather than
pixels are compared is the use of Sun et al. (2022, arXiv:2204.06507).  Foroozandeh &
Eklund (2020) name better filters than their z-scores as future work.

Slices are judged against slices, and volumes against volumes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from glioforge import features
from glioforge.core import Case, CohortError, Modality, Verdict
from glioforge.features import Space
from glioforge.quality import FILTERS, Evidence, FilterSpec

Table = Float64[np.ndarray, "case feature"]

MOST: Final = 10.0
"""Standard deviations at which a feature's deviation is cut, so that one channel that real cases hardly use, and whose
spread is therefore unknown, cannot outweigh all others."""


class FeatureOutlierSpec(FilterSpec):
    """Settings of the filter on features of images."""

    kind: Literal["feature_outlier"] = "feature_outlier"
    space: Literal["random_convolution", "radiomics", "encoder"] = "random_convolution"
    """Features that are compared; `encoder` needs one trained on the training subjects, `radiomics` needs labels."""
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real cases of unseen subjects that may be refused."""
    neighbours: int = Field(5, ge=1)
    """Real cases whose mean distance is the score."""
    explained: float = Field(0.99, gt=0, le=1)
    """Share of the features' variance that the principal components keep."""

    @property
    def models(self) -> tuple[str, ...]:
        """An encoder where its features are compared."""
        return ("encoder",) if self.space == "encoder" else ()


@final
@dataclass(frozen=True, eq=False)
class Components:
    """Standardised principal components of features.

    Args:
        centre: Mean of each feature.
        spread: Standard deviation of each, 1 where it is constant.
        axes: Principal axes, a column each.
        points: Real cases in these components.
    """

    centre: Float64[np.ndarray, "feature"]
    spread: Float64[np.ndarray, "feature"]
    axes: Float64[np.ndarray, "feature component"]
    points: Float64[np.ndarray, "case component"]

    @classmethod
    def of(cls, table: Table, explained: float) -> "Components":
        """Find the components of the real cases' features."""
        centre, spread = table.mean(axis=0), table.std(axis=0)
        spread = np.where(spread > 1e-9 * np.maximum(np.abs(centre), 1), spread, 1.0)
        scaled = np.clip((table - centre) / spread, -MOST, MOST)
        _, strengths, axes = np.linalg.svd(scaled, full_matrices=False)
        shares = np.cumsum(strengths**2) / max(float((strengths**2).sum()), 1e-12)
        kept = int(np.searchsorted(shares, explained) + 1)
        return cls(centre, spread, axes[:kept].T, scaled @ axes[:kept].T)

    def distances(self, table: Table, neighbours: int) -> tuple[Float64[np.ndarray, "case"], np.ndarray]:
        """Mean distance of each row to its nearest real cases, off the components too, and the place of the nearest."""
        from scipy.spatial.distance import cdist

        scaled = np.clip((table - self.centre) / self.spread, -MOST, MOST)
        inside = scaled @ self.axes
        outside = np.maximum((scaled**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
        squares = cdist(inside, self.points, "sqeuclidean") + outside[:, None]
        count = min(neighbours, squares.shape[1])
        nearest = np.sqrt(np.partition(squares, count - 1, axis=1)[:, :count])
        return nearest.mean(axis=1), squares.argmin(axis=1)


@FILTERS.register(FeatureOutlierSpec)
@final
@dataclass(frozen=True, eq=False)
class FeatureOutlier:
    """Real cases in the space of features, and the largest distance that passes.

    Args:
        spec: Settings.
        subjects: Subjects behind the features.
        space: Computes the features.
        modalities: Contrasts compared.
        names: Names of the features, in order.
        real: Real cases in their principal components.
        case_ids: Ids of these cases.
        limit: Largest distance that passes.
    """

    spec: FeatureOutlierSpec
    subjects: tuple[str, ...]
    space: Space
    modalities: tuple[Modality, ...]
    names: tuple[str, ...]
    real: Components
    case_ids: tuple[str, ...]
    limit: float

    @classmethod
    def fit(cls, spec: FeatureOutlierSpec, evidence: Evidence) -> "FeatureOutlier":
        """Compute the features of all training cases and set the limit.

        Raises:
            CohortError: There are fewer than three subjects, or no contrast that all cases have.
            SpecError: An encoder is asked for and none was given.
            DependencyError: Radiomics are asked for and fastrad is not installed.
        """
        evidence.require_subjects(3, spec.kind)
        modalities = evidence.modalities
        if not modalities:
            raise CohortError(
                "no contrast that real and made cases share",
                "images to compare",
                "use plausible_labels or label_autoencoder for label maps",
                evidence.made.where,
            )
        space = _space(spec, evidence)
        rows: list[Mapping[str, float]] = []
        ids: list[str] = []
        owners: list[str] = []
        for case in evidence.real():
            found = space.features(case, modalities)
            if found:
                rows.append(found)
                ids.append(case.case_id)
                owners.append(case.subject_id)
        names = tuple(rows[0])
        table = np.array([[row[name] for name in names] for row in rows])
        scores = np.empty(len(table))
        for held_out in evidence.folds(owners):
            others = Components.of(table[~held_out], spec.explained)
            scores[held_out] = others.distances(table[held_out], spec.neighbours)[0]
        limit = evidence.limit(scores, spec.refused_share)
        return cls(
            spec,
            evidence.subjects(*spec.models),
            space,
            modalities,
            names,
            Components.of(table, spec.explained),
            tuple(ids),
            limit,
        )

    def assess(self, case: Case) -> Verdict:
        """Measure how far the nearest real cases are.

        Raises:
            CaseError: The case lacks a contrast of the training cases.
        """
        case.require_images(self.modalities)
        found = self.space.features(case, self.modalities)
        if not found:
            return Verdict(False, float("inf"), "there is no brain to compute features of")
        row = np.array([[found[name] for name in self.names]])
        (score,), (nearest,) = self.real.distances(row, self.spec.neighbours)
        keep = bool(score <= self.limit)
        relation = "within" if keep else "beyond"
        odd = int(np.abs((row[0] - self.real.centre) / self.real.spread).argmax())
        reason = (
            f"{score:.1f} from the nearest {self.spec.neighbours} real cases in features "
            f"(nearest {self.case_ids[nearest]}, most unusual {self.names[odd]}); "
            f"{relation} the limit of {self.limit:.1f}"
        )
        return Verdict(keep, float(score), reason)


def _space(spec: FeatureOutlierSpec, evidence: Evidence) -> Space:
    """The space that the settings name."""
    if spec.space == "encoder":
        space: Any = evidence.model("encoder", spec.kind)
        return space
    if spec.space == "radiomics":
        return features.Radiomics()

    return features.RandomConvolution()
