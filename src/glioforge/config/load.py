"""Read a spec from one YAML file, the user's or one that comes with the package; errors name the path of the key.

Files that come with the package go by a name, a user's own by a path.  An error says what is wrong with the file's
text, with its keys and values, or with its purpose.
"""

import json
import logging
from collections.abc import Hashable, Iterable, Mapping
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar, final

import yaml
from pydantic import ValidationError

from glioforge.config.registry import expand_preset
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


_LOG = logging.getLogger(__name__)

AnySpec = TypeVar("AnySpec", bound=Spec)


@final
class _StrictLoader(yaml.SafeLoader):
    """Plain YAML in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Read a mapping; a key given twice is an error, where PyYAML would take the last one."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        if doubled:
            raise yaml.constructor.ConstructorError("keys given twice", node.start_mark, f"{doubled}", node.start_mark)
        return super().construct_mapping(node, deep)


def load_spec(path: Path | None, spec: type[AnySpec], overrides: Iterable[str] = ()) -> AnySpec:
    """Read one YAML file into a spec.

    Args:
        path: A complete YAML file; there is no inheritance between files.  None is an empty one: the defaults.
        spec: The spec it fills.
        overrides: `a.b=c` pairs that replace single keys; `c` is read as YAML.

    Raises:
        SpecError: The file is missing or not YAML, or a key or value is wrong.
    """
    values = {} if path is None else read_values(path)
    settings = parse_spec(with_overrides(values, overrides), spec, where=str(path or "spec"))
    if _LOG.isEnabledFor(logging.DEBUG):
        _LOG.debug("settings of %s:\n%s", path or "the defaults", resolved_yaml(settings))
    return settings


def read_values(path: Path) -> dict[str, Any]:
    """Plain values of one YAML file.

    Raises:
        SpecError: The file is missing or not YAML, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError("no such file", "a YAML file", "check the path", path) from error
    except IsADirectoryError as error:
        raise SpecError("a folder", "a YAML file", "check the order of the arguments", path) from error
    except UnicodeDecodeError as error:
        raise SpecError("text that is not UTF-8", "a YAML file in UTF-8", "save it as UTF-8", path) from error
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", "a YAML file", "check its permissions", path) from error
    try:
        values = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise SpecError(yaml_problem(error), "plain YAML without tags, each key once", where=path) from error
    if not isinstance(values, dict):
        raise SpecError(f"a {type(values).__name__} at the top", "a mapping of keys to values", where=path)
    return values


def parse_spec(values: Mapping[str, Any], spec: type[AnySpec], where: str = "spec") -> AnySpec:
    """Validate plain values into a spec.

    Raises:
        SpecError: Names each wrong key by its path, with the nearest known key.
    """
    try:
        return spec.model_validate(expand_preset(spec, values))
    except ValidationError as error:
        raise refusal(error, spec, values, where) from error


def with_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Copy values with `a.b=c` overrides applied; the number after a list's last one adds to the list.

    Raises:
        SpecError: An override is not of that form or goes through a value.

    Example:
        >>> with_overrides({"a": {"b": 1}}, ["a.b=2", "a.c=[1, x]"])
        {'a': {'b': 2, 'c': [1, 'x']}}
        >>> with_overrides({"a": [1]}, ["a.1=2"])
        {'a': [1, 2]}
    """
    changed: dict[str, Any] = json.loads(json.dumps(values, default=str))
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise SpecError(f"--set {override!r}", "the form a.b=c")
        place: Any = changed
        for key in keys[:-1]:
            place = _step_into(place, key, override)
        last: Any = int(keys[-1]) if isinstance(place, list) and keys[-1].isdigit() else keys[-1]
        try:
            value = yaml.safe_load(text)
            if isinstance(place, list) and last == len(place):
                place.append(value)
            else:
                place[last] = value
        except yaml.YAMLError as error:
            raise SpecError(f"--set {override!r}: {yaml_problem(error)}", "the form a.b=c with c in YAML") from error
        except (TypeError, IndexError) as error:
            raise SpecError(f"--set {override!r} ({error})", "the form a.b=c with c in YAML") from error
    return changed


def resolved_yaml(spec: Spec) -> str:
    """The whole spec with every default, as YAML that loads to the same spec."""
    return str(yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100))


def _step_into(place: Any, key: str, override: str) -> Any:  # noqa: ANN401 - plain YAML values
    """Mapping or list below a key; made where a mapping lacks it."""
    if isinstance(place, list) and key.isdigit() and int(key) < len(place):
        return place[int(key)]
    if isinstance(place, dict):
        if place.get(key) is None:
            place[key] = {}
        elif isinstance(place[key], str):
            place[key] = {"kind": place[key]}
        return place[key]
    raise SpecError(f"--set {override!r}: {key!r} lies below a {type(place).__name__}", "keys of a mapping")


def named_file(text: str, shipped: Mapping[str, Traversable], what: str) -> Traversable:
    """Return the file that a user means by a name or a path.

    A text that ends in `.yaml` or `.yml`, or holds a slash, is a path; it need not exist.

    Args:
        text: What the user gave.
        shipped: Files that come with the package, by name.
        what: What a file holds, as a message calls it.

    Raises:
        SpecError: No file that comes with the package has this name.
    """
    path = Path(text)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return path
    if text not in shipped:
        near = get_close_matches(text, shipped, n=1)
        raise SpecError(
            f"{what} {text!r}{f', did you mean {near[0]!r}?' if near else ''}",
            f"one of {', '.join(shipped)}, or the path of a YAML file",
            "give a path that ends in .yaml for a file of your own",
        )
    return shipped[text]
