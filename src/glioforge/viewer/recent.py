"""The few cases that were looked at last, so that memory stays flat however long one pages through a cohort."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar, final

Value = TypeVar("Value")


@final
class Recent(Generic[Value]):
    """Values by number, loaded once and kept while they are among the last used.

    Args:
        load: Makes the value of a number; called once for requests that come together.
        size: Number of values that are kept.
    """

    def __init__(self, load: Callable[[int], Value], size: int) -> None:
        self._load = load
        self._size = size
        self._kept: OrderedDict[int, Future[Value]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, number: int) -> Value:
        """Return the value of a number; what fails is tried again by the next request."""
        with self._lock:
            future = self._kept.get(number)
            mine = future is None
            if future is None:
                future = self._kept[number] = Future()
            self._kept.move_to_end(number)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        if mine:
            self._fill(number, future)
        return future.result()

    def _fill(self, number: int, future: "Future[Value]") -> None:
        """Load a value for all who wait for it."""
        try:
            future.set_result(self._load(number))
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it, of whatever kind
            with self._lock:
                if self._kept.get(number) is future:
                    del self._kept[number]
            future.set_exception(error)
