"""Fan-out: the same results in the same order, whatever the number of processes."""

import os
import signal

import pytest

from glioforge.compute.parallel import AHEAD, ParallelSpec, fan_out
from glioforge.core.errors import SpecError, WorkerError
from glioforge.core.protocols import Silent


def square(number):
    """Work that any process can do."""
    return number * number


def refuse(number):
    """Work that fails with a typed error."""
    raise SpecError(f"number {number}", "none", "take another", where="work")


class Drawn:
    """An endless generator that counts the numbers drawn from it."""

    def __init__(self):
        self.count = 0

    def __iter__(self):
        while True:
            self.count += 1
            yield self.count


class Noting(Silent):
    """A progress that notes its arguments."""

    def __init__(self):
        self.told = []

    def track(self, items, title, total=None):
        """Note title and total, pass items on."""
        self.told.append((title, total))
        yield from items


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    """One process or two: the same list."""
    assert list(fan_out(square, range(6), ParallelSpec(workers=workers))) == [0, 1, 4, 9, 16, 25]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_items_give_no_results(workers):
    """Nothing in, nothing out, and no process started."""
    assert list(fan_out(square, [], ParallelSpec(workers=workers))) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_typed_errors_cross_the_process_border(workers):
    """A case that fails in a worker says what it would say here."""
    with pytest.raises(SpecError, match="work: number 3; expected none; take another"):
        list(fan_out(refuse, [3], ParallelSpec(workers=workers)))


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_knows_title_and_total(workers):
    """Progress is told once."""
    noting = Noting()

    list(fan_out(square, range(3), ParallelSpec(workers=workers), title="squares", progress=noting))

    assert noting.told == [("squares", 3)]


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 2 * AHEAD)])
def test_items_are_drawn_only_a_little_ahead_of_the_results(workers, ahead):
    """Memory stays flat: of endless items no more are drawn than the next result in order needs."""
    drawn = Drawn()
    results = fan_out(square, drawn, ParallelSpec(workers=workers))
    before = drawn.count
    used = []
    for number in (1, 2, 3):
        used.append(next(results) == number * number)
        used.append(drawn.count <= number - 1 + ahead)
    results.close()

    assert before == 0
    assert all(used)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_items_ends_the_work(workers):
    """What reading an item raises is raised here, after the results before it."""

    def items():
        yield 1
        raise SpecError("a damaged item", "a sound one", "read it again")

    with pytest.raises(SpecError, match="a damaged item"):
        list(fan_out(square, items(), ParallelSpec(workers=workers)))


def test_items_without_length_may_name_their_number():
    """Progress knows the total of a generator from its caller."""
    noting = Noting()

    list(fan_out(square, iter([1, 2]), title="squares", total=2, progress=noting))

    assert noting.told == [("squares", 2)]


def test_no_workers_are_refused():
    """0 is neither a number of processes nor all cores."""
    with pytest.raises(ValueError, match="0 workers do nothing: give a number of processes, or -1 for all cores"):
        ParallelSpec(workers=0)


def test_the_default_is_this_process():
    """Without a spec nothing is started."""
    assert set(fan_out(lambda _: os.getpid(), range(3))) == {os.getpid()}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backend": "dask", "workers": 2}, "leave `workers` out"),
        ({"scheduler": "tcp://host:8786"}, "a scheduler belongs to backend `dask`"),
        ({"backend": "dask", "scheduler": "tcp://host:8786", "scheduler_file": "s.json"}, "not both"),
    ],
)
def test_settings_without_effect_are_refused(values, message):
    """Workers are a matter of this machine, a scheduler of a cluster."""
    with pytest.raises(ValueError, match=message):
        ParallelSpec(**values)


def die(number):
    """Work whose process is killed, as by a system without memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_told_with_a_remedy():
    """No traceback of joblib: what happened and what to do."""
    with pytest.raises(WorkerError, match="a worker process was ended from outside.*memory may have run out"):
        list(fan_out(die, range(3), ParallelSpec(workers=2)))
