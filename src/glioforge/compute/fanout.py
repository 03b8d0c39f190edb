"""The same work over many cases: joblib's processes, or Dask or Ray by name."""

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Literal, TypeVar, final

from pydantic import Field

from glioforge.compute.orphan import end_with_parent
from glioforge.config.spec import Spec
from glioforge.core.errors import DependencyError
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

    if spec.backend != "local" and importlib.util.find_spec(spec.backend) is None:
        raise DependencyError(
            f"fan-out backend {spec.backend!r}, which is not installed", remedy="pip install 'glioforge[cluster]'"
        )
    if spec.backend == "ray":
        from ray.util.joblib import register_ray

        register_ray()
    name = "loky" if spec.backend == "local" else spec.backend
    with parallel_config(backend=name, n_jobs=spec.workers, inner_max_num_threads=1 if name == "loky" else None):
        watched = _Watched(function, os.getpid()) if name == "loky" else function
        yield from Parallel(return_as="generator")(delayed(watched)(item) for item in work)


@final
class _Watched(Generic[Item, Result]):
    """A function whose worker ends when the process that asked for it does."""

    def __init__(self, function: Callable[[Item], Result], parent: int) -> None:
        self.function, self.parent = function, parent

    def __call__(self, item: Item) -> Result:
        end_with_parent(self.parent)
        return self.function(item)
