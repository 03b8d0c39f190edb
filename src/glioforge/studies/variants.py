"""Studies that come with the package, by name, and files whose budgets change more than numbers of steps.

Next to the settings of a study its YAML may hold two keys:

changes   by name of a budget, settings that this budget changes: paths of keys with their values
phantoms  by name of a budget, settings that change where the study runs on phantoms (`--data phantom`)

They are applied before the settings are read, so that what is run, printed and kept is one complete study.
"""

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from glioforge.config import with_overrides
from glioforge.core import SpecError

PHANTOM: Final = "phantom"
"""What `--data` is given for the phantoms of a study."""
_DEFAULT: Final = {"data": {"kind": "phantom"}}


def study_files() -> dict[str, Traversable]:
    """Return the studies that come with Glioforge by their names, in alphabetical order."""
    folder = files("glioforge.studies") / "papers"
    found = (file for file in folder.iterdir() if file.name.endswith(".yaml"))
    return {file.name.removesuffix(".yaml"): file for file in sorted(found, key=lambda file: file.name)}


def resolved(values: Mapping[str, Any], overrides: Iterable[str], where: str, *, phantoms: bool) -> dict[str, Any]:
    """Return the plain settings of a study with the changes of its budget, then those of phantoms, then overrides.

    Args:
        values: Plain values of a YAML.
        overrides: `a.b=c` pairs of the command line, which win.
        where: Name of the file, for messages.
        phantoms: Whether the study runs on phantoms whatever its YAML says.

    Raises:
        SpecError: The budget is none of the file's, or an override is malformed.

    Example:
        >>> values = {"budget": "tiny", "seeds": 3, "changes": {"tiny": {"seeds": 1}, "large": {}}}
        >>> resolved(values, ["seed=2"], "a.yaml", phantoms=False)
        {'seeds': 1, 'seed': 2}
    """
    given = list(overrides)
    plain = {name: value for name, value in values.items() if name not in {"changes", "phantoms"}}
    changes, on_phantoms = values.get("changes", {}), values.get("phantoms", {})
    budget = with_overrides(plain, given).get("budget")
    steps: list[str] = []
    if changes or on_phantoms:
        known = list(dict.fromkeys([*changes, *plain.get("budgets", {})]))
        if budget not in known:
            raise SpecError(f"budget {budget!r}", f"one of {', '.join(map(str, known))}", where=where)
        steps += _pairs(changes.get(budget, {}))
    if phantoms:
        steps += _pairs(on_phantoms.get(budget, _DEFAULT))
    found = with_overrides(plain, [*steps, *given])
    if changes and "budgets" not in plain:  # a comparison has no budgets; the file's changes are all that one is
        del found["budget"]
    return found


def _pairs(changes: Mapping[str, Any]) -> list[str]:
    """Changes in the form of overrides; JSON is YAML."""
    return [f"{path}={json.dumps(value)}" for path, value in changes.items()]
