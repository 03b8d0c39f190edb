"""Three sets of subjects of an audit: nobody in two of them, and all of the same kind."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float64

from glioforge.core import Cohort, CohortError, LeakageError, listed, require_apart, require_no_leak
from glioforge.metrics import FEWEST_CLASSIFIED, TwoSample, two_sample_test

SIDES: Final = ("training", "held-out", "control")
APART: Final = 0.01
"""p-value, divided by the number of comparisons, below which two sets are of different sites or years."""


def require_disjoint(synthetic: Cohort, training: Cohort, held_out: Cohort, control: Cohort) -> None:
    """Refuse sets that share a subject, or synthetic cases behind which somebody else than training subjects stands.

    Whoever was shown to a generator, a filter or an encoder is behind the synthetic
    cases by their lineage, so that none of them may be held out or a control.

    Args:
        synthetic: The release.
        training: Subjects whom the generator was trained on.
        held_out: Subjects whom nothing was trained on.
        control: Further such subjects.

    Raises:
        CohortError: A set is empty, real cases are among the synthetic ones, or synthetic ones among the real.
        LeakageError: A subject is in two sets, or behind synthetic cases though held out.
    """
    sets = dict(zip(SIDES, (training, held_out, control), strict=True))
    for name, cohort in {"synthetic": synthetic, **sets}.items():
        strange = [ref.case_id for ref in cohort if ref.lineage.is_synthetic != (name == "synthetic")]
        if strange or not len(cohort):
            found = (
                f"cases of the other kind among the {name} ones: {listed(strange)}" if strange else f"no {name} case"
            )
            raise CohortError(found, "synthetic cases, and three sets of real ones", "name other cohorts", cohort.where)
    require_apart(sets)
    for name in SIDES[1:]:
        require_no_leak({"the release": synthetic}, sets[name])
    unknown = sorted(synthetic.subjects_behind - set(synthetic.subject_ids) - set(training.subject_ids))
    if unknown:
        raise LeakageError(
            f"subjects behind synthetic cases who are not among the training subjects: {listed(unknown)}",
            "everybody whom generator, filters and encoders have seen",
            "name the whole cohort that the generator and its filters were trained on as --train",
            synthetic.where,
        )


def compared_sets(
    features: Float64[np.ndarray, "person feature"], sides: Mapping[str, slice], subjects: Sequence[str], seed: int
) -> dict[str, TwoSample]:
    """Test whether training, held-out and control subjects can be told apart, two by two.

    Args:
        features: What describes a person, without knowing the side.
        sides: Places of each set.
        subjects: Subject of each person.
        seed: Of folds and permutations.

    Returns:
        The test of each pair of sets with at least `FEWEST` subjects each.
    """
    found: dict[str, TwoSample] = {}
    for first, second in ((SIDES[0], SIDES[1]), (SIDES[0], SIDES[2]), (SIDES[1], SIDES[2])):
        places = [np.arange(sides[name].start, sides[name].stop) for name in (first, second)]
        if min(map(len, places)) < FEWEST_CLASSIFIED:
            continue
        both = np.concatenate(places)
        is_first = [True] * len(places[0]) + [False] * len(places[1])
        named = [subjects[place] for place in both]
        found[f"{first} and {second}"] = two_sample_test(features[both], named, is_first, seed=seed)
    return found


def told_apart(tests: Mapping[str, TwoSample]) -> tuple[str, ...]:
    """Return why sets differ, a clause each; nothing where no test shows it."""
    return tuple(
        f"{pair} subjects are told apart (AUC {test.auc:.2f}, p {test.p:.3f}): of other sites or years"
        for pair, test in tests.items()
        if test.p <= APART / len(tests)
    )
