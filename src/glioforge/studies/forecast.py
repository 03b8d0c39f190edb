"""The plan of a study before it runs: its tasks, what is done already, and what the rest may take.

An estimate comes from finished tasks of the same function in the store, those with the same kinds of method first;
where there is none, from a stated rule.  Nothing is written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any, Final, final

from glioforge.core import Cohort, InputFileError, Progress, Silent, counted
from glioforge.io.run_folder import DONE, read_json
from glioforge.studies.base import StudySpec
from glioforge.studies.cohorts import planned_folds
from glioforge.studies.fold import Study
from glioforge.studies.given import promised
from glioforge.studies.perform import finished_record, function_name
from glioforge.studies.question import planned
from glioforge.studies.record import Cost, Record
from glioforge.studies.store import plain
from glioforge.studies.study import open_study
from glioforge.studies.task import Task

RULE: Final = "rule"
SHIPPED: Final = "measured"
"""Basis of an estimate that came with the package."""
SMOKE: Final = "smoke"
STEP_S: Final = 0.3
"""Rule: seconds of a training step."""
OTHER_S: Final = 60.0
"""Rule: seconds of a task that does not train."""
RULE_COST: Final = Cost(0.0, 1.5, 20.0)
"""Rule: memory of a process, and size of a task's folder."""


@final
@dataclass(frozen=True)
class PlannedTask:
    """A task before it runs.

    Args:
        name: Name of the task.
        done: Whether a folder holds it done.
        cost: What it took where it is done, else what it may take.
        basis: What an estimate is based on; empty for a task that is done.
        trains: Whether it is a training.
    """

    name: str
    done: bool
    cost: Cost
    basis: str = ""
    trains: bool = False


def plan_study(
    spec: StudySpec,
    out: Path,
    *,
    data: Path | None = None,
    store: Path | None = None,
    progress: Progress | None = None,
) -> list[PlannedTask]:
    """Return the tasks of a study in their order, with what is done and what the rest may take; nothing is written.

    What `run_study` would refuse at its start is refused alike.

    Args:
        spec: Complete settings.
        out: Folder of the study.
        data: Folder of scans or of an ingested cohort, where the study reads one.
        store: Folder of finished tasks that several studies share.
        progress: Where to show progress.

    Raises:
        OutputError: The folder belongs to a study with other settings, or was made by another version.
        LeakageError: A test subject contributed to a training input.
        GlioforgeError: Whatever is wrong with the scans or the settings.
    """
    study, given, _ = open_study(spec, out, data, store, progress or Silent())
    folds, prepared = planned_folds(study, given)
    tasks = planned(study.spec, folds)
    records: dict[str, Record] = {}
    for task in tasks if prepared else ():
        record = finished_record(task, records)
        if record is not None:
            records[task.name] = record
    past = list(past_of(study.store))
    small = study.spec.after is not None and getattr(study.spec, "budget", SMOKE) in {SMOKE, "small"}
    shipped = measured_costs() if small else []
    gathering = [_gathered(one, study, given) for one in shipped if one.function == GATHERING and not prepared]
    return gathering + [
        PlannedTask(task.name, True, records[task.name].cost or Cost(0.0, 0.0), trains=task.amount > 1)
        if task.name in records
        else _estimated(task, past, shipped)
        for task in tasks
    ]


def plan_lines(tasks: Sequence[PlannedTask], workers: int) -> list[str]:
    """Return a plan for the terminal, one line per task, then the sums and what they are based on."""
    width = max((len(task.name) for task in tasks), default=0)
    left = [task for task in tasks if not task.done]
    trainings = sum(task.trains for task in tasks)
    uncounted = "" if any(task.name == GATHERING for task in tasks) else "; making and preparing cases is not counted"
    lines = [f"plan: {len(tasks)} tasks, {len(tasks) - len(left)} done; {counted(trainings, 'training')}"]
    for task in tasks:
        cost = f"{_duration(task.cost.seconds):>8} {task.cost.peak_gib:6.1f} GiB {task.cost.disk_mib:7.1f} MiB"
        lines.append(f"{task.name:<{width}}  {'done' if task.done else 'to do':<5} {cost}  {task.basis}".rstrip())
    seconds, disk = sum(task.cost.seconds for task in left), sum(task.cost.disk_mib for task in left) / 1024
    peak = max((task.cost.peak_gib for task in left), default=0.0) * max(1, min(workers, len(left)))
    lines.append(
        f"to do: {_duration(seconds)} of work, {_duration(seconds / workers)} or more with {workers} at a time; up to "
        f"{peak:.1f} GiB of memory, {disk:.1f} GiB of disk{uncounted}"
    )
    if any(task.basis == RULE for task in left):
        lines.append(
            f"{RULE}: {STEP_S:g} s for a training step, {OTHER_S:g} s for another task, {RULE_COST.peak_gib:g} GiB, "
            f"{RULE_COST.disk_mib:g} MiB; a finished task of the same kind takes its place"
        )
    if any(task.basis == SHIPPED for task in left):
        lines.append(f"{SHIPPED}: processor time on two cores that do nothing else, of small budgets on phantoms")
    return lines


@final
@dataclass(frozen=True)
class Past:
    """A finished task of a store: its function, the kinds of method in its settings, and what it cost.

    Args:
        function: Full name of the function that did it.
        kinds: Kinds of the methods in its settings.
        seconds: Time for one unit of its amount, such as a step.
        peak_gib: Memory of its process.
        disk_mib: Size of its folder.
        fixed: Time that does not depend on the amount, such as reading cases before a training.
    """

    function: str
    kinds: frozenset[str]
    seconds: float
    peak_gib: float
    disk_mib: float
    fixed: float = 0.0


GATHERING: Final = "cases"
"""Function that stands for making and preparing a case among measured costs, and name of that part of a plan."""


def measured_costs() -> list[Past]:
    """Return what tasks of the studies that come with the package took with their small budgets on phantoms.

    `experiments/study_costs.py` measured them: processor time on two cores with AVX2, which is the wall-clock time of a
    machine that does nothing else.
    """
    values = json.loads((files("glioforge.studies") / "papers" / "costs.json").read_text(encoding="utf-8"))
    return [Past(**{**value, "kinds": frozenset(value["kinds"])}) for value in values["tasks"]]


def past_of(store: Path) -> Iterator[Past]:
    """Finished tasks of a store; a damaged one is passed over."""
    for file in sorted(store.glob(f"*/{DONE}")):
        try:
            values = read_json(file)
            key, facts = values["key"], values["facts"]
            cost, amount = Cost(**facts["cost"]), max(float(facts["amount"]), 1.0)
            training = float((facts["training"] or {}).get("seconds") or 0.0) if "training" in facts else 0.0
        except (InputFileError, KeyError, TypeError, ValueError):
            continue
        kinds = frozenset(_kinds(key.get("settings", {})))
        fixed = max(cost.seconds - training, 0.0) if training else 0.0
        own = (cost.seconds - fixed) / amount
        yield Past(str(key.get("task")), kinds, own, cost.peak_gib, cost.disk_mib, fixed)


def _gathered(measured: Past, study: Study, given: Cohort | None) -> PlannedTask:
    """Making and preparing the cases of a study, by what a case took."""
    count = len(promised(study.spec) if given is None else given)
    cost = Cost(measured.seconds * count, measured.peak_gib, measured.disk_mib * count)
    return PlannedTask(GATHERING, False, cost, SHIPPED)


def _kinds(settings: Mapping[str, Any]) -> Iterator[str]:
    """Kinds of the methods that settings name."""
    for part in settings.values():
        if isinstance(part, Mapping) and "kind" in part:
            yield str(part["kind"])


def _estimated(task: Task, past: Sequence[Past], shipped: Sequence[Past] = ()) -> PlannedTask:
    """A task that is not done, with the median of finished ones like it, else what was measured, else the rule."""
    alike = [one for one in past if one.function == function_name(task)]
    basis = f"like {len(alike)} done"
    if not alike:
        alike = [one for one in shipped if one.function == function_name(task)]
        basis = SHIPPED
    kinds = frozenset(_kinds(plain(task.key)))
    same = [one for one in alike if one.kinds == kinds]
    alike, basis = (same, basis if basis == SHIPPED else f"like {len(same)} done") if same else (alike, basis)
    if not alike:
        seconds = task.amount * (STEP_S if task.amount > 1 else OTHER_S)
        return PlannedTask(task.name, False, replace(RULE_COST, seconds=seconds), RULE, task.amount > 1)
    columns = zip(*((one.fixed, one.seconds, one.peak_gib, one.disk_mib) for one in alike), strict=True)
    fixed, seconds, peak, disk = (median(values) for values in columns)
    cost = Cost(fixed + seconds * max(task.amount, 1.0), peak, disk)
    return PlannedTask(task.name, False, cost, basis, task.amount > 1)


def _duration(seconds: float) -> str:
    """Time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
