"""The page of `glioforge view`: what it answers, and the call that opens it.

The few cases that were looked at last are kept, so that memory stays flat however long one pages through a cohort.
"""

import json
import os
import re
import sys
import webbrowser
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar, final

from glioforge.core import CohortError, Progress, Silent, listed as names
from glioforge.viewer.listed import Listed, listed, partners
from glioforge.viewer.server import VIEW, PageServer, Response, asset
from glioforge.viewer.shown import Shown

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


KEPT = 3
"""Loaded cases that are kept: the pair on the screen and the one before."""

_CASE = re.compile(r"cases/(\d{1,9})\.json")
_FILE = re.compile(r"cases/(\d{1,9})/(\w{1,9})\.nii")
_JSON = "application/json"


@final
class ViewPage:
    """Answers the names of the page: its files, the list of cases, and facts and voxels of each case.

    Args:
        cases: Cases of the list.
        others: Cases to compare with; without any, cases are compared with their own parents and children.

    Raises:
        CohortError: There is no case, or none of the others belongs to a case.
    """

    def __init__(self, cases: Sequence[Listed], others: Sequence[Listed] = ()) -> None:
        if not cases:
            raise CohortError("no case to show", "at least one", "check the path")
        self._cases = (*cases, *others)
        found = partners(cases, others)
        self._list = _encoded(
            {
                "title": cases[0].cohort,
                "compared": others[0].cohort if others else None,
                "count": len(cases),
                "cases": [
                    {**case.to_json(), "partners": [vars(p) for p in (found[n] if n < len(cases) else ())]}
                    for n, case in enumerate(self._cases)
                ],
            }
        )
        self._recent: Recent[Shown] = Recent(lambda number: self._cases[number].load(), KEPT)

    def __call__(self, name: str) -> Response | None:
        """Answer a name; none for one that is unknown."""
        if name == "cases.json":
            return Response(self._list, _JSON)
        if match := _CASE.fullmatch(name):
            return self._facts(int(match[1]))
        if match := _FILE.fullmatch(name):
            return self._file(int(match[1]), match[2])
        return asset(VIEW, name)

    def _facts(self, number: int) -> Response | None:
        """Facts of a case, which loads it."""
        if number >= len(self._cases):
            return None
        facts = {**self._recent.get(number).to_json(), "preparation": self._cases[number].preparation}
        return Response(_encoded(facts), _JSON)

    def _file(self, number: int, name: str) -> Response | None:
        """Voxels of a case as NIfTI."""
        data = self._recent.get(number).file(name) if number < len(self._cases) else None
        return None if data is None else Response(data, "application/octet-stream")


def view(  # noqa: PLR0913 - what and how, by keyword
    path: Path,
    compare: Path | None = None,
    *,
    case: str | None = None,
    where: Sequence[str] = (),
    scheme: str | None = None,
    port: int = 0,
    browser: bool = True,
    progress: Progress | None = None,
) -> None:
    """Show cases on a local page until the call is interrupted (Ctrl-C).

    The page can be reached from this machine alone, under an address with a secret part; nothing is written and
    nothing is asked of another machine.

    Args:
        path: A cohort, the folder of one prepared case, a folder of scans, or an image file.
        compare: A second one; its cases are shown next to those that they were made from, or that are the same.
            Without it, synthetic and edited cases are shown next to their parents in the same cohort.
        case: Id of the one case to show; all unless given.
        where: Facts that the cases of `path` have, such as `grade=HGG`.
        scheme: Label scheme of label files that do not say it.
        port: Port of the page; 0 takes a free one.
        browser: Open the page in the default browser.
        progress: Where the address is said.

    Raises:
        CohortError: There is no such case, or the two places have nothing to compare.
        InputFileError: A place cannot be read.
        SpecError: The port cannot be used.
    """
    progress = progress or Silent()
    cases = _chosen(listed(path, scheme, where, progress), case)
    page = ViewPage(cases, () if compare is None else listed(compare, scheme, progress=progress))
    server = PageServer(page, port)
    progress.say(f"{len(cases)} case{'s' if len(cases) > 1 else ''} at {server.address}")
    progress.say("Ctrl-C ends it")
    if browser and not _opened(server.launch_address()):
        progress.say("no browser could be opened: open the address yourself")
    try:
        with suppress(KeyboardInterrupt):
            server.serve()
    finally:
        server.release()


def _chosen(cases: Sequence[Listed], case_id: str | None) -> Sequence[Listed]:
    """All cases, or the one of an id."""
    if case_id is None:
        return cases
    chosen = [case for case in cases if case.case_id == case_id]
    if not chosen:
        raise CohortError(f"no case {case_id!r}", f"one of {names([case.case_id for case in cases])}", where="--case")
    return chosen


def _opened(address: str) -> bool:
    """Open the default browser; a machine without a display has none but those that would take over the terminal."""
    display = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(display) and webbrowser.open(address)


def _encoded(values: object) -> bytes:
    """JSON as bytes."""
    return json.dumps(values, allow_nan=False).encode()
