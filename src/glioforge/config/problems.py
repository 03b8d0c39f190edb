"""Words for what is wrong with a YAML file: its text, its keys and values, or its purpose."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import yaml
from pydantic import ValidationError

from glioforge.config.spec import Spec
from glioforge.core import SpecError

_PURPOSES: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "a study": (frozenset({"title", "budgets", "kind"}), "glioforge study {}"),
    "a recipe of edits": (frozenset({"steps"}), "glioforge edit COHORT --recipe {}"),
    "a layout": (frozenset({"layout"}), "glioforge ingest FOLDER --layout {}"),
    "a preparation": (frozenset({"grid"}), "glioforge prepare FOLDER --spec {}"),
    "a training": (frozenset({"synthesizer", "segmenter"}), "glioforge train {} COHORT"),
}
"""Kinds of YAML files, by keys that the kinds below them do not have, and the command that reads them."""
_SHOWN: Final = 60


def yaml_problem(error: yaml.YAMLError) -> str:
    """Return what is wrong with a text that is not YAML, with line and column where they are known."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"not YAML: {error}"
    mark = error.problem_mark
    said = ": ".join(part for part in (error.context, error.problem) if part)
    return f"not YAML in line {mark.line + 1}, column {mark.column + 1}: {said}"


def refusal(error: ValidationError, spec: type[Spec], values: Mapping[str, Any], where: str) -> SpecError:
    """Return the error of values that do not fit a spec.

    Args:
        error: What pydantic found.
        spec: The spec that the values should fill.
        values: The values.
        where: File or option that they come from.
    """
    own, found = _purpose(spec.model_fields), _purpose(values)
    if own and found and own != found:
        keys, command = _PURPOSES[found]
        sign = next(key for key in values if key in keys)
        return SpecError(f"the YAML of {found} (it has {sign}:)", own, f"run: {command.format(where)}", where)
    lines = [_problem(problem, spec, where) for problem in error.errors()]
    keyed = any(problem["loc"] for problem in error.errors()) and not where.startswith("--")
    return SpecError("; ".join(lines), remedy="fix these keys" if keyed else "", where=where)


def _purpose(keys: Iterable[str]) -> str | None:
    """Kind of YAML file that has these keys; none if no key decides."""
    given = frozenset(keys)
    return next((name for name, (signs, _) in _PURPOSES.items() if signs & given), None)


def _problem(problem: Any, spec: type[Spec], where: str) -> str:  # noqa: ANN401 - pydantic's own details
    """Path of a wrong key, and what is wrong with it; the path is left out where an option of its name gave it."""
    path = ".".join(str(part) for part in problem["loc"])
    said = _said(problem, spec)
    return said if not path or where == f"--{path}" else f"{path}: {said}"


def _said(problem: Any, spec: type[Spec]) -> str:  # noqa: ANN401 - pydantic's own details
    """What is wrong with one key, in plain words."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        near = get_close_matches(key, sorted(_field_names(spec) - {key}), n=1)
        return f"unknown key{f', did you mean {near[0]!r}?' if near else ''}"
    if problem["type"] == "missing":
        return "missing"
    if not message.startswith("Input should be "):
        return message
    expected = message.removeprefix("Input should be ").partition(", unable to parse")[0]
    expected = expected.replace("a valid tuple", "a list").replace("a valid list", "a list").replace("a valid ", "a ")
    if "dictionary" in expected:
        expected = "a mapping of keys to values"
    expected = expected.replace("a integer", "an integer")
    shown = repr(problem["input"])
    return f"{shown if len(shown) <= _SHOWN else type(problem['input']).__name__} should be {expected}"


def _field_names(spec: type[Spec]) -> set[str]:
    """Field names of a spec and of all specs that have been defined."""
    names = set(spec.model_fields)
    pending = list(Spec.__subclasses__())
    while pending:
        known = pending.pop()
        names |= set(known.model_fields)
        pending += known.__subclasses__()
    return names
