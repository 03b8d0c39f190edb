"""Cases that a discriminator distinguishes from real ones, as Foroozandeh & Eklund (2020) propose instead of z-scores.

Their proposal is to use the discriminator of the GAN again.  Those are not kept, and at the
end of a training they are fitted to their own generator alone; so a discriminator is
trained afterwards, on features of the real training cases and of the whole made cohort:
a logistic regression on `features.random_convolution` where there are images and on
`quality.label_measures` where there are labels.  It is cross-fitted, so that no case is
judged by a discriminator that has seen it, nor a real case by one that has seen its subject.

Source: keeping the samples that a discriminator takes for real is discriminator rejection
sampling, Azadi et al. (2019, arXiv:1810.06758), here with a limit that refuses a stated
share of real cases.

Conventions
-----------
score    chance of being made, where both kinds are taken to be equally frequent
folds    subjects of real cases and ids of made ones, by hash
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from glioforge import features
from glioforge.core import Case, CohortError, LabelScheme, Modality, Verdict
from glioforge.features import Space
from glioforge.quality import FILTERS, Evidence, FilterSpec
from glioforge.quality.label_measures import label_measures

FOLDS: Final = 5
_MOST: Final = 10.0


class DiscriminatorScoreSpec(FilterSpec):
    """Settings of the filter by a discriminator."""

    kind: Literal["discriminator_score"] = "discriminator_score"
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real cases of unseen subjects that may be refused."""
    penalty: float = Field(1.0, gt=0)
    """Weight of the quadratic penalty on the coefficients of the discriminators."""


@FILTERS.register(DiscriminatorScoreSpec)
@final
@dataclass(frozen=True, eq=False)
class DiscriminatorScore:
    """A discriminator and the largest chance of being made that passes.

    Args:
        spec: Settings.
        subjects: Subjects behind discriminator and limit.
        judge: Scores a case, by a discriminator that has not seen it.
        limit: Largest score that passes.
    """

    spec: DiscriminatorScoreSpec
    subjects: tuple[str, ...]
    judge: "_Trained"
    limit: float

    @classmethod
    def fit(cls, spec: DiscriminatorScoreSpec, evidence: Evidence) -> "DiscriminatorScore":
        """Train discriminators; set the limit on real cases that they have not seen.

        Raises:
            CohortError: There are fewer than three subjects, or too few made cases to learn from.
        """
        evidence.require_subjects(3, spec.kind)
        judge, scores = _Trained.of(spec, evidence)
        return cls(spec, evidence.subjects(made=True), judge, evidence.limit(scores, spec.refused_share))

    def assess(self, case: Case) -> Verdict:
        """Ask the discriminator.

        Raises:
            CaseError: The case lacks images or labels that the discriminator looks at.
        """
        score = self.judge.score(case)
        keep = score <= self.limit
        relation = "within" if keep else "beyond"
        return Verdict(keep, score, f"chance of being made {score:.3f}; {relation} the limit of {self.limit:.3f}")


@final
@dataclass(frozen=True, eq=False)
class _Trained:
    """Discriminators of features, one a fold."""

    space: Space
    modalities: tuple[Modality, ...]
    scheme: LabelScheme | None
    models: tuple[Any, ...]

    @classmethod
    def of(cls, spec: DiscriminatorScoreSpec, evidence: Evidence) -> tuple["_Trained", list[float]]:
        """Train a discriminator a fold; also the scores of the real cases that each has left out."""
        if len(evidence.made) < FOLDS:
            raise CohortError(
                f"{len(evidence.made)} made cases for filter {spec.kind!r}",
                f"at least {FOLDS}, which a discriminator learns from",
                "make more cases, or leave the filter out",
                evidence.made.where,
            )
        labelled = all(ref.labels is not None for ref in (*evidence.train, *evidence.made)) or not evidence.modalities
        judge = cls(features.RandomConvolution(), evidence.modalities, evidence.train.scheme if labelled else None, ())
        real, owners = judge._table(evidence.real(), "subject_id")
        made, ids = judge._table((ref.load() for ref in evidence.made), "case_id")
        models = []
        scores = np.full(len(real), np.nan)
        for fold in range(FOLDS):
            model = _classifier(real[owners != fold], made[ids != fold], spec)
            models.append(model)
            if (owners == fold).any():
                scores[owners == fold] = _chance(model, real[owners == fold])
        return cls(judge.space, judge.modalities, judge.scheme, tuple(models)), scores.tolist()

    def score(self, case: Case) -> float:
        """Chance of being made, by the discriminator that has not seen this case."""
        row = np.array(list(self._features(case).values()))[None]
        return float(_chance(self.models[_fold(case.case_id)], row)[0])

    def _features(self, case: Case) -> Mapping[str, float]:
        """Features of images and labels; zeros where there is no brain."""
        found = dict(self.space.features(case, self.modalities)) if self.modalities else {}
        if self.scheme is not None:
            found |= {measure.name: measure.value / measure.floor for measure in label_measures(case, self.scheme)}
        return found

    def _table(self, cases: Iterator[Case], key: str) -> tuple[Float64[np.ndarray, "case feature"], np.ndarray]:
        """Features of cases, and their folds."""
        rows = [(list(self._features(case).values()), _fold(getattr(case, key))) for case in cases]
        return np.array([row for row, _ in rows]), np.array([fold for _, fold in rows])


def _fold(name: str) -> int:
    """Fold of a subject or a case, by the hash of its name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") % FOLDS


def _classifier(
    real: Float64[np.ndarray, "a feature"], made: Float64[np.ndarray, "b feature"], spec: DiscriminatorScoreSpec
) -> Any:  # noqa: ANN401 - a pipeline of scikit-learn
    """Train a logistic regression that separates made from real."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    model = make_pipeline(
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -_MOST, "a_max": _MOST}),
        LogisticRegression(C=1 / spec.penalty, class_weight="balanced", max_iter=500),
    )
    return model.fit(np.concatenate([real, made]), np.repeat([0, 1], [len(real), len(made)]))


def _chance(model: Any, rows: Float64[np.ndarray, "case feature"]) -> Float64[np.ndarray, "case"]:  # noqa: ANN401 - a pipeline of scikit-learn
    """Chance of being made."""
    return np.asarray(model.predict_proba(rows)[:, 1])
