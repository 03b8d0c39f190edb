"""A study in memory for tests of the engine: toy heads, one split, tasks that count how often they are done."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.protocols import Silent
from glioforge.core.split import split_by_subject
from glioforge.studies.base import StudySpec
from glioforge.studies.fold import Fold, Study
from glioforge.studies.perform import perform
from glioforge.studies.record import Record
from glioforge.studies.task import Context, Task
from toy_cohort import toy_cohort

COHORT = toy_cohort(range(6))
SPLIT = split_by_subject(COHORT, test=0.3, validation=0.2, seed=1)
HOW = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


def toy_study(root: Path, store: Path | None = None, name: str = "toy") -> Study:
    """A study whose cases are in memory."""
    spec = StudySpec(name=name, title="Toy", accelerator=HOW)
    return Study(spec, root, store or root / "tasks", COHORT)


def toy_fold(root: Path, store: Path | None = None, name: str = "toy", index: int = 0) -> Fold:
    """A fold of it."""
    return Fold(toy_study(root, store, name), index, SPLIT)


@dataclass
class Work:
    """Tasks that note their names when they are done, and fail where they are bidden to."""

    done: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    kept: tuple[str, ...] = ("a",)
    seconds: float = 0.0

    def __call__(self, context: Context, **_: object) -> Record:
        """Note the task, and leave a file and a row."""
        self.done.append(context.task.name)
        if context.task.name in self.failing:
            raise RuntimeError("bidden to fail")
        time.sleep(self.seconds)
        (context.folder / "file").write_text("made", encoding="utf-8")
        row = {"case_id": "a", "subject_id": "a", "region": "WT", "metric": "dice", "value": 0.5}
        return context.record([row], made={"kept": list(self.kept)})

    def task(self, fold: Fold, name: str, **parts: object) -> Task:
        """A task that this work does."""
        return Task(
            name, name.rsplit("/", maxsplit=1)[-1], fold, toy_run, {"work": name, **parts.pop("key", {})}, **parts
        )

    def do(self, task: Task, **needs: Record) -> Record:
        """Do a task, given the records that it needs by the last part of their names."""
        AT_HAND[:] = [self]
        known = {name: record for name in task.needs for kind, record in needs.items() if name.endswith(kind)}
        return perform(task, known, Silent())


AT_HAND: list[Work] = []
"""The work that tasks are done by; a task's function is one of a module, as worker processes want it."""


def toy_run(context: Context, **key: object) -> Record:
    """Do a task by the work that is at hand."""
    return AT_HAND[0](context, **key)


def with_leak(fold: Fold) -> Fold:
    """The fold with a test subject behind a training case."""
    first, *others = fold.split.train.cases
    lineage = replace(first.lineage, subjects=(first.subject_id, fold.split.test.cases[0].subject_id))
    train = replace(fold.split.train, cases=(replace(first, lineage=lineage), *others))
    return replace(fold, planned=replace(fold.split, train=train))
