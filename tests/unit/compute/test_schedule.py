"""A graph of jobs: whatever has its needs starts at once, an error loses nothing, the results are always the same."""

import os
import signal
import time
import warnings
from functools import partial

import pytest

from glioforge.compute.parallel import ParallelSpec
from glioforge.compute.schedule import Job, run_graph
from glioforge.core.errors import SpecError, WorkerError
from noting_progress import NotingProgress

BACKENDS = [ParallelSpec(), ParallelSpec(workers=2)]


def add(number, needs, progress):
    """Sum of the needs and a number."""
    return number + sum(needs.values())


def refuse(needs, progress):
    """Work that fails with a typed error."""
    raise SpecError("an odd setting", "an even one", "change it", where="work")


def die(needs, progress):
    """Work whose process is killed, as by a system without memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def meet(own, other, needs, progress):
    """Finish only if another job runs at the same time: each leaves a file and waits for the other's."""
    own.touch()
    deadline = time.monotonic() + 60
    while not other.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return own.name


def show(needs, progress):
    """Work that shows all that can be shown."""
    progress.say("reading")
    warnings.warn("a grid of odd size", UserWarning, stacklevel=1)
    for _ in progress.track(range(3), "training", 3):
        progress.note("loss 0.5")


DIAMOND = {
    "end": Job(partial(add, 1000), ("left", "right")),
    "left": Job(partial(add, 10), ("start",)),
    "start": Job(partial(add, 1)),
    "right": Job(partial(add, 100), ("start",)),
    "alone": Job(partial(add, 5)),
}
RESULTS = {"start": 1, "left": 11, "right": 101, "end": 1112, "alone": 5}


@pytest.mark.parametrize("spec", BACKENDS)
def test_each_job_gets_the_results_it_needs(spec):
    """One process or two: the same results by name."""
    assert dict(run_graph(DIAMOND, spec)) == RESULTS


def test_one_process_takes_the_first_job_that_has_its_needs():
    """The order of the mapping decides, as far as the needs allow."""
    assert [name for name, _ in run_graph(DIAMOND)] == ["start", "left", "right", "end", "alone"]


@pytest.mark.parametrize("spec", BACKENDS)
def test_no_jobs_give_no_results(spec):
    """Nothing in, nothing out, and no process started."""
    assert list(run_graph({}, spec)) == []


def test_there_are_no_barriers(tmp_path):
    """A job that has its needs runs while one of the first rank is still at work."""
    a, b = tmp_path / "a", tmp_path / "b"
    jobs = {
        "slow": Job(partial(meet, a, b)),
        "first": Job(partial(add, 1)),
        "next": Job(partial(meet, b, a), ("first",)),
    }

    assert dict(run_graph(jobs, ParallelSpec(workers=2))) == {"slow": "a", "first": 1, "next": "b"}


@pytest.mark.parametrize("spec", BACKENDS)
def test_an_error_stops_only_what_needs_it(spec):
    """All other results come, then the first error with its class and the name of its job."""
    progress, seen = NotingProgress(), {}
    jobs = {"bad": Job(refuse), "after": Job(partial(add, 1), ("bad",)), **DIAMOND}

    with pytest.raises(SpecError, match="bad: work: an odd setting; expected an even one; change it"):
        seen.update(run_graph(jobs, spec, progress=progress))

    assert seen == RESULTS
    assert [
        "say",
        "bad failed: work: an odd setting; expected an even one; change it; tasks that do not need it go on",
    ] in progress.of("")


def test_an_error_of_the_program_names_its_job():
    """Errors that are not typed keep their class and trace."""
    with pytest.raises(TypeError) as caught:
        dict(run_graph({"odd": Job(partial(add, "text"))}))

    assert caught.value.__notes__ == ["in odd"]


@pytest.mark.parametrize("spec", BACKENDS)
def test_each_job_has_a_row_of_progress(spec):
    """Bars, lines and notes of a worker arrive under the name of the job, warnings among the lines."""
    progress = NotingProgress()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        list(run_graph({"shown": Job(show)}, spec, title="jobs", progress=progress))

    assert progress.of("", "track") == [["track", "jobs", 1]]
    shown = progress.of("shown")
    assert shown[0] == ["begin"]
    assert shown[-1] == ["end"]
    assert ["say", "reading"] in shown
    assert ["track", "training", 3] in shown or not spec.in_process
    assert ["note", "loss 0.5"] in shown


@pytest.mark.parametrize(
    "jobs", [{"a": Job(refuse, ("b",)), "b": Job(refuse, ("a",))}, {"a": Job(refuse, ("nobody",))}]
)
def test_needs_that_nobody_can_have_are_refused(jobs):
    """Before anything runs."""
    with pytest.raises(ValueError, match="jobs whose needs are no jobs, or that need each other in a circle"):
        list(run_graph(jobs))


def test_a_killed_worker_is_an_error_that_names_the_jobs():
    """No traceback of joblib: what happened, to which jobs, and what to do."""
    with pytest.raises(WorkerError, match="a worker process that did deadly was ended .*memory may have run out"):
        list(run_graph({"deadly": Job(die)}, ParallelSpec(workers=2)))


def test_ending_early_ends_the_workers(tmp_path):
    """Who stops iterating does not wait for the jobs that run."""
    jobs = {"first": Job(partial(add, 1)), "endless": Job(partial(meet, tmp_path / "a", tmp_path / "never"))}
    results = run_graph(jobs, ParallelSpec(workers=2))
    began = time.monotonic()

    assert next(results) == ("first", 1)
    results.close()
    assert time.monotonic() - began < 10
