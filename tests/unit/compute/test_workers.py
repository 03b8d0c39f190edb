"""Workers do not outlive the process that started them."""

import os
import threading

from glioforge.compute.workers import end_with_parent


def test_a_worker_leaves_when_its_parent_is_another() -> None:
    """The watcher calls `leave` once the parent's id is no longer the one told."""
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    end_with_parent(os.getppid() + 1, leave)

    assert left.wait(5)
    assert codes == [1]
