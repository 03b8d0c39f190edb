"""The same work over many cases: joblib's processes, or Dask or Ray by name."""

import importlib.util
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Literal, TypeVar, final

from pydantic import Field

from glioforge.compute.orphan import end_with_parent
from glioforge.config.spec import Spec
from glioforge.core.errors import DependencyError, WorkerError
from glioforge.core.protocols import Progress, Silent

Item = TypeVar("Item")
Result = TypeVar("Result")


class FanOutSpec(Spec):
    """How work over cases is spread."""

    backend: Literal["local", "dask", "ray"] = "local"
    """Processes of this machine, or a running Dask or Ray cluster."""
    workers: int = Field(1, ge=-1)
    """Processes; -1 is one a core, 1 runs in this process."""


def fan_out(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    spec: FanOutSpec | None = None,
    *,
    title: str = "cases",
    progress: Progress | None = None,
) -> Iterator[Result]:
    """Yield `function(item)` in the order of the items; nothing for no items.

    Args:
        function: Picklable where several processes work.
        items: Work items; read as they are needed, so memory stays flat.
        spec: One process unless given.
        title: Shown beside the progress bar.
        progress: Where to show progress; nowhere unless given.

    Raises:
        DependencyError: The backend is not installed.
        WorkerError: A worker was killed, for example because memory ran out.
    """
    spec = spec or FanOutSpec()
    progress = progress or Silent()
    work = list(items)
    if not work:
        return
    if spec.workers == 1 and spec.backend == "local":
        yield from (function(item) for item in progress.track(work, title, len(work)))
        return
    yield from progress.track(_joblib_results(function, work, spec), title, len(work))


def _joblib_results(function: Callable[[Item], Result], work: list[Item], spec: FanOutSpec) -> Iterator[Result]:
    """Results from joblib's generator, on the backend of the spec."""
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if spec.backend != "local" and importlib.util.find_spec(spec.backend) is None:
        raise DependencyError(
            f"fan-out backend {spec.backend!r}, which is not installed", remedy="pip install 'glioforge[cluster]'"
        )
    if spec.backend == "ray":
        from ray.util.joblib import register_ray

        register_ray()
    _silence_joblib()
    name = "loky" if spec.backend == "local" else spec.backend
    with parallel_config(backend=name, n_jobs=spec.workers, inner_max_num_threads=1 if name == "loky" else None):
        watched = _Watched(function, os.getpid()) if name == "loky" else function
        try:
            yield from Parallel(return_as="generator")(delayed(watched)(item) for item in work)
        except TerminatedWorkerError as error:
            raise WorkerError(
                "a worker process was ended from outside",
                "workers that live until their work is done",
                "memory may have run out: take fewer --workers; the same command goes on where it stopped",
            ) from error


def _silence_joblib() -> None:
    """Keep advice to programmers from users: workers are replaced in time, and who stops early knows it."""
    for message in ("A worker stopped while some jobs", r"\d+ tasks (have been successfully|which were still)"):
        warnings.filterwarnings("ignore", message, UserWarning, "joblib")


@final
class _Watched(Generic[Item, Result]):
    """A function whose worker ends when the process that asked for it does."""

    def __init__(self, function: Callable[[Item], Result], parent: int) -> None:
        self.function, self.parent = function, parent

    def __call__(self, item: Item) -> Result:
        end_with_parent(self.parent)
        return self.function(item)
