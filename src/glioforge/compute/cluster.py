"""A running Dask cluster: where work beyond one machine is scheduled. Glioforge only connects to it."""

import importlib.util
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, final

from glioforge.compute.relay import Message
from glioforge.core import DependencyError, SpecError, WorkerError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

ADDRESS: Final = "DASK_SCHEDULER_ADDRESS"
"""Environment variable that names the scheduler, as Dask itself reads it."""

TIMEOUT_S: Final = 10.0
"""Time to wait for the scheduler to answer."""

_ONE_AT_A_TIME = threading.Lock()
"""Held while a process works: torch's random numbers and its number of threads belong to the process."""

_NOISY: Final = ("distributed.client", "distributed.utils")
"""Loggers that print tracebacks of lost connections, which end in an error of our own."""

_START = "start one: `dask scheduler`, then `dask worker tcp://HOST:8786 --nthreads 1` on each machine"


@final
class DaskWorkers:
    """Connection to a Dask cluster as a context manager; work that is left over on leaving is cancelled.

    Args:
        address: Address of the scheduler, such as `tcp://host:8786`; by default from the file, else from the
            environment variable `DASK_SCHEDULER_ADDRESS`.
        file: Connection file that `dask scheduler --scheduler-file` wrote.

    Raises:
        DependencyError: `distributed` is not installed.
        SpecError: Neither an address nor a file is given, or workers have several threads.
        WorkerError: No scheduler answers; on leaving the context also that workers were killed again and again,
            or that the scheduler went away.
    """

    def __init__(self, address: str | None = None, file: Path | None = None) -> None:
        self.client = _connected(address, file)
        try:
            self.count: int = _workers_of(self.client)
        except BaseException:
            self.client.close()
            raise

    def submit(self, function: Callable[..., Any], *args: Any, key: str | None = None) -> Any:  # noqa: ANN401 - distributed has no types
        """Have a function called by a worker; return Dask's future.

        Arguments that are futures are dependencies: Dask starts the call once they are done, and hands over their
        results. A call whose worker dies is repeated by another.

        Args:
            function: Picklable.
            args: Its arguments, picklable.
            key: Name of the call on the cluster, unlike any other there.
        """
        return self.client.submit(_one_at_a_time, function, *args, key=key, pure=False)

    def completed(self, futures: Iterable[Any]) -> Iterator[Any]:
        """Yield futures as they are done or have failed."""
        from distributed import as_completed

        yield from as_completed(futures, loop=self.client.loop, raise_errors=False)

    def listen(self, put: Callable[[list[Message]], None]) -> "DaskChannel":
        """Give the channel by which calls on the cluster send messages, and hand what arrives to `put`."""
        topic = f"glioforge-{secrets.token_hex(8)}"
        self.client.subscribe_topic(topic, lambda event: put(event[1]))
        return DaskChannel(topic)

    def __enter__(self) -> "DaskWorkers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cluster, and say in our words that workers or the scheduler went away."""
        self.client.close()
        if was_lost(error):
            raise lost_work("work on the Dask cluster", error) from error


@final
class DaskChannel:
    """Events of a Dask cluster under one topic.

    Args:
        topic: Name that only this run uses.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic

    @contextmanager
    def open(self) -> Iterator[Callable[[list[Message]], None]]:
        """Send through the worker that does the task."""
        from distributed import get_worker

        worker = get_worker()
        yield lambda messages: worker.log_event(self._topic, messages)


def was_lost(error: BaseException | None) -> bool:
    """Return whether the error of a Dask future says that workers were killed or the scheduler went away."""
    from distributed import CancelledError, KilledWorker

    return isinstance(error, KilledWorker | CancelledError)


def lost_work(what: str, error: BaseException | None) -> WorkerError:
    """Return the error to raise for work that Dask has given up.

    Args:
        what: The work, such as the name of a task.
        error: What Dask raised.
    """
    from distributed import KilledWorker

    if not isinstance(error, KilledWorker):
        return WorkerError(
            f"the Dask scheduler went away during {what}",
            "one that lives until the work is done",
            "start it again and repeat the command to continue where it stopped",
        )
    return WorkerError(
        f"{what} was given up by Dask, since {error.allowed_failures + 1} workers died while they did it",
        "workers that live until their work is done",
        "memory may have run out: see the workers' logs; repeat the command to continue where it stopped",
    )


def _connected(address: str | None, file: Path | None) -> Any:  # noqa: ANN401 - distributed has no types
    """Client of the scheduler that the spec, a file or the environment names."""
    if importlib.util.find_spec("distributed") is None:
        raise DependencyError(
            "backend 'dask', whose package `distributed` is not installed", remedy="pip install 'glioforge[cluster]'"
        )
    from distributed import Client

    address = address or (None if file else os.environ.get(ADDRESS))
    if not address and not file:
        raise SpecError(
            "backend 'dask' without a scheduler",
            f"parallel.scheduler, parallel.scheduler_file or the environment variable {ADDRESS}",
            _START,
        )
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    place = {"address": address} if address else {"scheduler_file": str(file)}
    try:
        return Client(**place, set_as_default=False, timeout=TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise WorkerError(f"no Dask scheduler at {address or file} ({error})", "a running one", _START) from error


def _workers_of(client: Any) -> int:  # noqa: ANN401 - distributed has no types
    """Number of workers now; refuses those with several threads, of which only one could be used."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    for address, worker in workers.items():
        if worker["nthreads"] != 1:
            raise SpecError(
                f"a Dask worker with {worker['nthreads']} threads at {address}",
                "workers of one thread: random numbers and thread counts belong to a process",
                "start them with `--nthreads 1`, and `--nworkers` for several on one machine",
            )
    return len(workers)


def _one_at_a_time(function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """Call a function while no other works in this process, also in a worker that joined later with more threads."""
    with _ONE_AT_A_TIME:
        return function(*args, **kwargs)
