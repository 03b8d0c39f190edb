"""The leakage firewall: no evaluation subject may have contributed to a training input.

It is called before every training and every evaluation and cannot be switched
off.  Because a lineage carries the subjects of parents, generators, atlases,
filters and statistics, the check is one intersection of sets.
"""

from collections.abc import Mapping
from itertools import combinations

from glioforge.core.cohort import Cohort
from glioforge.core.errors import LeakageError
from glioforge.core.lineage import Lineage


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
            shared = guarded & set(source.subjects)
            if shared:
                leaks.append(f"{name} was made from subjects {sorted(shared)}")
            continue
        for ref in source:
            shared = guarded & {ref.subject_id, *ref.lineage.subjects}
            if shared:
                leaks.append(f"{name}: case {ref.case_id!r} comes from {sorted(shared)}")
    if leaks:
        more = f" and {len(leaks) - 10} more" if len(leaks) > 10 else ""
        raise LeakageError(
            f"evaluation subjects stand behind training inputs: {'; '.join(leaks[:10])}{more}",
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
