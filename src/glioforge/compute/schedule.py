"""Run jobs that need each other's results: whatever has its needs starts at once, in one process or many.

The order of the mapping decides which of several jobs that could start comes
first.  Jobs that fail stop nothing but the jobs that need them.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

from glioforge.compute.cluster import lost_work, was_lost
from glioforge.compute.parallel import ParallelSpec, cluster_of
from glioforge.compute.relay import Channel, Relay, SocketListener, relayed
from glioforge.compute.workers import LocalWorkers, killed_worker, was_killed
from glioforge.core import GlioforgeError, Progress, Silent

Result = TypeVar("Result")


@final
@dataclass(frozen=True)
class Job(Generic[Result]):
    """A callable, and the jobs whose results it takes.

    Args:
        run: Called with the results of `needs` by name, and where to show progress. Picklable, as is its result, and
            safe to repeat: it is called again where a worker of a Dask cluster died.
        needs: Names of jobs that must be done before.
    """

    run: Callable[[Mapping[str, Result], Progress], Result]
    needs: tuple[str, ...] = ()


def run_graph(
    jobs: Mapping[str, Job[Result]],
    spec: ParallelSpec | None = None,
    *,
    title: str = "tasks",
    progress: Progress | None = None,
) -> Iterator[tuple[str, Result]]:
    """Return an iterator over the name and result of each job as it finishes; empty for no jobs.

    In one process jobs run one after the other, always the first in the order of the mapping whose needs are done.
    With several workers as many run as there are workers. When a job fails, those that need it are left out, all
    others are done and yielded, and then the first error is raised with the name of its job. Ending the iteration
    early ends the workers at once.

    Args:
        jobs: Jobs by name.
        spec: One process unless given.
        title: Label of the bar that counts jobs.
        progress: Where to show progress, a row for each running job; nowhere unless given.

    Raises:
        ValueError: A need is no job of the mapping, or jobs need each other in a circle.
        DependencyError: The backend is not installed.
        SpecError: No Dask scheduler is named, or its workers have several threads.
        WorkerError: A local worker was killed, a job killed several workers of a Dask cluster, or no scheduler answers.
        GlioforgeError: The first error of a job, of its own class.
    """
    graph = _Graph(jobs)
    spec, progress = spec or ParallelSpec(), progress or Silent()
    if spec.in_process or not jobs:
        return _in_process(graph, title, progress)
    return _elsewhere(graph, spec, title, progress)


@final
class _Graph(Generic[Result]):
    """Jobs that wait, and results and errors of those that are done."""

    def __init__(self, jobs: Mapping[str, Job[Result]]) -> None:
        self.jobs = dict(jobs)
        self.order = _ordered(jobs)
        self.waiting = dict.fromkeys(jobs)
        self.results: dict[str, Result] = {}
        self.errors: dict[str, Exception] = {}

    def start(self) -> str | None:
        """Take the first waiting job that has its needs; none if there is none."""
        for name in self.waiting:
            if all(need in self.results for need in self.jobs[name].needs):
                del self.waiting[name]
                return name
        return None

    def needs(self, name: str) -> dict[str, Result]:
        """Results that a job needs."""
        return {need: self.results[need] for need in self.jobs[name].needs}

    def fail(self, name: str, error: Exception, progress: Progress) -> None:
        """Note the error of a job, and say at once what comes of it."""
        self.errors[name] = error
        progress.say(f"{name} failed: {error}; tasks that do not need it go on")

    def raise_first(self) -> None:
        """Raise the first error with the name of its job."""
        for name, error in self.errors.items():
            if isinstance(error, GlioforgeError):
                where = name if error.where is None else f"{name}: {error.where}"
                raise type(error)(error.found, error.expected, error.remedy, where) from error
            error.add_note(f"in {name}")
            raise error


def _ordered(jobs: Mapping[str, Job[Result]]) -> list[str]:
    """Names in an order in which each comes after its needs."""
    order: dict[str, None] = {}
    while len(order) < len(jobs):
        ready = [name for name, job in jobs.items() if name not in order and order.keys() >= set(job.needs)]
        if not ready:
            stuck = {name: job.needs for name, job in jobs.items() if name not in order}
            message = f"jobs whose needs are no jobs, or that need each other in a circle: {stuck}"
            raise ValueError(message)
        order.update(dict.fromkeys(ready))
    return list(order)


def _in_process(graph: _Graph[Result], title: str, progress: Progress) -> Iterator[tuple[str, Result]]:
    """Jobs one after the other."""
    for name in progress.track(iter(graph.start, None), title, len(graph.jobs)):
        try:
            with progress.task(name) as inner:
                graph.results[name] = graph.jobs[name].run(graph.needs(name), inner)
        except Exception as error:  # noqa: BLE001 - raised when the others are done
            graph.fail(name, error, progress)
        else:
            yield name, graph.results[name]
    graph.raise_first()


def _elsewhere(
    graph: _Graph[Result], spec: ParallelSpec, title: str, progress: Progress
) -> Iterator[tuple[str, Result]]:
    """Jobs in several processes, of this machine or of a cluster."""
    run = _in_workers if spec.backend == "local" else _on_cluster
    yield from progress.track(run(graph, spec, progress), title, len(graph.jobs))
    graph.raise_first()


def _in_workers(graph: _Graph[Result], spec: ParallelSpec, progress: Progress) -> Iterator[tuple[str, Result]]:
    """Jobs in processes of this machine, of which only as many are submitted as can run."""
    running: dict[Any, str] = {}
    with (
        Relay(progress) as relay,
        SocketListener(relay.put) as listener,
        LocalWorkers(spec.workers) as workers,
    ):
        while True:
            while len(running) < workers.count and (name := graph.start()) is not None:
                needs = graph.needs(name)
                running[workers.submit(_work, graph.jobs[name].run, needs, name, listener.channel)] = name
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            killed = [running[future] for future in done if was_killed(future.exception())]
            for future in [future for future in running if future in done and running[future] not in killed]:
                yield from _finished(graph, running.pop(future), future, progress)
            if killed:
                raise killed_worker(f"a worker process that did {' or '.join(running.values())}")


def _on_cluster(graph: _Graph[Result], spec: ParallelSpec, progress: Progress) -> Iterator[tuple[str, Result]]:
    """Jobs as futures of a Dask cluster with their dependencies; Dask decides where and when they run."""
    with Relay(progress) as relay, cluster_of(spec, progress) as workers:
        channel = workers.listen(relay.put)
        run = secrets.token_hex(4)
        futures: dict[str, Any] = {}
        for name in graph.order:
            job = graph.jobs[name]
            needs = {need: futures[need] for need in job.needs}
            futures[name] = workers.submit(_work, job.run, needs, name, channel, key=f"{name} {run}")
        names = {future.key: name for name, future in futures.items()}
        for future in workers.completed(futures.values()):
            name = names[future.key]
            if not any(futures[need].status == "error" for need in graph.jobs[name].needs):
                yield from _finished(graph, name, future, progress)


def _finished(graph: _Graph[Result], name: str, future: Any, progress: Progress) -> Iterator[tuple[str, Result]]:  # noqa: ANN401 - of two kinds
    """The result of a job that is done, if it did not fail."""
    error = future.exception()
    if error is None:
        graph.results[name] = future.result()
        yield name, graph.results[name]
    elif isinstance(error, Exception):
        graph.fail(name, lost_work(name, error) if was_lost(error) else error, progress)
    else:
        raise error


def _work(
    run: Callable[[Mapping[str, Result], Progress], Result], needs: Mapping[str, Result], name: str, channel: Channel
) -> Result:
    """Do a job in a worker."""
    with relayed(name, channel) as progress:
        return run(needs, progress)
