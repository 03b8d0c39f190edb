"""Worker processes of this machine: the one place that starts and ends them.

They end with the process that started them, even when that is killed: a
worker that outlived its parent would go on holding locks of run folders, and
the same command could not go on at once.
"""

import os
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, final

from glioforge.compute.precision import EmulatedPrecisionWarning
from glioforge.core import WorkerError

CHECK_EVERY_SECONDS = 0.5


@cache
def end_with_parent(parent: int, leave: Callable[[int], None] = os._exit) -> threading.Thread:
    """Watch the parent process from a thread of this worker; started once a process.

    Args:
        parent: Process id of the parent.
        leave: Ends this process; handed in for tests.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK_EVERY_SECONDS)
        leave(1)

    thread = threading.Thread(target=watch, name="end-with-parent", daemon=True)
    thread.start()
    return thread


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_ONE_THREAD: Final = dict.fromkeys(
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


@final
class LocalWorkers:
    """Processes of this machine with one thread each, as a context manager.

    They end with the process that started them, even when that is killed. Leaving the context while work is
    running ends them at once; otherwise they stay for the next call, for some seconds.

    Args:
        count: Number of processes; -1 is one for each core.

    Raises:
        WorkerError: On leaving the context, if a worker was killed, for example because memory ran out.
    """

    def __init__(self, count: int) -> None:
        from joblib import cpu_count
        from joblib.externals.loky import get_reusable_executor

        self.count: int = cpu_count() if count < 0 else count
        self._executor = get_reusable_executor(self.count, env=_ONE_THREAD)
        self._futures: set[Future[Any]] = set()
        _silence_joblib()

    def submit(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Have a picklable function called in a worker; return the future result."""
        future: Future[Result] = self._executor.submit(_watched, os.getpid(), function, *args, **kwargs)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def __enter__(self) -> "LocalWorkers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End workers that are still at work, and say in our words that one was killed."""
        if self._futures:
            self._kill()
        if was_killed(error):
            raise killed_worker("a worker process") from error

    def _kill(self) -> None:
        """End the workers at once, whatever they are doing."""
        # loky's manager thread fails with a KeyError when it is shut down with items that it has not queued yet.
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not all(f.running() or f.done() for f in tuple(self._futures)):
            time.sleep(0.001)
        self._executor.shutdown(kill_workers=True)


def was_killed(error: BaseException | None) -> bool:
    """Return whether the error of a future says that a worker process was ended from outside."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    return isinstance(error, TerminatedWorkerError)


def killed_worker(who: str) -> WorkerError:
    """Return the error to raise for a worker that was ended from outside.

    Args:
        who: The worker and what it was doing, such as `a worker process`.
    """
    return WorkerError(
        f"{who} was ended from outside",
        "workers that live until their work is done",
        "memory may have run out: use fewer --workers; repeat the command to continue where it stopped",
    )


def _watched(
    parent: int, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a function in a worker that ends with its parent."""
    end_with_parent(parent)
    warnings.simplefilter("ignore", EmulatedPrecisionWarning)  # the parent has said it
    return function(*args, **kwargs)


def _silence_joblib() -> None:
    """Hide joblib's advice to programmers: workers are replaced in time, and who stops early knows it."""
    for message in ("A worker stopped while some jobs", r"\d+ tasks (have been successfully|which were still)"):
        warnings.filterwarnings("ignore", message, UserWarning, "joblib")
