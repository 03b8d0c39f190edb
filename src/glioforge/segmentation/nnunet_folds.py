"""Folds for nnU-Net that never divide a subject, nor let a synthetic case tell of one.

nnU-Net deals cases out by itself unless `splits_final.json` says otherwise, and
knows nothing of subjects.  Here the real subjects are dealt out; a case trains
in a fold if no subject behind it - its own, its parents', its generator's - is
validated in that fold.
"""

from collections.abc import Set as AbstractSet
from fractions import Fraction
from typing import TypedDict, final

from glioforge.core import Cohort, LeakageError, folds_by_subject, free_of, require_no_leak

FILE = "splits_final.json"
_PARTS = 10
"""Largest number that the more frequent of real and synthetic cases are divided by when a share is approximated."""


@final
class Fold(TypedDict):
    """Case ids of one fold, as nnU-Net reads them."""

    train: list[str]
    val: list[str]


def nnunet_folds(cohort: Cohort, count: int, seed: int) -> list[Fold]:
    """Divide a cohort; each real subject is validated in exactly one fold, synthetic cases in none.

    Args:
        cohort: Real and perhaps synthetic cases.
        count: Number of folds.
        seed: Seed of the shuffle.

    Raises:
        CohortError: There are too few real subjects for so many folds.
        LeakageError: In some fold every case comes from a validated subject.
    """
    real = cohort.select([ref.case_id for ref in cohort if not ref.lineage.is_synthetic], f"{cohort.name}-real")
    return [_fold(cohort, split.test) for split in folds_by_subject(real, folds=count, validation=0.5, seed=seed)]


def single_fold(train: Cohort, validation: Cohort) -> list[Fold]:
    """One fold of a split that is given.

    Raises:
        LeakageError: A validation subject stands behind a training case.
    """
    require_no_leak({train.name: train}, validation)
    return [Fold(train=[ref.case_id for ref in train], val=[ref.case_id for ref in validation])]


def repeated(fold: Fold, synthetic: AbstractSet[str], share: float) -> Fold:
    """Repeat case ids of a fold so that about this share of the draws is of synthetic cases.

    nnU-Net draws each case of a batch by its name, with the same chance for each entry of the list.

    Args:
        fold: Each case once.
        synthetic: Ids of the synthetic cases.
        share: Wanted share; a fold of real or of synthetic cases alone stays as it is.

    Example:
        >>> repeated(Fold(train=["a", "b", "x"], val=[]), {"x"}, 0.5)["train"]
        ['a', 'b', 'x', 'x']
    """
    made = [case for case in fold["train"] if case in synthetic]
    real = [case for case in fold["train"] if case not in synthetic]
    if not made or not real or not 0 < share < 1:
        return fold
    # Entries of a synthetic case for each entry of a real one, as a fraction of small numbers.
    ratio = Fraction(share * len(real) / ((1 - share) * len(made)))
    simple = ratio.limit_denominator(_PARTS) if ratio >= 1 else 1 / (1 / ratio).limit_denominator(_PARTS)
    return Fold(train=real * simple.denominator + made * simple.numerator, val=fold["val"])


def _fold(cohort: Cohort, held: Cohort) -> Fold:
    """The held cases, and all that no held subject stands behind."""
    free = [ref.case_id for ref in free_of(cohort, held)]
    if not free:
        raise LeakageError(
            f"every case comes from one of the subjects {sorted(held.subjects_guarded)}",
            "cases of other subjects to train on",
            "make synthetic cases from training subjects only, or give a validation cohort",
            cohort.where,
        )
    return Fold(train=free, val=[ref.case_id for ref in held])
