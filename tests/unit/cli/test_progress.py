"""Progress of several tasks: one live table on a terminal, a line a minute and task in a log."""

import io
import sys
import threading

import pytest
from rich.console import Console

from glioforge.cli.log import logged
from glioforge.cli.progress import TerminalProgress
from glioforge.core.protocols import Progress


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        """The time now."""
        return self.now


@pytest.fixture
def clock():
    """A clock at zero."""
    return Clock()


@pytest.fixture
def log(clock):
    """Progress into a log, and its lines so far."""
    text = io.StringIO()
    return TerminalProgress(
        Console(file=text, width=200), live=False, clock=clock
    ), lambda: text.getvalue().splitlines()


@pytest.fixture
def table(clock):
    """Progress on a terminal, and what the table shows now."""
    text = io.StringIO()
    progress = TerminalProgress(Console(file=text, width=120, force_terminal=True), live=True, clock=clock)

    def shown():
        plain = Console(file=io.StringIO(), width=120)
        plain.print(progress._view._table.make_tasks_table(progress._view._table.tasks))
        return [" ".join(line.split()) for line in plain.file.getvalue().splitlines() if line.strip()]

    return progress, shown, text


def test_it_is_a_progress():
    """The protocol and the class have the same methods."""
    assert isinstance(TerminalProgress(live=False), Progress)


def test_a_log_gets_a_line_a_minute_and_task(log, clock):
    """With how many are done, the loss, the time spent and the time left."""
    progress, lines = log
    with progress.task("arm a") as first, progress.task("arm b") as second:
        bars = first.track(range(10), "training", 10), second.track(range(10), "training", 10)
        for _ in range(8):
            for bar in bars:
                next(bar)
            first.note(f"loss {clock.now}")
            clock.now += 20

    assert lines()[:4] == [
        "arm a: training: 3 of 10, loss 40.0, 0:01:00, 0:02:20 left",
        "arm b: training: 3 of 10, 0:01:00, 0:02:20 left",
        "arm a: training: 6 of 10, loss 100.0, 0:02:00, 0:01:20 left",
        "arm b: training: 6 of 10, 0:02:00, 0:01:20 left",
    ]
    assert lines()[4:] == ["arm b: ended after 0:02:40", "arm a: ended after 0:02:40"]


def test_a_bar_of_the_run_ends_with_a_line(log, clock):
    """A log shows that it was done."""
    progress, lines = log
    for _ in progress.track(range(3), "preparing"):
        clock.now += 1

    assert lines() == ["preparing: 3, 0:00:03"]


def test_a_bar_within_a_bar_is_not_shown(log, clock):
    """One task has one bar."""
    progress, lines = log
    for _ in progress.track(range(2), "outer", 2):
        for _ in progress.track(range(2), "inner", 2):
            clock.now += 100

    assert not [line for line in lines() if "inner" in line]


def test_lines_name_their_task_and_are_said_once(log):
    """A warning that several workers have is one line; the run itself may repeat itself."""
    progress, lines = log
    progress.say("reading [1]")
    progress.say("reading [1]")
    for name in ("a", "b"):
        with progress.task(name) as inner:
            inner.say("warning: no T2")
            inner.say(f"score of {name}")

    assert [line for line in lines() if "ended" not in line] == [
        "reading [1]",
        "reading [1]",
        "a: warning: no T2",
        "a: score of a",
        "b: score of b",
    ]


def test_the_table_has_a_row_for_each_running_task(table, clock):
    """Each with its bar, loss and time left; it goes when the task ends."""
    progress, shown, text = table
    run = progress.track(range(4), "tasks", 4)
    next(run)
    with progress.task("arm a") as first:
        with progress.task("arm [b]") as second:
            bar = first.track(range(100), "training", 100)
            for _ in range(51):
                next(bar)
                clock.now += 1
            first.note("loss 0.31")
            next(second.track(range(7), "screening", 7))
            both = shown()
        one = shown()
    run.close()

    assert len(both) == 3
    assert both[0].startswith("tasks")
    assert both[1].startswith("arm a training")
    assert " 50/100 loss 0.31 0:00:51 left 0:00:5" in both[1]
    assert both[2].startswith("arm [b] screening")
    assert len(one) == 2
    assert "arm [b]: ended after 0:00:51" in text.getvalue()


def test_the_table_goes_when_nothing_runs(table):
    """Lines printed later do not fight with it; the next bar draws a new one."""
    progress, _, text = table
    list(progress.track(range(3), "first", 3))
    assert not progress._view._table.live.is_started
    list(progress.track(range(3), "second", 3))

    assert not progress._view._table.live.is_started
    assert "first" in text.getvalue()
    assert "second" in text.getvalue()


def test_an_error_ends_the_table(table):
    """The message comes on a clean terminal."""
    progress, _, _ = table

    def interrupted():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress.task("a") as inner:
        list(inner.track(interrupted(), "training", 3))

    assert not progress._view._table.live.is_started


def test_lines_are_in_the_log_of_the_command_too(log, tmp_path):
    """What the user sees, the log holds."""
    progress, _ = log
    with logged(tmp_path / "log.txt"), progress.task("a") as inner:
        inner.say("warning: no T2")

    assert "a: warning: no T2" in (tmp_path / "log.txt").read_text()


def test_threads_may_share_it(log):
    """Tasks of worker threads come and go at the same time without mixing their lines."""
    progress, lines = log

    def work(name):
        with progress.task(name) as inner:
            for number in inner.track(range(50), "counting", 50):
                inner.say(f"{name} {number}")

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(lines()) == sorted(
        [f"t{n}: t{n} {k}" for n in range(4) for k in range(50)] + [f"t{n}: ended after 0:00:00" for n in range(4)]
    )


def test_without_a_terminal_it_writes_a_log(monkeypatch):
    """Nothing asked for: stderr decides."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)

    assert type(TerminalProgress()._view).__name__ == "LogLines"


def test_on_a_narrow_terminal_names_give_way_from_the_left(clock):
    """Numbers stay whole; the end of a name tells tasks apart."""
    plain = Console(file=io.StringIO(), width=80)
    progress = TerminalProgress(Console(file=io.StringIO(), width=80, force_terminal=True), live=True, clock=clock)
    with progress.task("fold-0/segmenters/real+synthetic/seed-1") as inner:
        next(inner.track(range(150), "training", 150))
        inner.note("loss 0.0345")
        clock.now += 1  # columns are drawn again after half a second
        plain.print(progress._view._table.make_tasks_table(progress._view._table.tasks))

    assert " ".join(plain.file.getvalue().split()).startswith("…")
    assert "seed-1 training" in plain.file.getvalue()
    assert "0/150 loss 0.0345 0:00:01 left -:--:--" in " ".join(plain.file.getvalue().split())
