"""What a filter may look at when its limits are set, and how a limit is set on real cases of unseen subjects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from glioforge.core import Case, Cohort, CohortError, Lineage, Modality, SpecError, counted
from glioforge.data import cases_like


@runtime_checkable
class Model(Protocol):
    """A trained model that says whom it was trained on."""

    @property
    def lineage(self) -> Lineage:
        """Everyone whom the model depends on."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Evidence:
    """What a filter may look at when its limits are set.

    Args:
        train: Real training cases; no evaluation subject may be among them.
        made: The whole synthetic cohort that will be judged; may be empty.
        seed: Seed of filters that draw.
        models: Trained models by name, such as `segmenter` or `encoder`, for filters that ask for them.
    """

    train: Cohort
    made: Cohort
    seed: int = 0
    models: Mapping[str, Model] = field(default_factory=dict)

    def real(self) -> Iterator[Case]:
        """Read the training cases one by one in the form of the made ones: as slices where these are slices.

        Raises:
            GeometryError: The made slices lie in another orientation.
        """
        return cases_like(self.train, self.made)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Contrasts that every training case has and, where cases were made, every one of these."""
        made = self.made.modalities if len(self.made) else self.train.modalities
        return tuple(modality for modality in self.train.modalities if modality in made)

    def require_subjects(self, least: int, kind: str) -> None:
        """Refuse fewer training subjects than a filter needs.

        Args:
            least: Number of subjects.
            kind: Of the filter, for the message.

        Raises:
            CohortError: Says how many there are.
        """
        count = len(self.train.subject_ids)
        if count < least:
            raise CohortError(
                f"{counted(count, 'training subject')} for filter {kind!r}",
                f"at least {least}",
                "leave the filter out, or train on more subjects",
                self.train.name,
            )

    def model(self, name: str, kind: str) -> Any:  # noqa: ANN401 - each filter knows what it asks for
        """Return the model that a filter asks for.

        Args:
            name: Of the model.
            kind: Of the filter, for the message.

        Raises:
            SpecError: No such model was given.
        """
        if name not in self.models:
            given = ", ".join(self.models) or "none"
            raise SpecError(
                f"filter {kind!r} with models: {given}",
                f"a trained {name}",
                f"give it (--model {name}=FOLDER), or leave it out",
                kind,
            )
        return self.models[name]

    def unseen(self, model: str, kind: str, least: int = 1) -> Iterator[Case]:
        """Read the training cases whose subjects a model has not seen, in the form of the made ones.

        Args:
            model: Name of the model.
            kind: Of the filter, for the message.
            least: Number of subjects that a limit is set from.

        Raises:
            SpecError: No such model was given.
            CohortError: Fewer subjects are new to it.
        """
        seen = set(self.model(model, kind).lineage.subjects)
        count = len(set(self.train.subject_ids) - seen)
        if count < least:
            raise CohortError(
                f"{counted(count, 'subject')} that the {model} has not seen",
                f"at least {least}, to set a limit from",
                f"name a cohort that also has validation subjects, or train the {model} on fewer",
                self.train.where,
            )
        return (case for case in self.real() if case.subject_id not in seen)

    @staticmethod
    def folds(owners: Sequence[str], most: int = 10) -> "Iterator[Bool[np.ndarray, 'case']]":
        """Yield which cases are held out, fold by fold; see `folds_of`."""
        return folds_of(owners, most)

    @staticmethod
    def limit(scores: Float[np.ndarray, "case"] | Sequence[float], refused_share: float) -> float:
        """Limit that refuses about this share of unseen real cases; see `calibrated_limit`."""
        return calibrated_limit(np.asarray(scores), refused_share)

    def subjects(self, *models: str, made: bool = False) -> tuple[str, ...]:
        """Everyone behind a filter's limits: training subjects, and those behind what else it looked at, sorted.

        Args:
            models: Names of the models that it asked for.
            made: Whether it looked at the synthetic cohort.
        """
        behind = set(self.train.subjects_behind) | (set(self.made.lineage.subjects) if made else set())
        return tuple(sorted(behind.union(*(self.models[name].lineage.subjects for name in models))))


def folds_of(owners: Sequence[str], most: int = 10) -> Iterator[Bool[np.ndarray, "case"]]:
    """Yield which cases are held out, fold by fold, so that no subject is on both sides; each case is held out once.

    Args:
        owners: Subject of each case.
        most: Number of folds where there are as many subjects.

    Example:
        >>> [fold.tolist() for fold in folds_of(["a", "b", "a"])]
        [[True, False, True], [False, True, False]]
    """
    numbers = np.unique(owners, return_inverse=True)[1]
    folds = min(most, int(numbers.max()) + 1)
    for fold in range(folds):
        yield numbers % folds == fold


def calibrated_limit(scores: Float[np.ndarray, "case"], refused_share: float) -> float:
    """Limit that refuses about this share of unseen real cases.

    The rank is the conformal one, `ceil((n + 1)(1 - share))`, which keeps its
    promise for any distribution of scores.  Where n real cases cannot resolve so
    small a share (n + 1 < 1 / share), the largest real score is the limit.

    Args:
        scores: Scores of real cases, each judged by limits without its own subject; not empty.
        refused_share: Share of real cases that may be refused, in (0, 1).

    Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), chapter 2.

    Example:
        >>> calibrated_limit(np.arange(99.0), 0.05)
        94.0
        >>> calibrated_limit(np.array([1.0, 3.0]), 0.05)
        3.0
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    rank = int(np.ceil((len(ordered) + 1) * (1 - refused_share)))
    return float(ordered[min(rank, len(ordered)) - 1])
