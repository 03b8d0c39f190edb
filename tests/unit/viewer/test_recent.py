"""Few cases are kept, each is loaded once, and a failure is not kept."""

from threading import Barrier, Thread

import pytest

from glioforge.viewer.view import Recent


def test_only_the_last_used_are_kept():
    """The one used longest ago is loaded again."""
    loaded = []
    recent = Recent(lambda n: loaded.append(n) or n, 2)
    for number in (1, 2, 1, 3, 1, 2):
        assert recent.get(number) == number

    assert loaded == [1, 2, 3, 2]
    assert len(recent) == 2


def test_requests_that_come_together_load_once():
    """A page asks for facts and all contrasts at the same time."""
    loaded, barrier = [], Barrier(4)
    recent = Recent(lambda n: loaded.append(n) or n, 2)

    def ask():
        barrier.wait()
        recent.get(7)

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert loaded == [7]


def test_a_failure_is_raised_and_tried_again():
    """A file may be back the next time."""
    answers = iter([OSError("gone"), "here"])

    def load(_):
        value = next(answers)
        if isinstance(value, OSError):
            raise value
        return value

    recent = Recent(load, 2)
    with pytest.raises(OSError, match="gone"):
        recent.get(1)

    assert recent.get(1) == "here"
