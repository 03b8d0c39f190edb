"""Do one task: its folder and lock, the firewall over what it reads, its cost and its record.

A task's address in the store is made from what decides its outcome: the function and its settings, the precision,
the contents of the sides that it reads, and what the tasks that it needs have made.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from glioforge.core import VALIDATION, Lineage, Progress, require_no_leak
from glioforge.io import DONE, Step, kept_of
from glioforge.studies.record import Record
from glioforge.studies.store import address, placed, plain
from glioforge.studies.task import TEST, Context, Task


def perform(task: Task, needs: Mapping[str, Record], progress: Progress) -> Record:
    """Do a task unless its folder holds it done; returns its record.

    A task that needs one that was left out is left out for the same reason.

    Args:
        task: The task.
        needs: Records of the tasks that it needs, by name.
        progress: Where to show progress.

    Raises:
        LeakageError: A test subject contributed to what the task reads.
        OutputError: Its place belongs to a task with other settings, or cannot be written.
    """
    left_out = next((record.left_out for record in needs.values() if record.left_out), "")
    if left_out:
        return replace(task.empty_record, left_out=left_out)
    lineage = _guarded(task, needs)
    step = step_of(task, needs)
    if step.done and task.intact is not None and not task.intact(step.folder):
        progress.say(f"{task.name}: damaged, made again")
        (step.folder / DONE).unlink()
    with step:
        place = task.fold.study.root / task.name
        if step.folder != place:
            placed(place, step.folder)
        if not step.done:
            found = task.run(Context(task, step.folder, needs, progress), **task.key)
            behind = None if task.evaluates else _with_found(lineage, found, task).to_json()
            values = {**found.to_json(), "amount": task.amount, "lineage": behind}
            step.finish(_with_size(values, step.folder))
    return Record.from_json(step.facts, task.empty_record, task.fold.study.spec.name)


def step_of(task: Task, needs: Mapping[str, Record]) -> Step:
    """Return the step of a task, which says whether it is done; nothing is written.

    Another process that makes the same is waited for.

    Raises:
        OutputError: The task's place belongs to a task with other settings.
    """
    study, split = task.fold.study, task.fold.split
    key = {
        "task": function_name(task),
        "settings": plain(task.key),
        "precision": study.spec.accelerator.precision,
        "inputs": {side: getattr(split, side).fingerprint for side in task.inputs},
        "needs": [[needs[name].kind, needs[name].made] for name in task.needs],
    }
    if task.evaluates:
        key["source"] = study.source.fingerprint
    place = study.root / task.name
    folder = place if place.exists() else address(study.store, task.run.__name__, key)
    return Step(folder, key, wait_s=math.inf, kept=kept_of(study.spec.accelerator))


def function_name(task: Task) -> str:
    """Return the full name of the function that does a task."""
    return f"{task.run.__module__}.{task.run.__qualname__}"


def finished_record(task: Task, known: Mapping[str, Record]) -> Record | None:
    """Return the record of a task that is done, given those of done tasks before it; none where it is not done.

    Raises:
        OutputError: The task's place belongs to a task with other settings.
    """
    if not all(name in known for name in task.needs):
        return None
    step = step_of(task, {name: known[name] for name in task.needs})
    return Record.from_json(step.facts, task.empty_record, task.fold.study.spec.name) if step.done else None


def _guarded(task: Task, needs: Mapping[str, Record]) -> Lineage:
    """Everyone behind all that a task reads but the test side, once none of them is seen to be tested."""
    split = task.fold.split
    sides = {side: getattr(split, side) for side in task.inputs if side != TEST}
    models = {name: record.lineage for name, record in needs.items() if record.lineage is not None}
    require_no_leak({**{f"{side} cases": cohort for side, cohort in sides.items()}, **models}, split.test)
    chosen = sides.pop("validation", None)
    lineage = Lineage.union(task.kind, (*(cohort.lineage for cohort in sides.values()), *models.values()))
    return lineage if chosen is None else lineage.through(VALIDATION, chosen.lineage)


def _with_found(lineage: Lineage, found: Record, task: Task) -> Lineage:
    """Everyone behind a task, and those whom the task itself found to be, such as behind cases of another tool."""
    if found.lineage is None:
        return lineage
    require_no_leak({task.name: found.lineage}, task.fold.split.test)
    return Lineage.union(task.kind, (lineage, found.lineage))


def _with_size(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Values of a record whose cost says how large the folder is."""
    if values["cost"] is None:
        return values
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return {**values, "cost": {**values["cost"], "disk_mib": round(size / 2**20, 1)}}
