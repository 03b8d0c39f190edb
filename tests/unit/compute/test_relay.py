"""Progress from a worker: what it does is shown in its order, and it never waits for the way there."""

import threading
import time
from contextlib import contextmanager

from glioforge.compute import relay
from glioforge.compute.relay import Outbox, Relay, RelayedProgress, SocketChannel, SocketListener, relayed
from noting_progress import NotingProgress


class Direct:
    """A channel within this process."""

    def __init__(self, put):
        self.put = put

    @contextmanager
    def open(self):
        """Hand messages over."""
        yield self.put


class Broken:
    """A channel that nobody listens to."""

    @contextmanager
    def open(self):
        """Fail as a socket does."""
        raise ConnectionRefusedError
        yield


class Stuck:
    """A channel that takes nothing."""

    def __init__(self):
        self.free = threading.Event()

    @contextmanager
    def open(self):
        """Wait until the test ends."""
        self.free.wait(30)
        yield lambda messages: None


def test_only_the_latest_state_waits_to_be_sent():
    """However many steps a worker takes, few messages leave it; lines are kept."""
    outbox = Outbox()
    progress = RelayedProgress("a", outbox)
    bar = progress.track(range(1000), "training", 1000)
    for number in range(500):
        next(bar)
        progress.note(f"loss {number}")
    progress.say("first")
    progress.say("second")

    assert outbox.take() == [
        ["a", "say", "first"],
        ["a", "say", "second"],
        ["a", "at", "training", 499, 1000],
        ["a", "note", "loss 499"],
    ]
    assert outbox.take() == []


def test_what_a_worker_shows_is_shown_here():
    """Begin, lines, bar, note and end, in this order; a second bar after the first; tasks of tasks."""
    seen = NotingProgress()
    with Relay(seen) as shown:
        for messages in (
            [["a", "begin"], ["a", "say", "reading"], ["a", "at", "training", 2, 3], ["a", "note", "loss 1"]],
            [["a", "at", "training", 3, 3], ["b", "begin"]],
            [["a", "at", "screening", 1, 5], ["a", "end"], ["b", "end"]],
        ):
            shown.put(messages)

    assert seen.of("a") == [
        ["begin"],
        ["say", "reading"],
        ["track", "training", 3],
        ["done", 1],
        ["done", 2],
        ["note", "loss 1"],
        ["done", 3],
        ["track", "screening", 5],
        ["done", 1],
        ["end"],
    ]
    assert seen.of("b") == [["begin"], ["end"]]


def test_a_task_whose_worker_died_ends_with_the_run():
    """No row stays on the screen."""
    seen = NotingProgress()
    with Relay(seen) as shown:
        shown.put([["a", "begin"], ["a", "at", "training", 1, 3]])

    assert seen.of("a")[-1] == ["end"]


def test_lines_of_a_task_come_once_and_in_order(monkeypatch):
    """Over the whole way: outbox, thread, relay."""
    monkeypatch.setattr(relay, "EVERY_SECONDS", 0.001)
    seen = NotingProgress()
    with Relay(seen) as shown, relayed("a", Direct(shown.put)) as progress:
        for number in range(200):
            progress.say(str(number))
            time.sleep(0.0001)
        with progress.task("part") as part:
            part.say("inner")

    assert seen.of("a", "say") == [["say", str(number)] for number in range(200)]
    assert seen.of("a part") == [["begin"], ["say", "inner"], ["end"]]


def test_work_does_not_wait_for_a_way_that_is_not_there():
    """Nothing is shown, and nothing is raised."""
    began = time.monotonic()
    with relayed("a", Broken()) as progress:
        progress.say("lost")
        done = list(progress.track(range(3), "training", 3))

    assert done == [0, 1, 2]
    assert time.monotonic() - began < 5


def test_the_end_of_a_task_waits_a_bounded_time(monkeypatch):
    """A terminal that is stopped does not stop the work."""
    monkeypatch.setattr(relay, "PATIENCE_S", 0.05)
    stuck = Stuck()
    began = time.monotonic()
    with relayed("a", stuck) as progress:
        progress.say("waiting")
    spent = time.monotonic() - began
    stuck.free.set()

    assert spent < 5


def test_a_socket_takes_messages_of_those_who_know_the_key():
    """Whoever does not is sent away, and disturbs nobody."""
    came = []
    with SocketListener(came.append) as listener:
        good = listener.channel
        with relayed("stranger", SocketChannel(good._port, "0" * 64)) as progress:
            progress.say("let me in")
        with good.open() as send:
            send([["a", "say", "text"]])
            send([["a", "end"]])

    assert came == [[["a", "say", "text"]], [["a", "end"]]]
