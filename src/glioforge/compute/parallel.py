"""Run the same function over many cases: in this process, in several, or on a Dask cluster."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from glioforge.compute.cluster import DaskWorkers
from glioforge.compute.workers import LocalWorkers
from glioforge.config import Spec
from glioforge.core import Progress, Silent

Item = TypeVar("Item")
Result = TypeVar("Result")


AHEAD = 2
"""Items per worker that are drawn before the next result in order has been used."""


class ParallelSpec(Spec):
    """How work is distributed over processes."""

    backend: Literal["local", "dask"] = "local"
    """Processes of this machine, or the workers of a running Dask cluster."""
    workers: int = Field(1, ge=-1)
    """Number of worker processes of this machine; -1 uses all cores, 1 runs in the main process."""
    scheduler: str | None = None
    """Address of the Dask scheduler, such as `tcp://host:8786`; by default `DASK_SCHEDULER_ADDRESS` names it."""
    scheduler_file: Path | None = None
    """Connection file that `dask scheduler --scheduler-file` wrote, in place of the address."""

    @field_validator("workers")
    @classmethod
    def _some(cls, workers: int) -> int:
        if workers == 0:
            message = "0 workers do nothing: give a number of processes, or -1 for all cores"
            raise ValueError(message)
        return workers

    @model_validator(mode="after")
    def _of_one_backend(self) -> "ParallelSpec":
        if self.backend == "dask" and self.workers != 1:
            message = "the workers of a Dask cluster are started with it: leave `workers` out"
            raise ValueError(message)
        if self.backend == "local" and (self.scheduler or self.scheduler_file):
            message = "a scheduler belongs to backend `dask`"
            raise ValueError(message)
        if self.scheduler and self.scheduler_file:
            message = "give `scheduler` or `scheduler_file`, not both"
            raise ValueError(message)
        return self

    @property
    def in_process(self) -> bool:
        """Whether the work is done in the main process."""
        return self.backend == "local" and self.workers == 1


def fan_out(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    spec: ParallelSpec | None = None,
    *,
    title: str = "cases",
    total: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """Yield `function(item)` in the order of the items; nothing for no items.

    Items are drawn lazily: one at a time in this process, and with several
    workers at most `AHEAD` per worker before the next result in order has been
    used, so memory stays flat however many items there are.

    Args:
        function: Picklable where several processes work.
        items: Work items; drawn in the calling thread.
        spec: One process unless given.
        title: Label of the progress bar.
        total: Number of items, where `items` has no length; for progress only.
        progress: Where to show progress; nowhere unless given.

    Raises:
        DependencyError: The backend is not installed.
        SpecError: No Dask scheduler is named, or its workers have several threads.
        WorkerError: A worker was killed, for example because memory ran out; or no Dask scheduler answers.
    """
    spec = spec or ParallelSpec()
    progress = progress or Silent()
    total = len(items) if isinstance(items, Sized) else total
    work = iter(items)
    first = list(islice(work, 1))
    if not first:
        return
    work = chain(first, work)
    if spec.in_process:
        yield from (function(item) for item in progress.track(work, title, total))
        return
    yield from progress.track(_spread(function, work, spec, progress), title, total)


def cluster_of(spec: ParallelSpec, progress: Progress) -> DaskWorkers:
    """Connect to the Dask cluster that a spec names; a context manager.

    Args:
        spec: Address or file of the scheduler, or neither.
        progress: Where it is said that the cluster has no workers yet.

    Raises:
        DependencyError: `distributed` is not installed.
        SpecError: No scheduler is named, or its workers have several threads.
        WorkerError: No scheduler answers.
    """
    workers = DaskWorkers(spec.scheduler, spec.scheduler_file)
    if not workers.count:
        progress.say("the Dask cluster has no workers yet: work begins when one joins")
    return workers


def _spread(
    function: Callable[[Item], Result], work: Iterator[Item], spec: ParallelSpec, progress: Progress
) -> Iterator[Result]:
    """Results of workers in the order of the items, a bounded number of them at a time."""
    pending: deque[Any] = deque()
    with LocalWorkers(spec.workers) if spec.backend == "local" else cluster_of(spec, progress) as workers:
        for item in work:
            pending.append(workers.submit(function, item))
            if len(pending) == AHEAD * max(1, workers.count):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
