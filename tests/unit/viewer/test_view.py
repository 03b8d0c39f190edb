"""The page's answers, the command that serves them until Ctrl-C, and the few cases that are kept."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from http.client import HTTPConnection
from threading import Barrier, Thread

import pytest

from glioforge.core.errors import CohortError
from glioforge.core.protocols import Silent
from glioforge.core.volume import Modality
from glioforge.io.nifti import write_image
from glioforge.viewer import view as module
from glioforge.viewer.listed import of_cohort
from glioforge.viewer.view import KEPT, Recent, ViewPage, view
from toy_cohort import cohort_of_cases, toy_case, toy_cohort


@pytest.fixture
def page():
    """A page of two cases."""
    return ViewPage(of_cohort(toy_cohort([1, 2])))


def values(response):
    """JSON of a response."""
    return json.loads(response.body)


def test_the_list_has_every_case_and_what_it_is(page):
    """Without loading one."""
    found = values(page("cases.json"))

    assert (found["title"], found["count"], found["compared"]) == ("train", 2, None)
    assert [case["case_id"] for case in found["cases"]] == ["s01-1", "s02-1"]
    assert found["cases"][0]["kind"] == "real"
    assert found["cases"][0]["partners"] == []
    assert len(page._recent) == 0


def test_facts_and_files_of_a_case(page):
    """As the page asks for them."""
    facts = values(page("cases/1.json"))

    assert [image["title"] for image in facts["images"]] == ["T1", "FLAIR"]
    assert facts["labels"]["scheme"] == "complete"
    assert page("cases/1/0.nii").body[:4] == (348).to_bytes(4, "little")
    assert len(page("cases/1/labels.nii").body) == 352 + 16 * 14 * 12


@pytest.mark.parametrize(
    "name",
    ["cases/2.json", "cases/-1.json", "cases/1/2.nii", "cases/2/0.nii", "cases/1/../0/0.nii", "cases/x.json", "cases/1",
     "cases/1.json/", "cases/s01-1.json", "cases/1/labels.nii.gz", "Cases.json"],
)  # fmt: skip
def test_unknown_names_have_no_answer(page, name):
    """Numbers are looked up in the list; ids and paths mean nothing."""
    assert page(name) is None


def test_memory_stays_flat():
    """Paging through a cohort keeps few cases."""
    page = ViewPage(of_cohort(toy_cohort(range(1, 8))))
    for number in range(7):
        page(f"cases/{number}.json")

    assert len(page._recent) == KEPT


def test_compared_cases_follow_the_list():
    """They are partners, no entries of the list."""
    page = ViewPage(of_cohort(toy_cohort([1, 2])), of_cohort(toy_cohort([2, 1], "other")))
    found = values(page("cases.json"))

    assert (found["count"], len(found["cases"]), found["compared"]) == (2, 4, "other")
    assert found["cases"][0]["partners"] == [{"number": 3, "role": "same"}]
    assert page("cases/3.json") is not None


def test_nothing_to_show_is_an_error():
    """An empty cohort."""
    with pytest.raises(CohortError, match="no case to show; expected at least one"):
        ViewPage(of_cohort(cohort_of_cases([])))


@pytest.fixture
def scan(tmp_path):
    """A scan in a file."""
    path = tmp_path / "s01_t1.nii.gz"
    write_image(path, toy_case(1).images[Modality.T1])
    return path


def test_an_unknown_case_is_an_error(scan):
    """The ids there are."""
    with pytest.raises(CohortError, match="--case: no case 'nobody'; expected one of s01_t1"):
        view(scan, case="nobody")


def test_the_browser_opens_the_address_and_ctrl_c_ends_cleanly(scan, monkeypatch):
    """The port is free again, whatever ended it; the address is said."""
    opened, said = [], []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(module.webbrowser, "open", lambda address: opened.append(address) or True)

    class Progress(Silent):
        def say(self, text):
            said.append(text)

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.PageServer, "serve", interrupted)
    view(scan, case="s01_t1", progress=Progress())

    address = re.fullmatch(r"1 case at (http://127\.0\.0\.1:\d+/[\w-]{22}/)", said[-2])[1]
    assert opened[0].rpartition("/")[0] == address.rpartition("/")[0].rpartition("/")[0]
    assert opened[0] not in address


def test_no_browser_is_opened_without_a_display(monkeypatch):
    """One in the terminal would hide the address."""
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(module.webbrowser, "open", lambda _: pytest.fail("opened"))

    assert module._opened("http://127.0.0.1:1/") is False


def test_the_command_prints_the_address_and_ends_by_ctrl_c(scan):
    """Exit code 0, no traceback."""
    code = "from glioforge.cli.main import run; run()"
    command = [sys.executable, "-c", code, "view", str(scan), "--no-browser"]
    environment = {**os.environ, "COLUMNS": "200"}
    # A shell starts what runs in its background with interrupts ignored, and the command would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    finally:
        signal.signal(signal.SIGINT, before)
    with started as process:
        line = next(line for line in process.stderr if "http://" in line)
        port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\S+)", line).groups()
        connection = HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        code = process.wait(10)

    assert (status, code) == (200, 0)
    assert "Traceback" not in rest


def test_a_case_that_cannot_be_read_is_said_on_the_page(tmp_path):
    """The other cases are still shown."""
    cases = of_cohort(toy_cohort([1, 2]))

    def damaged():
        raise CohortError("a damaged case")

    page = ViewPage([replace(cases[0], load=damaged), cases[1]])
    with pytest.raises(CohortError, match="a damaged case"):
        page("cases/0.json")

    assert page("cases/1.json") is not None


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
