"""A reading study in a real browser: by keyboard alone, in two tabs, on two devices, to the locked answers.

`READING_SCREENSHOTS=FOLDER` writes the pictures of the documentation.
"""

import io
import os
import re
import subprocess
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from chromium import CHROMIUM, DRIVER, Browser
from glioforge.core.case import CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.lineage import Lineage
from glioforge.core.volume import Volume
from glioforge.data.phantom.make import make_phantom
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.reader.create import create_study
from glioforge.reader.export import locked_answers
from glioforge.reader.invitations import invite_reader
from glioforge.reader.lock import lock_study, status_of
from glioforge.reader.report import report_study
from glioforge.reader.spec import ReaderSpec
from toy_cohort import Held

pytestmark = pytest.mark.browser
PHANTOM = PhantomSpec(shape=(96, 96, 80), orientation="RAS")
PASSPHRASE = "a long passphrase"  # noqa: S105 - of a test
KINDS = {
    "turing": {"repeats": 0.25, "practice": 1},
    "choice": {},
    "diagnosis": {"contrasts": ("t1ce", "flair"), "synthetic": 0},
    "delineation": {"contrasts": ("flair",), "synthetic": 0, "confidence_levels": 0, "comment": False},
    "training": {"contrasts": ("t1ce",), "show": "stack", "window": "free", "score_levels": 10},
    "volume": {"kind": "turing", "show": "volume", "contrasts": ("t1ce", "flair")},
}


def blurred(case):
    """The case as a poor method would make it."""
    images = {
        m: Volume((ndimage.gaussian_filter(v.voxels, 0.8) * case.brain).astype(np.float32), v.geometry, m)
        for m, v in case.images.items()
    }
    lineage = Lineage.synthetic("spade", {case.case_id: case.lineage}, seed=1)
    return replace(case, case_id=f"{case.case_id}-syn000", images=images, lineage=lineage)


def held(cases, name):
    """A cohort of phantoms in memory."""
    scheme = cases[0].require_labels().scheme
    return Cohort(
        name,
        tuple(
            CaseRef(
                c.case_id, c.subject_id, dict.fromkeys(c.images, Path(c.case_id)), scheme.name, c.lineage, "", Held(c)
            )
            for c in cases
        ),
        scheme,
    )


class Site:
    """A study that its own command serves."""

    def __init__(self, folder):
        self.folder = folder
        command = [str(Path(".venv/bin/glioforge").absolute()), "reader", "serve", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        patience = Timer(60, self.process.kill)
        patience.start()
        said = next((re.search(r"http://\S+", line) for line in self.process.stderr if "http://" in line), None)
        patience.cancel()
        assert said, "the server said no address"
        self.url = said[0]

    def close(self):
        """End the server."""
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """Studies of phantoms by kind, each served when it is asked for."""
    heads = [make_phantom(7, n, PHANTOM).case for n in range(4)]
    sources = {"real": held(heads[:2], "scans"), "spade": held([blurred(case) for case in heads[2:]], "made")}
    opened = {}

    def site(name):
        if name not in opened:
            folder = tmp_path_factory.mktemp("reading") / name
            spec = ReaderSpec(
                **{
                    "kind": name,
                    "title": "Glioma reading study",
                    "real": 2,
                    "synthetic": 2,
                    "repeats": 0.0,
                    "practice": 0,
                }
                | KINDS[name]
            )
            create_study(folder, spec, sources, allow_shortcuts=True)
            opened[name] = Site(folder)
        return opened[name]

    yield site
    for one in opened.values():
        one.close()


@pytest.fixture(scope="module")
def browser():
    """One browser for all tests."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    window = Browser()
    yield window
    window.close()


def look(browser, theme="light", size=(1280, 900)):
    """Choose light or dark, and the size of the page."""
    values = [{"name": "prefers-color-scheme", "value": theme}]
    browser._ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": values}})
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    browser._ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics})


def shot(browser, name):
    """Keep a picture of the page, where pictures are wanted, with few colours."""
    folder = os.environ.get("READING_SCREENSHOTS")
    if folder is None:
        return
    time.sleep(0.5)
    whole = Image.fromarray(browser.picture())
    image = whole.resize((whole.width * 3 // 4, whole.height * 3 // 4), Image.Resampling.LANCZOS).quantize(64)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / f"{name}.png").write_bytes(file.getvalue())


def keys(browser, *pressed):
    """Press keys where the focus is, as a keyboard does."""
    actions = [{"type": kind, "value": key} for key in pressed for kind in ("keyDown", "keyUp")]
    browser._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})


ENTER, TAB = "\ue007", "\ue004"


def enter(browser, site, name):
    """Accept an invitation by keyboard, and begin."""
    browser.open(invite_reader(site.folder, name))
    browser.run("document.getElementById('passphrase').focus()")
    keys(browser, *PASSPHRASE, TAB, *PASSPHRASE, ENTER)
    browser.wait("location.pathname === '/' && document.querySelector('a.main')")


def ready(browser):
    """Wait until the item is drawn; its id."""
    browser.wait("document.body.dataset.state === 'ready'")
    return browser.run("return document.getElementById('desk').dataset.id")


def begin(browser, site):
    """Open the next item."""
    browser.open(f"{site.url}/read")
    return ready(browser)


def problems(browser):
    """What axe-core finds, serious and critical alone."""
    browser.run((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    browser.run("window.found = null; axe.run().then((all) => { window.found = all.violations; });")
    browser.wait("window.found")
    return browser.run(
        "return window.found.filter(({impact}) => ['serious', 'critical'].includes(impact))"
        ".map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html.slice(0, 90)).join(' | ')}`)"
    )


def answered(browser, before):
    """Wait until the next page has come; the id of the next item, none at the end."""
    browser.wait(f"!document.getElementById('desk') || document.getElementById('desk').dataset.id !== '{before}'")
    browser.wait("!document.getElementById('desk') || document.body.dataset.state === 'ready'")
    return browser.run("return document.getElementById('desk')?.dataset.id ?? null")


def finish_elsewhere(site, expected):
    """Log in on another device, where the expected item is next, and answer all that are left."""
    other = Browser()
    try:
        other.open(site.url)
        other.run("document.getElementById('name').focus()")
        keys(other, *"dr a", TAB, *PASSPHRASE, ENTER)
        other.wait("document.querySelector('a.main')")
        item = begin(other, site)
        assert item == expected
        while item:
            keys(other, "s", "3", ENTER)
            item = answered(other, item)
    finally:
        other.close()


def require_report(browser, page):
    """The page opens from its file, names the reader, passes axe-core, and asks nothing elsewhere."""
    browser.open(page.as_uri())
    assert "Dr A" in browser.run("return document.body.innerText")
    assert problems(browser) == []
    assert browser.complaints() == []
    assert not [url for url in browser.requests() if not url.startswith(("file:", "data:"))]


def test_a_study_is_read_by_keyboard_in_two_tabs_and_on_two_devices(sites, browser, tmp_path):
    """Every item is answered once; other devices go on where reading was; the report opens; nothing asks elsewhere."""
    site = sites("turing")
    look(browser)
    browser.requests()
    enter(browser, site, "Dr A")
    shot(browser, "start")
    first = begin(browser, site)
    browser.open(f"{site.url}/read")
    assert ready(browser) == first
    shot(browser, "item")
    keys(browser, "r", "4", "1", "c", *"smooth", "\ue00c", ENTER)
    second = answered(browser, first)
    here = browser._ask("GET", "/window")
    tab = browser._ask("POST", "/window/new", {"type": "tab"})["handle"]
    browser._ask("POST", "/window", {"handle": tab})
    assert begin(browser, site) == second
    keys(browser, "s", "2", ENTER)
    third = answered(browser, second)
    browser._ask("DELETE", "/window")
    browser._ask("POST", "/window", {"handle": here})
    keys(browser, "r", "5", ENTER)  # the first tab still shows the second item
    browser.wait("!document.getElementById('problem').hidden")
    assert "answered already" in browser.run("return document.getElementById('problem').innerText")
    finish_elsewhere(site, third)
    browser.open(f"{site.url}/read")
    browser.wait("document.body.innerText.includes('Thank you')")
    lock_study(site.folder)
    answers = locked_answers(site.folder)

    assert [a.order for a in answers] == list(range(1, 7))
    assert answers[0].practice
    assert (answers[0].call, answers[0].confidence, answers[0].cues, answers[0].comment) == (
        "real",
        4,
        ("texture",),
        "smooth",
    )
    assert [a.call for a in answers[1:]] == ["synthetic"] * 5
    assert all(0 < a.ms < 120_000 for a in answers)
    assert all("409 (Conflict)" in complaint for complaint in browser.complaints())
    assert not [url for url in browser.requests() if not url.startswith((site.url, "data:"))]
    require_report(browser, report_study(site.folder, tmp_path / "report"))


@pytest.mark.parametrize("name", ["choice", "diagnosis", "delineation", "training", "volume"])
def test_every_kind_of_page_is_drawn_and_accessible(sites, browser, name):
    """Light on a laptop, dark on a tablet: bright pixels, nothing out of sight, no serious finding of axe-core."""
    site = sites(name)
    enter(browser, site, f"Dr {name}")
    assert problems(browser) == []
    begin(browser, site)
    for theme, size in (("light", (1280, 900)), ("dark", (820, 1180))):
        look(browser, theme, size)
        time.sleep(0.3)
        shot(browser, f"{name}-{theme}")
        assert problems(browser) == []
        assert browser.box(".views").std() > 20
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        send = browser.run(
            "const b = document.getElementById('send').getBoundingClientRect(); return [b.top, b.bottom]"
        )
        assert 0 < send[0] < send[1] <= size[1]
    assert [c for c in browser.complaints() if "favicon" not in c] == []


def test_left_is_on_the_right_and_marked(sites, browser):
    """The letters stand at the edges of the pictures."""
    site = sites("choice")
    look(browser)
    enter(browser, site, "Dr sides")
    begin(browser, site)
    places = browser.run(
        "return ['.r', '.l'].map((c) => document.querySelector(`.tile ${c}`).getBoundingClientRect().x)"
    )

    assert places[0] < places[1]


def test_training_shows_the_truth_after_each_answer(sites, browser):
    """Enter goes on to the next item; scrolling and the free window work by their controls."""
    site = sites("training")
    look(browser)
    enter(browser, site, "Dr trainee")
    item = begin(browser, site)
    before = browser.box(".tile")
    keys(browser, "\ue013", "\ue013", "\ue013")
    assert browser.run("return document.getElementById('slice-number').value").split()[0] != "1"
    assert np.abs(browser.box(".tile").astype(int) - before).mean() > 0.5
    keys(browser, "s", "3", "0", ENTER)
    browser.wait("location.pathname.startsWith('/feedback') && document.body.dataset.state === 'ready'")
    shot(browser, "feedback")
    assert problems(browser) == []
    assert browser.run("return document.querySelector('.verdict').innerText") in {"Right", "Not right"}
    keys(browser, ENTER)
    assert answered(browser, item) is not None


def drag(browser, *points):
    """Draw with the pointer over the picture, in shares of its size."""
    box = browser.run(
        "const b = document.querySelector('canvas').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
    )
    places = [(round(box[0] + x * box[2]), round(box[1] + y * box[3])) for x, y in points]
    moves = [{"type": "pointerMove", "duration": 20, "x": x, "y": y} for x, y in places]
    actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
    browser._ask("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})


def test_tumours_are_marked_and_outlined_with_the_pointer(sites, browser):
    """A click marks a place; an outline is filled, taken back and drawn again; both are kept."""
    site = sites("diagnosis")
    look(browser)
    enter(browser, site, "Dr marks")
    item = begin(browser, site)
    keys(browser, "t", "y", "4")
    drag(browser, (0.5, 0.5))
    keys(browser, ENTER)
    answered(browser, item)
    outline = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6), (0.4, 0.45))
    drawn = sites("delineation")
    enter(browser, drawn, "Dr draws")
    item = begin(browser, drawn)
    drag(browser, *outline)
    keys(browser, "u")
    assert browser.run("return document.querySelector('[name=drawing]').value") == ""
    drag(browser, *outline)
    shot(browser, "outline")
    keys(browser, ENTER)
    answered(browser, item)
    for one in (site, drawn):
        lock_study(one.folder, unfinished=True)
    mark = next(a for a in locked_answers(site.folder) if a.reader == "Dr marks")
    outlined = next(a for a in locked_answers(drawn.folder) if a.reader == "Dr draws")

    assert (mark.details["tumour"], mark.details["enhancing"], len(mark.details["where"])) == ("tumour", "yes", 3)
    assert outlined.details["tumour"] == "tumour"
    assert 0 <= outlined.score <= 1


def test_an_answer_that_could_not_be_sent_is_kept_and_sent_again(sites, browser):
    """The server is killed and comes back: the page says that nothing is saved yet, and then goes on."""
    site = sites("volume")
    look(browser)
    enter(browser, site, "Dr patient")
    item = begin(browser, site)
    port = site.url.rpartition(":")[2]
    site.process.kill()
    site.process.wait(20)
    keys(browser, "r", "3", ENTER)
    browser.wait("document.getElementById('problem').innerText.startsWith('Not saved yet')")
    command = [str(Path(".venv/bin/glioforge").absolute()), "reader", "serve", str(site.folder), "--port", port]
    site.process.stderr.close()
    site.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert answered(browser, item) is not None
    done = {one.name: one.done for one in status_of(site.folder).readers}

    assert done["Dr patient"] == 1
