"""The leakage firewall: no evaluation subject may have contributed to a training input.

It is called before every training and every evaluation and cannot be switched
off.  Because a lineage carries the subjects of parents, generators, atlases,
filters and statistics, the check is one intersection of sets.  There is no
other rule: whoever leaves cases out instead of stopping asks `free_of`.
"""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import replace
from itertools import combinations

from glioforge.core.case import CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import LeakageError
from glioforge.core.lineage import Lineage
from glioforge.core.names import listed


def require_no_leak(inputs: Mapping[str, Cohort | Lineage], evaluation: Cohort) -> None:
    """Stop when a subject of the evaluation cohort stands behind any input.

    Args:
        inputs: What a model is or was trained on, by a name for the message:
            cohorts, or the lineage of a trained model.
        evaluation: The cases on which it will be judged.

    Raises:
        LeakageError: Names the inputs, the cases and the subjects that overlap.
    """
    guarded = evaluation.subjects_guarded
    leaks = []
    for name, source in inputs.items():
        if isinstance(source, Lineage):
            leaks += [f"{name} was made from subjects {ways}" for ways in _ways(source, guarded)]
            continue
        for ref in source:
            leaks += [f"{name}: case {ref.case_id!r} comes from {ways}" for ways in _ways(_whole(ref), guarded)]
    if leaks:
        raise LeakageError(
            f"evaluation subjects stand behind training inputs: {listed(leaks, 10, '; ')}",
            f"no subject of {evaluation.name!r} in any input",
            "split by subject before anything is fitted, and make synthetic cases from training subjects only",
        )


def require_apart(sides: Mapping[str, Cohort]) -> None:
    """Stop when two sides of a split have a subject in common, themselves or through the parents of their cases.

    Args:
        sides: Training, validation and test cases by their names for the message.

    Raises:
        LeakageError: Names the side, the cases and the subjects that overlap.

    Example:
        >>> require_apart({})
    """
    for name, other in combinations(sides, 2):
        require_no_leak({name: sides[name]}, sides[other])


def free_of(cohort: Cohort, evaluation: Cohort) -> Cohort:
    """Return the cases that may be trained on when others are evaluated; perhaps none."""
    guarded = evaluation.subjects_guarded
    return replace(cohort, cases=tuple(ref for ref in cohort if guarded.isdisjoint(_whole(ref).subjects)))


def _whole(ref: CaseRef) -> Lineage:
    """Lineage of a case, its own subject included."""
    return ref.lineage if ref.subject_id in ref.lineage.subjects else ref.lineage.through("", (ref.subject_id,))


def _ways(lineage: Lineage, guarded: AbstractSet[str]) -> list[str]:
    """Guarded subjects by the way in which they had a part, as text; empty for none."""
    shared = guarded & set(lineage.subjects)
    if not shared:
        return []
    plain = sorted(shared - lineage.apart)
    named = [f"{sorted(shared & set(subjects))} through {way}" for way, subjects in lineage.ways.items()]
    return ([str(plain)] if plain else []) + [text for text in named if not text.startswith("[]")]
