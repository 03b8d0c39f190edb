"""Workers end with the process that started them, even when that is killed.

A worker that outlived its parent would go on holding locks of run folders, and
the same command could not go on at once.
"""

import os
import threading
import time
from collections.abc import Callable
from functools import cache

CHECK_EVERY_SECONDS = 0.5


@cache
def end_with_parent(parent: int, leave: Callable[[int], None] = os._exit) -> threading.Thread:
    """Watch the parent process from a thread of this worker; started once a process.

    Args:
        parent: Process id of the parent.
        leave: Ends this process; handed in for tests.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK_EVERY_SECONDS)
        leave(1)

    thread = threading.Thread(target=watch, name="end-with-parent", daemon=True)
    thread.start()
    return thread
