"""Folds for nnU-Net that never divide a subject, nor let a synthetic case tell of one.

nnU-Net deals cases out by itself unless `splits_final.json` says otherwise, and
knows nothing of subjects.  Here the real subjects are dealt out; a case trains
in a fold if no subject behind it - its own, its parents', its generator's - is
validated in that fold.
"""

from typing import TypedDict, final

from glioforge.core.cohort import Cohort
from glioforge.core.errors import LeakageError
from glioforge.core.firewall import free_of, require_no_leak
from glioforge.core.split import folds_by_subject

FILE = "splits_final.json"


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
