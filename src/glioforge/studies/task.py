"""A task: a piece of a study that is done once and kept in a folder of its own.

What a task depends on is named when it is planned: settings (`key`), sides of the split (`inputs`) and other tasks
(`needs`).  From these the engine makes its address in the store, so that nothing else may decide the outcome:
seeds, regions and the like belong to the key.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, final

from glioforge.compute import AcceleratorSpec
from glioforge.core import Cohort, Progress, SpecError
from glioforge.io import ResultRow
from glioforge.metrics import metric_named
from glioforge.studies.fold import Fold
from glioforge.studies.record import Clock, Record

Side = Literal["train", "validation", "test"]
TEST: Final = "test"


@final
@dataclass(frozen=True)
class Task:
    """One piece of a study.

    Args:
        name: Name, and place below the study's folder, such as `fold-0/segmenters/real/seed-1`.
        kind: Kind of the record that it leaves (see `studies.record`).
        fold: The fold that it belongs to.
        run: Does the task; called with a context, and with `key` by keyword.  A function of a module, so that other
            processes can call it.
        key: Settings that decide the outcome: plain values and specs.
        inputs: Sides of the split that it reads.  A task that reads the test side evaluates; no other task may
            read the test side or need a task that does.
        needs: Names of tasks whose records and folders it reads.
        arm: What is compared, or the source of synthetic cases; empty for a task of the whole fold.
        seed: Number of the repetition.
        draw: Number of the draw of training subjects.
        generator_seed: Number of the generator's repetition.
        amount: How much work it is, in units that tasks of its kind share, such as steps or cases; for estimates.
        guards: Whether it reads the test side only to refuse a leak, so that tasks that train may need it: whatever it
            finds is an error, and nothing of the test side is kept for them.
        intact: Says whether what a finished task left is whole; it is done again where it is not.
    """

    name: str
    kind: str
    fold: Fold
    run: Callable[..., Record]
    key: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Side, ...] = ("train", "validation")
    needs: tuple[str, ...] = ()
    arm: str = ""
    seed: int = 0
    draw: int = 0
    generator_seed: int = 0
    amount: float = 1.0
    guards: bool = False
    intact: Callable[[Path], bool] | None = None

    @property
    def trains(self) -> bool:
        """Whether it is a training, whose amount are its steps."""
        return self.run.__name__.startswith("fit_") and self.amount > 1

    @property
    def evaluates(self) -> bool:
        """Whether it reads the test side to judge what was made."""
        return TEST in self.inputs and not self.guards

    @property
    def empty_record(self) -> Record:
        """Record that names the task and holds nothing."""
        return Record(
            self.name,
            self.kind,
            self.fold.index,
            self.arm,
            self.seed,
            draw=self.draw,
            generator_seed=self.generator_seed,
        )


@final
@dataclass(frozen=True)
class Context:
    """What a task gets to work with.

    Args:
        task: The task.
        folder: Its own folder, which is locked for it.
        needs: Records of the tasks that it needs, by name.
        progress: Where to show progress.
        clock: Measures the task from its begin on.
    """

    task: Task
    folder: Path
    needs: Mapping[str, Record]
    progress: Progress
    clock: Clock = field(default_factory=Clock)

    @property
    def spec(self) -> Any:  # noqa: ANN401 - each question has its own settings
        """Settings of the study; those that decide the outcome belong to the task's key."""
        return self.task.fold.study.spec

    @property
    def accelerator(self) -> AcceleratorSpec:
        """Device, precision and threads."""
        accelerator: AcceleratorSpec = self.spec.accelerator
        return accelerator

    def cohort(self, side: Side) -> Cohort:
        """Return the cases of a side.

        Raises:
            SpecError: The task did not name the side among its inputs.
        """
        if side not in self.task.inputs:
            raise SpecError(f"task {self.task.name} reads the {side} side", f"inputs that name {side!r}")
        found: Cohort = getattr(self.task.fold.split, side)
        return found

    @property
    def source(self) -> Cohort:
        """Cases as they came; only for tasks that evaluate."""
        self.cohort(TEST)
        return self.task.fold.study.source

    def need(self, kind: str) -> Record | None:
        """Return the record of the needed task of a kind; none where no such task is needed."""
        return next((record for record in self.needs.values() if record.kind == kind), None)

    def place(self, kind: str) -> Path:
        """Return the folder of the needed task of a kind.

        Raises:
            SpecError: The task needs none of that kind.
        """
        record = self.need(kind)
        if record is None:
            raise SpecError(f"task {self.task.name} reads a {kind}", f"needs that name a task of kind {kind!r}")
        return self.task.fold.study.root / record.task

    def record(self, rows: Iterable[Mapping[str, Any]] = (), **parts: Any) -> Record:  # noqa: ANN401 - fields of a record
        """Return the task's record.

        Args:
            rows: Columns of the results table; those that name study, fold, arm and seed may be left out.
            **parts: Fields of `Record`.

        Raises:
            MetricError: A row's metric is not registered, so that no page could say which values are better.
        """
        task = self.task
        known = {"study": self.spec.name, "arm": task.arm, "fold": task.fold.index, "seed": task.seed}
        known |= {"draw": task.draw, "generator_seed": task.generator_seed}
        full = tuple(ResultRow(**{**known, **row}) for row in rows)
        for metric in sorted({row.metric for row in full}):
            metric_named(metric)
        cost = parts.pop("cost", None) or self.clock.cost(parts.pop("seconds_per_volume", None))
        return replace(task.empty_record, rows=full, cost=cost, **parts)
