"""Mix real cases of training subjects without a network, as a source of an augmentation study."""

from collections.abc import Sequence
from pathlib import Path

from glioforge.config import Spec
from glioforge.core import InputFileError
from glioforge.data import find_case
from glioforge.mixing import has_donors, kind_of, mix_cohort
from glioforge.studies import Context, Record, cohort_in
from glioforge.studies.steps.synthesize import MADE


def make_mixed(
    context: Context,
    *,
    source: str,
    mixing: Spec,
    count: int,
    seed: int,
    subjects: Sequence[str] | None = None,
) -> Record:
    """Mix training subjects with each other; left out where a single subject has no donor.

    Args:
        context: The task; reads the side train.
        source: Name of the source.
        mixing: Settings of the mixing.
        count: Cases for each host.
        seed: Seed of all draws.
        subjects: Training subjects that are hosts and donors; all unless given.
    """
    train = context.cohort("train")
    chosen = train if subjects is None else train.of_subjects(subjects, train.name)
    if not has_donors(chosen, mixing):
        return context.record(left_out=f"{kind_of(mixing)} needs a donor, and {source} was given a single subject")
    made = mix_cohort(chosen, mixing, context.folder / MADE, count=count, seed=seed, progress=context.progress)
    return context.record(made={"cohort": made.fingerprint}, details={"made": len(made)})


def mixed_intact(folder: Path) -> bool:
    """Whether every case that `make_mixed` left is whole."""
    store = folder / MADE
    try:
        return not store.exists() or all(find_case(store, ref.case_id) is not None for ref in cohort_in(store))
    except InputFileError:
        return False
