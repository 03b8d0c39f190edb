"""Selects cases of a cohort by what is known of them, such as `grade=HGG` or `tumour_ml>10`."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from glioforge.core.case import CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.names import listed

_RELATIONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION: Final = re.compile(r"\s*([^\s=<>!]+)\s*(>=|<=|!=|=|>|<)\s*(\S.*?)\s*")
_SHOWN: Final = 8


@final
@dataclass(frozen=True)
class Condition:
    """A condition on one fact of a case.

    Args:
        fact: Name of the fact.
        relation: `=` any of the values, `!=` none of them, or `<`, `<=`, `>`, `>=` a number.
        values: Values as text; one number where they are compared by size.
    """

    fact: str
    relation: str
    values: tuple[str, ...]

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Return whether the condition holds; never for a case of which the fact is not known.

        Raises:
            CohortError: The fact is compared by size and is no number.
        """
        known = facts.get(self.fact)
        if known is None:
            return False
        if self.relation == "=":
            return any(_same(known, value) for value in self.values)
        if self.relation == "!=":
            return not any(_same(known, value) for value in self.values)
        try:
            return _RELATIONS[self.relation](float(known), float(self.values[0]))
        except (TypeError, ValueError) as error:
            raise CohortError(f"{self.fact} {known!r}", f"a number to compare by {self.relation}") from error

    def __str__(self) -> str:
        return f"{self.fact}{self.relation}{','.join(self.values)}"


def parse_condition(text: str) -> Condition:
    """Read a condition such as `grade=HGG`, `site!=A,B` or `tumour_ml>=10`.

    Raises:
        SpecError: It is no condition, or compares by size with what is no number.

    Example:
        >>> parse_condition("grade = HGG, LGG")
        Condition(fact='grade', relation='=', values=('HGG', 'LGG'))
    """
    match = _CONDITION.fullmatch(text)
    expected = "FACT=VALUE[,VALUE...], FACT!=VALUE[,VALUE...], or FACT<NUMBER with <, <=, > or >="
    if match is None:
        raise SpecError(f"condition {text!r}", expected, "quote it: the shell reads < and > otherwise", "--where")
    fact, relation, rest = match.groups()
    values = tuple(value.strip() for value in rest.split(","))
    by_size = relation not in {"=", "!="}
    if not all(values) or (by_size and (_number(rest) is None)):
        raise SpecError(f"condition {text!r}", expected, "give a value" if not by_size else "give a number", "--where")
    return Condition(fact, relation, (rest,) if by_size else values)


def select_cases(cohort: Cohort, where: Iterable[str]) -> Cohort:
    """Return the cases of which all conditions hold, in the order of the cohort; all of them for no condition.

    Beside the cases' facts, conditions may name `case`, `subject`, `session` and `kind` (such as `real` or
    `synthetic`).  A case of which a fact is not known does not fulfil any condition on it.

    Args:
        cohort: Any cohort.
        where: Conditions as `parse_condition` reads them.

    Raises:
        SpecError: A condition cannot be read.
        CohortError: No case has the fact, or none fulfils the conditions; the message lists what there is.
    """
    conditions = [parse_condition(text) for text in where]
    if not conditions:
        return cohort
    known = {ref.case_id: facts_of(ref) for ref in cohort}
    names = require_some(known, conditions, cohort.where)
    return replace(cohort, cases=tuple(ref for ref in cohort if ref.case_id in names))


def facts_of(ref: CaseRef) -> dict[str, Any]:
    """Return what conditions may name: the facts of a case, its id, subject, session and kind."""
    own = {"case": ref.case_id, "subject": ref.subject_id, "session": ref.session, "kind": ref.lineage.kind}
    return {**ref.facts, **own}


def require_some(known: Mapping[str, Mapping[str, Any]], conditions: Sequence[Condition], where: str) -> set[str]:
    """Return the ids of the cases that fulfil all conditions; at least one.

    Args:
        known: Facts of each case by its id.
        conditions: What must hold.
        where: Name of the cohort, for the message.

    Raises:
        CohortError: No case has the fact, or none fulfils the conditions; the message lists what there is.
    """
    for condition in conditions:
        if not any(facts.get(condition.fact) is not None for facts in known.values()):
            there = sorted({name for facts in known.values() for name, value in facts.items() if value is not None})
            raise CohortError(
                f"no case with the fact {condition.fact!r}", f"one of {', '.join(there) or 'none'}", where=where
            )
    names = {name for name, facts in known.items() if all(condition.holds(facts) for condition in conditions)}
    if not names:
        there = [_values_of(known, fact) for fact in dict.fromkeys(condition.fact for condition in conditions)]
        asked = " and ".join(map(str, conditions))
        raise CohortError(f"no case has {asked}", remedy=f"values of {'; '.join(there)}", where=where)
    return names


def _values_of(known: Mapping[str, Mapping[str, Any]], fact: str) -> str:
    """A fact with the values that cases have."""
    values = sorted({str(facts[fact]) for facts in known.values() if facts.get(fact) is not None})
    return f"{fact} here: {listed(values, _SHOWN)}"


def _same(known: object, value: str) -> bool:
    """Whether a fact equals a text; numbers by size, so that `grade=4` finds 4.0."""
    mine, other = _number(known), _number(value)
    return str(known) == value or (mine is not None and mine == other)


def _number(value: object) -> float | None:
    """The value as a number, where it is one."""
    try:
        return float(str(value))
    except ValueError:
        return None
