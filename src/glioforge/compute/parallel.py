"""Run the same function over many cases: in this process, in several, or on a Dask or Ray cluster."""

import importlib.util
import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain, islice
from typing import Any, Generic, Literal, TypeVar, final

from pydantic import Field, field_validator

from glioforge.compute.orphan import end_with_parent
from glioforge.compute.precision import EmulatedPrecisionWarning
from glioforge.config.spec import Spec
from glioforge.core.errors import DependencyError, WorkerError
from glioforge.core.protocols import Progress, Silent

Item = TypeVar("Item")
Result = TypeVar("Result")


AHEAD = 2
"""Items per worker that are drawn before the next result in order has been used."""

_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
"""Environment of a worker: the workers share the cores already."""


class ParallelSpec(Spec):
    """How work over cases is distributed over processes."""

    backend: Literal["local", "dask", "ray"] = "local"
    """Processes of this machine, or a running Dask or Ray cluster."""
    workers: int = Field(1, ge=-1)
    """Number of worker processes; -1 uses all cores, 1 runs in the main process."""

    @field_validator("workers")
    @classmethod
    def _some(cls, workers: int) -> int:
        if workers == 0:
            message = "0 workers do nothing: give a number of processes, or -1 for all cores"
            raise ValueError(message)
        return workers


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
        WorkerError: A worker was killed, for example because memory ran out.
    """
    spec = spec or ParallelSpec()
    progress = progress or Silent()
    total = len(items) if isinstance(items, Sized) else total
    work = iter(items)
    first = list(islice(work, 1))
    if not first:
        return
    work = chain(first, work)
    if spec.workers == 1 and spec.backend == "local":
        yield from (function(item) for item in progress.track(work, title, total))
        return
    results = _local_results if spec.backend == "local" else _cluster_results
    yield from progress.track(results(function, work, spec), title, total)


def _local_results(function: Callable[[Item], Result], work: Iterator[Item], spec: ParallelSpec) -> Iterator[Result]:
    """Results from processes of this machine, which are ended when the work ends early."""
    from joblib import cpu_count
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    workers = cpu_count() if spec.workers < 0 else spec.workers
    watched = _Watched(function, os.getpid())
    executor = get_reusable_executor(workers, env=_ONE_THREAD)
    pending: deque[Any] = deque()
    _silence_joblib()
    try:
        for item in work:
            pending.append(executor.submit(watched, item))
            if len(pending) == AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except TerminatedWorkerError as error:
        raise WorkerError(
            "a worker process was ended from outside",
            "workers that live until their work is done",
            "memory may have run out: use fewer --workers; repeat the command to continue where it stopped",
        ) from error
    finally:
        if pending:
            _kill(executor, pending)


def _kill(executor: Any, pending: Iterable[Any]) -> None:  # noqa: ANN401 - loky has no types
    """End the workers at once, whatever they are doing."""
    # loky's manager thread fails with a KeyError when it is shut down with items that it has not queued yet.
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not all(future.running() or future.done() for future in pending):
        time.sleep(0.001)
    executor.shutdown(kill_workers=True)


def _cluster_results(function: Callable[[Item], Result], work: Iterator[Item], spec: ParallelSpec) -> Iterator[Result]:
    """Results from joblib's backend for Dask or Ray, a handful of items per worker at a time."""
    from joblib import Parallel, delayed, effective_n_jobs, parallel_config

    if importlib.util.find_spec(spec.backend) is None:
        raise DependencyError(
            f"fan-out backend {spec.backend!r}, which is not installed", remedy="pip install 'glioforge[cluster]'"
        )
    if spec.backend == "ray":
        from ray.util.joblib import register_ray

        register_ray()
    _silence_joblib()
    with parallel_config(backend=spec.backend, n_jobs=spec.workers):
        handful = 2 * AHEAD * effective_n_jobs()
        while items := list(islice(work, handful)):
            yield from Parallel(return_as="generator")(delayed(function)(item) for item in items)


def _silence_joblib() -> None:
    """Hide joblib's advice to programmers: workers are replaced in time, and who stops early knows it."""
    for message in ("A worker stopped while some jobs", r"\d+ tasks (have been successfully|which were still)"):
        warnings.filterwarnings("ignore", message, UserWarning, "joblib")


@final
class _Watched(Generic[Item, Result]):
    """A function whose worker process ends with the process that started it."""

    def __init__(self, function: Callable[[Item], Result], parent: int) -> None:
        self.function, self.parent = function, parent

    def __call__(self, item: Item) -> Result:
        end_with_parent(self.parent)
        warnings.simplefilter("ignore", EmulatedPrecisionWarning)  # the parent has said it
        return self.function(item)
