"""The plan of a study before it runs: its tasks, what is done already, and what the rest may take.

Nothing is written.
"""

import heapq
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from glioforge.core import Cohort, Progress, Silent, counted
from glioforge.studies.base import StudySpec
from glioforge.studies.estimates import (
    GATHERING,
    OTHER_S,
    PHANTOM_VOXELS,
    REPORT,
    RULE,
    RULE_COST,
    SHIPPED,
    START,
    STEP_S,
    PlannedTask,
    around,
    estimated,
    measured_costs,
    past_of,
)
from glioforge.studies.given import planned_folds, promised
from glioforge.studies.perform import finished_record
from glioforge.studies.question import planned
from glioforge.studies.record import Cost, Record
from glioforge.studies.study import open_study

SHORT: Final = ("smoke", "small")
"""Budgets whose costs come with the package."""
COARSE_MM: Final = 3.0
"""Smallest voxel size of scans with these budgets; comparisons of methods keep no name of a budget."""
OUTSIDE: Final = (START, GATHERING, REPORT)
"""Parts of a plan that are no tasks."""


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
    study, given, step = open_study(spec, out, data, store, progress or Silent())
    folds, prepared = planned_folds(study, given)
    tasks = planned(study.spec, folds)
    records: dict[str, Record] = {}
    for task in tasks if prepared else ():
        record = finished_record(task, records)
        if record is not None:
            records[task.name] = record
    past = list(past_of(study.store))
    small = study.spec.after is not None and _measured(study.spec)
    shipped = measured_costs() if small else []
    larger = _voxels(given) / PHANTOM_VOXELS if small else 1.0
    rest = [
        PlannedTask(task.name, True, records[task.name].cost or Cost(0.0, 0.0), trains=task.trains, needs=task.needs)
        if task.name in records
        else estimated(task, past, shipped, larger)
        for task in tasks
    ]
    count = 0 if prepared else len(promised(study.spec) if given is None else given)
    parts = [] if step.done else around(study, given, shipped, count)
    last = [part for part in parts if part.name == REPORT]
    return [*(part for part in parts if part.name != REPORT), *rest, *last]


def expected_seconds(tasks: Sequence[PlannedTask], workers: int) -> float:
    """Return how long what is left of a plan takes with some workers, each task once those that it needs are done.

    Starting and the page have one worker whatever their number; cases are spread over all of them.

    Example:
        >>> first = PlannedTask("a", False, Cost(4.0, 1.0))
        >>> second = PlannedTask("b", False, Cost(2.0, 1.0), needs=("a",))
        >>> expected_seconds([first, second], 2)
        6.0
    """
    outside = {task.name: task.cost.seconds for task in tasks if task.name in OUTSIDE}
    total = sum(seconds / (workers if name == GATHERING else 1) for name, seconds in outside.items())
    waiting = {task.name: task for task in tasks if not task.done and task.name not in OUTSIDE}
    ended = {task.name for task in tasks if task.done}
    running: list[tuple[float, str]] = []
    now = 0.0
    while waiting or running:
        ready = [name for name, task in waiting.items() if ended.issuperset(task.needs)]
        for name in ready[: workers - len(running)]:
            heapq.heappush(running, (now + waiting.pop(name).cost.seconds, name))
        now, name = heapq.heappop(running)
        ended.add(name)
    return total + now


def plan_lines(tasks: Sequence[PlannedTask], workers: int) -> list[str]:
    """Return a plan for the terminal, one line per task, then the sums and what they are based on."""
    width = max((len(task.name) for task in tasks), default=0)
    left = [task for task in tasks if not task.done]
    trainings = sum(task.trains for task in tasks)
    uncounted = "" if any(task.name == START for task in tasks) else "; cases and the report are not counted"
    lines = [f"plan: {len(tasks)} tasks, {len(tasks) - len(left)} done; {counted(trainings, 'training')}"]
    for task in tasks:
        cost = f"{_duration(task.cost.seconds):>8} {task.cost.peak_gib:6.1f} GiB {task.cost.disk_mib:7.1f} MiB"
        lines.append(f"{task.name:<{width}}  {'done' if task.done else 'to do':<5} {cost}  {task.basis}".rstrip())
    seconds, disk = sum(task.cost.seconds for task in left), sum(task.cost.disk_mib for task in left) / 1024
    peak = max((task.cost.peak_gib for task in left), default=0.0) * max(1, min(workers, len(left)))
    lines.append(
        f"to do: {_duration(seconds)} of work, about {_duration(expected_seconds(tasks, workers))} with {workers} at a "
        f"time; up to {peak:.1f} GiB of memory, {disk:.1f} GiB of disk{uncounted}"
    )
    if any(task.basis == RULE for task in left):
        lines.append(
            f"{RULE}: {STEP_S:g} s for a training step, {OTHER_S:g} s for another task, {RULE_COST.peak_gib:g} GiB, "
            f"{RULE_COST.disk_mib:g} MiB; a finished task of the same kind takes its place"
        )
    if any(task.basis == SHIPPED for task in left):
        lines.append(f"{SHIPPED}: time on two cores that do nothing else, budgets smoke and small, scans of 2 mm")
    return lines


def _measured(spec: StudySpec) -> bool:
    """Whether a study of the papers has a budget whose costs were measured."""
    budget = getattr(spec, "budget", "")
    if budget:
        return budget in SHORT
    if spec.phantom is not None:
        return math.prod(spec.phantom.shape) <= PHANTOM_VOXELS
    spacing = spec.prepare.grid.spacing_mm or 0.0
    return min(spacing if isinstance(spacing, tuple) else (spacing,)) >= COARSE_MM


def _voxels(given: Cohort | None) -> int:
    """Voxels of the first scan; those of the measured phantoms for a study of phantoms."""
    if given is None:
        return PHANTOM_VOXELS
    return math.prod(given.cases[0].load().geometry.shape)


def _duration(seconds: float) -> str:
    """Time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
