"""Work on a Dask cluster: the same results as here, typed errors where there is no cluster."""

import importlib.util
import logging
import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import dask
import pytest
from distributed import LocalCluster
from distributed.client import FutureCancelledError

from glioforge.compute.cluster import ADDRESS, DaskWorkers, lost_work
from glioforge.compute.parallel import ParallelSpec, fan_out
from glioforge.compute.schedule import Job, run_graph
from glioforge.core.errors import DependencyError, SpecError, WorkerError
from noting_progress import NotingProgress


@pytest.fixture(scope="module")
def cluster():
    """A cluster of one worker within this process."""
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as running:
        yield ParallelSpec(backend="dask", scheduler=running.scheduler_address)


def square(number):
    """Work that any process can do."""
    return number * number


def total(number, needs, progress):
    """Sum of the needs and a number, with all that can be shown."""
    progress.say(f"adding {number}")
    for _ in progress.track(range(2), "adding", 2):
        progress.note("half")
    return number + sum(needs.values())


def refuse(needs, progress):
    """Work that fails with a typed error."""
    raise SpecError("an odd setting", "an even one", "change it")


def test_cases_come_back_in_their_order(cluster):
    """As from this process."""
    assert list(fan_out(square, range(20), cluster)) == [number * number for number in range(20)]


def test_a_graph_ends_in_the_same_results_as_here(cluster):
    """Dask hands the results of the needs over; bars, lines and notes come back."""
    progress = NotingProgress()
    jobs = {
        "end": Job(partial(total, 100), ("a", "b")),
        "a": Job(partial(total, 1)),
        "b": Job(partial(total, 2), ("a",)),
    }

    assert dict(run_graph(jobs, cluster, progress=progress)) == dict(run_graph(jobs)) == {"a": 1, "b": 3, "end": 104}
    assert ["say", "adding 100"] in progress.of("end")
    assert ["note", "half"] in progress.of("end")
    assert progress.of("end")[-1] == ["end"]


def test_an_error_on_the_cluster_stops_only_what_needs_it(cluster):
    """Its class crosses the border, and what needs the failed job does not count as a second failure."""
    progress = NotingProgress()
    jobs = {"bad": Job(refuse), "after": Job(partial(total, 1), ("bad",)), "other": Job(partial(total, 2))}
    seen = {}

    with pytest.raises(SpecError, match="bad: an odd setting; expected an even one"):
        seen.update(run_graph(jobs, cluster, progress=progress))

    assert seen == {"other": 2}
    assert [line for line in progress.of("", "say") if "failed" in line[1]] == [
        ["say", "bad failed: an odd setting; expected an even one; change it; tasks that do not need it go on"]
    ]


def test_a_cluster_without_workers_is_waited_for():
    """Workers of a queue come when they come; the user knows what is waited for."""
    progress = NotingProgress()
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0") as running:
        spec = ParallelSpec(backend="dask", scheduler=running.scheduler_address)
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(lambda: list(fan_out(square, [3], spec, progress=progress)))
            deadline = time.monotonic() + 60
            while not progress.of("", "say") and time.monotonic() < deadline:
                time.sleep(0.01)
            running.scale(1)
            assert run.result(60) == [9]

    assert progress.of("", "say") == [["say", "the Dask cluster has no workers yet: work begins when one joins"]]


def test_a_scheduler_that_goes_away_is_an_error():
    """The message says what to do, without a traceback of Dask."""
    error = lost_work("a", FutureCancelledError("a", "scheduler-connection-lost"))

    assert str(error).startswith("the Dask scheduler went away during a; expected one that lives")


def test_workers_with_several_threads_are_refused():
    """Random numbers of torch belong to the process."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as running,
        pytest.raises(SpecError, match="a Dask worker with 2 threads.*start them with `--nthreads 1`"),
    ):
        DaskWorkers(running.scheduler_address)


def test_a_missing_package_says_what_to_install(monkeypatch):
    """Clusters are an extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(DependencyError, match="backend 'dask', whose .* not installed; pip install 'glioforge"):
        list(fan_out(str, [1], ParallelSpec(backend="dask")))


def test_no_scheduler_says_how_to_start_one(monkeypatch):
    """Nothing is started behind the user's back."""
    monkeypatch.delenv(ADDRESS, raising=False)

    with pytest.raises(
        SpecError, match="backend 'dask' without a scheduler; .*dask worker tcp://HOST:8786 --nthreads 1"
    ):
        list(fan_out(str, [1], ParallelSpec(backend="dask")))


def test_a_scheduler_that_is_not_there_is_an_error(monkeypatch):
    """The message names the address and how to start a cluster."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        unused_port = free.getsockname()[1]
    monkeypatch.setenv(ADDRESS, f"tcp://127.0.0.1:{unused_port}")
    monkeypatch.setattr("glioforge.compute.cluster.TIMEOUT_S", 0.2)

    with pytest.raises(WorkerError, match=f"no Dask scheduler at tcp://127.0.0.1:{unused_port}.*dask scheduler"):
        DaskWorkers()


def hold(folder, number, needs, progress):
    """Leave this process's number, and wait until the test lets go; a second attempt counts too."""
    (folder / f"{number}-{os.getpid()}").touch()
    deadline = time.monotonic() + 120
    while not (folder / "go").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return number + sum(needs.values())


@pytest.mark.slow
def test_work_of_a_killed_worker_is_done_by_another(tmp_path, monkeypatch):
    """Two processes, one of which is killed in the middle: the same results in the end."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    jobs = {
        "a": Job(partial(hold, tmp_path, 1)),
        "b": Job(partial(hold, tmp_path, 2)),
        "end": Job(partial(total, 100), ("a", "b")),
    }
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL) as two:
        spec = ParallelSpec(backend="dask", scheduler=two.scheduler_address)
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(lambda: dict(run_graph(jobs, spec)))
            victim = _process_of(tmp_path, 1)
            _process_of(tmp_path, 2)
            os.kill(victim, signal.SIGKILL)
            again = _process_of(tmp_path, 1, victim)
            (tmp_path / "go").touch()
            results = run.result(120)

    assert again != victim
    assert results == {"a": 1, "b": 2, "end": 103}


def _process_of(folder, number, other_than=None):
    """Process that works on a job, as soon as there is one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in folder.glob(f"{number}-*"):
            if (process := int(path.name.partition("-")[2])) != other_than:
                return process
        time.sleep(0.02)
    raise TimeoutError


def deadly(needs, progress):
    """Work whose process is killed whenever it is tried."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_work_that_kills_every_worker_is_an_error_that_names_it(monkeypatch):
    """Dask gives up after some workers; what was done before is kept."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    jobs, seen = {"other": Job(partial(total, 2)), "deadly": Job(deadly, ("other",))}, {}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL) as one,
        pytest.raises(WorkerError, match="deadly was given up by Dask, since 2 workers died.*see the workers' logs"),
    ):
        seen.update(run_graph(jobs, ParallelSpec(backend="dask", scheduler=one.scheduler_address)))

    assert seen == {"other": 2}
