"""Work on a Dask cluster: the same results as here, typed errors where there is no cluster."""

import importlib.util
import socket
from functools import partial

import pytest
from distributed import LocalCluster

from glioforge.compute.cluster import ADDRESS, DaskWorkers
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
