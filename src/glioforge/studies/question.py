"""Questions: what a study asks, one file each in `studies/questions/`, found by its name.

A question has settings (`kind` in a YAML), a plan of tasks, and a page.  Everything else - cohorts, folds, folders,
locks, firewall, worker processes, results table - is the engine's.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Protocol, cast

from glioforge.config import Registry, named_file, parse_spec, read_values
from glioforge.core import SpecError
from glioforge.io import write_atomically, write_json
from glioforge.report import Report, render, with_parts
from glioforge.studies.after_page import with_after
from glioforge.studies.base import StudySpec
from glioforge.studies.fold import Fold
from glioforge.studies.lock import Standing
from glioforge.studies.lock_page import with_lock
from glioforge.studies.results import Results
from glioforge.studies.task import Task
from glioforge.studies.variants import resolved, study_files


class Question(Protocol):
    """A file of `studies/questions/`: settings are the spec that it is registered with."""

    def plan(self, spec: Any, folds: Sequence[Fold]) -> Iterable[Task]:  # noqa: ANN401 - the question's own settings
        """Name the tasks of all folds; those that come first are done first, once they have what they need."""
        ...

    def page(self, spec: Any, results: Results) -> Report:  # noqa: ANN401 - the question's own settings
        """Write the report from what the tasks left."""
        ...


QUESTIONS: Final[Registry[Question]] = Registry("kind of study", "glioforge.studies.questions")
"""All questions by their kinds."""
FIRST: Final = "augmentation"
"""Kind of a YAML that names none."""


def load_study(path: Path | str, overrides: Iterable[str] = (), *, phantoms: bool = False) -> StudySpec:
    """Read a study's YAML, whatever its kind.

    Args:
        path: A complete YAML file, or the name of a study that comes with the package.
        overrides: `a.b=c` pairs that replace single keys.
        phantoms: Whether it runs on phantoms whatever its YAML says (see `studies.variants`).

    Raises:
        SpecError: There is no such kind, or a key or value is wrong; each is named by its path.
    """
    with as_file(named_file(str(path), study_files(), "study")) as file:
        values = resolved(read_values(file), overrides, str(path), phantoms=phantoms)
    return parse_study(values, str(path))


def load_demo(overrides: Iterable[str] = ()) -> StudySpec:
    """Read the study of the demonstration, which comes with the package and runs on phantoms.

    Args:
        overrides: `a.b=c` pairs that replace single keys.

    Raises:
        SpecError: A key or value is wrong.
    """
    with as_file(files("glioforge.studies") / "demo.yaml") as path:
        return load_study(path, overrides)


def parse_study(values: Mapping[str, Any], where: str) -> StudySpec:
    """Return the settings of a study of any kind from plain values; errors as `load_study`."""
    try:
        kind = QUESTIONS.spec_class(str(values.get("kind", FIRST)))
    except SpecError as error:
        raise SpecError(error.found, error.expected, error.remedy, where) from error
    return cast("StudySpec", parse_spec(values, kind, where=where))


def planned(spec: StudySpec, folds: Sequence[Fold]) -> list[Task]:
    """Return the plan of a study.

    Raises:
        SpecError: A name is used twice, a need is no task of the plan, or a task that trains needs one that evaluates.
    """
    tasks = list(QUESTIONS.part_for(spec)().plan(spec, folds))
    known = {task.name: task for task in tasks}
    if len(known) < len(tasks):
        raise SpecError("a plan with a task named twice", "a name for each task", where=spec.name)
    for task in tasks:
        missing = sorted(set(task.needs) - known.keys())
        if missing:
            raise SpecError(f"task {task.name} needs {missing}", "needs among the tasks of the plan", where=spec.name)
        seen = [name for name in task.needs if known[name].evaluates]
        if seen and not task.evaluates:
            found = f"task {task.name}, which does not evaluate, needs {seen}, which read the test side"
            raise SpecError(found, "needs that do not read the test side", where=spec.name)
    return tasks


def write_page(results: Results) -> Path:
    """Write the page that a study's question makes of its results, one HTML file, and its numbers for programs."""
    spec = results.study.spec
    report = with_lock(QUESTIONS.part_for(spec)().page(spec, results), Standing.read(results.root))
    report = with_after(report, spec)
    page = results.root / "report.html"
    if report.numbers:
        write_json(results.root / "comparison.json", report.numbers)
    write_atomically(page, render(with_parts(report, results.root)).encode())
    return page
