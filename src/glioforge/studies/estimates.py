"""What a task may take: from finished ones like it, else from costs that come with the package, else by a rule."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any, Final, final

from glioforge.core import Cohort, InputFileError
from glioforge.io import DONE, read_json
from glioforge.studies.fold import Study
from glioforge.studies.perform import function_name
from glioforge.studies.record import Cost
from glioforge.studies.store import plain
from glioforge.studies.task import Task

RULE: Final = "rule"
SHIPPED: Final = "measured"
"""Basis of an estimate that came with the package."""
STEP_S: Final = 0.3
"""Rule: seconds of a training step."""
OTHER_S: Final = 60.0
"""Rule: seconds of a task that does not train."""
RULE_COST: Final = Cost(0.0, 1.5, 20.0)
"""Rule: memory of a process, and size of a task's folder."""
START: Final = "start"
"""Function that stands for starting the workers among costs, and name of that part of a plan."""
GATHERING: Final = "cases"
"""The same for making and preparing a case."""
REPORT: Final = "report"
"""The same for writing the page."""
PHANTOM_VOXELS: Final = 64 * 64 * 48
"""Voxels of a phantom on which costs were measured."""


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
        needs: Names of the tasks that must be done before.
    """

    name: str
    done: bool
    cost: Cost
    basis: str = ""
    trains: bool = False
    needs: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Past:
    """A finished task of a store: its function, the kinds of method in its settings, and what it cost.

    Args:
        function: Full name of the function that did it.
        kinds: Kinds of the methods in its settings.
        seconds: Time for one unit of its amount, such as a step or a case.
        peak_gib: Memory of its process.
        disk_mib: Size of its folder.
        fixed: Time that does not depend on the amount, such as reading cases before a training.
        amount: Its own amount; 0 where it is not known.
    """

    function: str
    kinds: frozenset[str]
    seconds: float
    peak_gib: float
    disk_mib: float
    fixed: float = 0.0
    amount: float = 0.0


def measured_costs() -> list[Past]:
    """Return what tasks of the studies that come with the package took with their budgets `smoke` and `small`.

    `experiments/study_costs.py` measured them on two cores with AVX2 that did nothing else.
    """
    values = json.loads((files("glioforge.studies") / "papers" / "costs.json").read_text(encoding="utf-8"))
    return [Past(**{**value, "kinds": frozenset(value["kinds"])}) for value in values["tasks"]]


def past_of(store: Path) -> Iterator[Past]:
    """Finished tasks of a store; a damaged one is passed over."""
    for file in sorted(store.glob(f"*/{DONE}")):
        try:
            values = read_json(file)
            key, facts = values["key"], values["facts"]
            cost, amount = Cost(**facts["cost"]), float(facts["amount"])
            training = float((facts["training"] or {}).get("seconds") or 0.0) if "training" in facts else 0.0
        except (InputFileError, KeyError, TypeError, ValueError):
            continue
        yield past_from(str(key.get("task")), key.get("settings", {}), cost, amount, training)


def past_from(function: str, settings: Mapping[str, Any], cost: Cost, amount: float, training: float) -> Past:
    """Return what a finished task cost, divided into what depends on its amount and what does not.

    Args:
        function: Full name of the function that did it.
        settings: Its key as plain values.
        cost: What it took.
        amount: Steps, cases, or what else its kind counts.
        training: Seconds of its training; 0 for a task that does not train.
    """
    fixed = max(cost.seconds - training, 0.0) if training else 0.0
    own = (cost.seconds - fixed) / max(amount, 1.0)
    return Past(function, frozenset(_kinds(settings)), own, cost.peak_gib, cost.disk_mib, fixed, max(amount, 1.0))


def estimated(task: Task, past: Sequence[Past], shipped: Sequence[Past] = (), larger: float = 1.0) -> PlannedTask:
    """Return a task that is not done, with the median of finished ones like it.

    Those with the same kinds of method come first, and of these the ones whose amount is nearest, since the share of
    validations in a training depends on its length.

    Args:
        task: The task.
        past: Finished tasks of the study's store.
        shipped: Costs that come with the package, for a task of which the store has none.
        larger: How many times the voxels of the shipped costs' phantoms a case has.  Scoring took 2.3 to 2.9 times as
            long for a case of 5.7 times the voxels, hence the root.
    """
    needs, kinds = task.needs, frozenset(_kinds(plain(task.key)))
    alike = _alike(function_name(task), kinds, past)
    basis, factor = f"like {len(alike)} done", 1.0
    if not alike:
        alike, basis = _alike(function_name(task), kinds, shipped), SHIPPED
        factor = math.sqrt(larger) if task.evaluates else 1.0
    if not alike:
        seconds = task.amount * STEP_S if task.trains else OTHER_S
        return PlannedTask(task.name, False, replace(RULE_COST, seconds=seconds), RULE, task.trains, needs)
    alike = _nearest(task.amount, alike)
    columns = zip(*((one.fixed, one.seconds, one.peak_gib, one.disk_mib) for one in alike), strict=True)
    fixed, seconds, peak, disk = (median(values) for values in columns)
    cost = Cost((fixed + seconds * max(task.amount, 1.0)) * factor, peak, disk)
    return PlannedTask(task.name, False, cost, basis, task.trains, needs)


def around(study: Study, given: Cohort | None, shipped: Sequence[Past], count: int) -> list[PlannedTask]:
    """Return what a study does outside its tasks: starting, the cases that are not prepared yet, and the page.

    Args:
        study: The study.
        given: Its scans; none where it makes phantoms.
        shipped: Costs that come with the package; nothing is estimated without them.
        count: Cases that are not prepared yet.
    """
    parts = []
    for name, kind, amount in (
        (START, "", 1),
        (GATHERING, "phantoms" if given is None else "scans", count),
        (REPORT, study.spec.name, 1),
    ):
        rows = [one for one in shipped if one.function == name]
        rows = [one for one in rows if kind in one.kinds] or rows
        if rows and amount:
            columns = zip(*((one.seconds, one.peak_gib, one.disk_mib) for one in rows), strict=True)
            seconds, peak, disk = (median(values) for values in columns)
            parts.append(PlannedTask(name, False, Cost(seconds * amount, peak, disk * amount), SHIPPED))
    return parts


def _alike(function: str, kinds: frozenset[str], past: Sequence[Past]) -> list[Past]:
    """Finished tasks of the same function; those alone that have the same kinds of method, where there are any."""
    alike = [one for one in past if one.function == function]
    return [one for one in alike if one.kinds == kinds] or alike


def _nearest(amount: float, alike: Sequence[Past]) -> list[Past]:
    """Of finished tasks those whose amount is nearest in ratio; all where amounts are not known."""
    apart = [abs(math.log(max(one.amount, 1.0) / max(amount, 1.0))) for one in alike]
    return [one for one, distance in zip(alike, apart, strict=True) if distance <= min(apart) + 1e-9]


def _kinds(settings: Mapping[str, Any]) -> Iterator[str]:
    """Kinds of the methods that settings name."""
    for part in settings.values():
        if isinstance(part, Mapping) and "kind" in part:
            yield str(part["kind"])
