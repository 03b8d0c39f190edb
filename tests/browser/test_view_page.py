"""The page of `glioforge view` in a real browser: what it draws, what it asks for, and what it says."""

import json
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from chromium import CHROMIUM, DRIVER, Browser
from glioforge.core.errors import InputFileError
from glioforge.core.lineage import Lineage
from glioforge.viewer.listed import of_cohort
from glioforge.viewer.server import PageServer
from glioforge.viewer.view import ViewPage
from toy_cohort import cohort_of_cases, toy_case, with_labels

pytestmark = pytest.mark.browser
HOSTILE = '<img src=x onerror="document.title=1">'


def real(seed):
    """A real case."""
    return toy_case(seed)


def synthetic(parent):
    """A synthetic case of another."""
    lineage = Lineage.synthetic("sound", {parent.case_id: parent.lineage}, seed=1)
    return replace(parent, case_id=f"{parent.case_id}-syn000", lineage=lineage)


def edited(parent):
    """Another's label map with a lesion that was moved, without images."""
    labels = parent.labels.voxels
    lesion = np.isin(labels, (1, 2, 3))
    moved = np.where(lesion, 4, labels)
    moved[np.roll(lesion, -5, axis=0)] = 2
    lineage = Lineage.synthetic("lesion edits", {parent.case_id: parent.lineage}, seed=1, edits=[{"kind": "translate"}])
    return replace(with_labels(parent, moved, f"{parent.case_id}-edit000"), images={}, lineage=lineage)


def damaged():
    """What a case does whose file has changed."""
    raise InputFileError("a damaged file", where="t1.nii.gz")


@pytest.fixture(scope="module")
def pages():
    """Addresses of pages by name; each has a server of its own."""
    cases = [real(1), real(2)]
    single = [*of_cohort(cohort_of_cases(cases)), replace(of_cohort(cohort_of_cases(cases))[0], load=damaged)]
    single[1] = replace(single[1], case_id=HOSTILE)
    parents = of_cohort(cohort_of_cases(cases, "scans"))
    made = {
        "single": ViewPage(single),
        "synthetic": ViewPage(of_cohort(cohort_of_cases([synthetic(cases[0])], "made")), parents),
        "edited": ViewPage(of_cohort(cohort_of_cases([edited(cases[0])], "moved")), parents),
    }
    servers = {name: PageServer(page) for name, page in made.items()}
    for server in servers.values():
        Thread(target=server.serve, daemon=True).start()
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture(scope="module")
def browser():
    """One browser for all tests."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    window = Browser()
    yield window
    window.close()


@pytest.fixture
def opened(browser, pages):
    """Open a page and wait until it has drawn; afterwards it has asked nobody else and complained of nothing."""
    addresses = []

    def show(name):
        browser.open(pages[name].address)
        ready(browser)
        addresses.append(pages[name].address)
        return browser

    browser.requests()
    browser.complaints()
    yield show
    asked = {address for address in browser.requests() if not address.startswith(("data:", "blob:"))}
    assert [address for address in asked if not address.startswith(tuple(addresses))] == []
    assert any(address.endswith(".nii") for address in asked)
    assert browser.complaints() == []


def ready(browser, text="ready"):
    """Wait until the page has drawn what was asked for."""
    browser.wait(f"document.body.dataset.state === '{text}'")


def tile(browser, panel=0, number=0):
    """Pixels of a tile once they stay the same."""
    places = (
        "[...document.querySelectorAll('.panel')][arguments[0]].querySelectorAll('.tile')[arguments[1]].id = 'seen'"
    )
    browser.run(
        "document.querySelectorAll('#seen').forEach((old) => old.removeAttribute('id'));" + places, panel, number
    )
    before = browser.box("#seen")
    for _ in range(20):
        after = browser.box("#seen")
        if np.array_equal(before, after):
            return after
        before = after
    raise AssertionError("the tile never stays the same")


def text_of(browser, selector):
    """Text of the first element that a selector finds."""
    return browser.run("return document.querySelector(arguments[0]).innerText", selector)


def colourful(pixels):
    """Number of pixels that are no grey."""
    return int((np.ptp(pixels.astype(int), axis=-1) > 40).sum())


def changed(first, second):
    """Number of pixels that differ."""
    return int((first != second).any(axis=-1).sum())


def test_contrasts_are_drawn_with_labels_over_them(opened):
    """Both contrasts in three planes, grey with coloured lesion; `l` takes the labels away and brings them back."""
    browser = opened("single")
    t1, flair = tile(browser), tile(browser, number=1)
    for pixels in (t1, flair):
        assert len(np.unique(pixels)) > 30
        assert colourful(pixels) > 200
    assert changed(t1, flair) > 500
    browser.press("l")
    without = tile(browser)
    browser.press("l")

    assert colourful(t1) - colourful(without) > 100
    assert changed(tile(browser), t1) == 0
    assert text_of(browser, ".banner") == "REAL"
    assert "oedema" in text_of(browser, ".legend")


def test_opacity_outlines_tissue_and_single_labels_change_the_picture(opened):
    """Each of the switches, and each back again; `x` hides the crosshair alone."""
    browser = opened("single")
    crossed = tile(browser)
    browser.press("x")
    first = tile(browser)
    assert 20 < changed(crossed, first) < first.shape[0] * first.shape[1] / 20
    for switch in ("#outline", "#tissue", ".legend input"):
        browser.run("document.querySelector(arguments[0]).click()", switch)
        other = tile(browser)
        browser.run("document.querySelector(arguments[0]).click()", switch)

        assert changed(other, first) > 20, switch
        assert changed(tile(browser), first) == 0, switch
    browser.run("const o = document.querySelector('#opacity'); o.value = 1; o.dispatchEvent(new Event('input'))")

    assert colourful(tile(browser)) > colourful(first)


def test_slices_and_zoom_are_linked(opened):
    """Keys, wheel, click and Ctrl with wheel move all contrasts."""
    browser = opened("single")
    wheel = "const c = document.querySelector('.tile canvas'), b = c.getBoundingClientRect(); c.dispatchEvent(new {})"
    at = "clientX: b.x + b.width / 2, clientY: b.y + b.height / 6, bubbles: true, cancelable: true"
    moves = {
        "arrow": lambda: browser.press("ArrowUp"),
        "wheel": lambda: browser.run(wheel.format(f"WheelEvent('wheel', {{deltaY: 100, {at}}})")),
        "click": lambda: [
            browser.run(wheel.format(f"MouseEvent('{name}', {{button: 0, {at}}})")) for name in ("mousedown", "mouseup")
        ],
        "zoom": lambda: browser.run(wheel.format(f"WheelEvent('wheel', {{deltaY: -100, ctrlKey: true, {at}}})")),
    }
    for name, move in moves.items():
        before = tile(browser), tile(browser, number=1)
        move()
        after = tile(browser), tile(browser, number=1)

        assert min(changed(a, b) for a, b in zip(before, after, strict=True)) > 100, name
    browser.press("0")


def test_the_next_case_is_shown_and_names_are_text(opened):
    """`n` goes on, `p` goes back; markup in an id is shown, never run."""
    browser = opened("single")
    first = tile(browser)
    browser.press("n")
    browser.wait("document.querySelectorAll('#cases button')[1].getAttribute('aria-current') === 'true'")
    ready(browser)
    second = tile(browser)
    name, images = text_of(browser, ".who"), browser.run("return document.images.length")
    browser.press("p")
    ready(browser)

    assert changed(first, second) > 200
    assert (name, images) == (HOSTILE, 0)
    assert changed(tile(browser), first) == 0


def test_a_single_plane_and_fewer_contrasts(opened):
    """`v` chooses a plane; a number takes a contrast away."""
    browser = opened("single")
    wide = browser.box(".tile").shape
    browser.press("1")
    ready(browser)
    count = "[...document.querySelectorAll('.tile')].filter((tile) => tile.offsetParent).length"

    assert browser.run(f"return {count}") == 1
    assert browser.box(".tile").shape[1] > wide[1]
    assert "FLAIR" in text_of(browser, ".tile span")
    three = tile(browser)
    browser.press("v")
    assert browser.run("return document.querySelector('#plane').value") == "axial"
    assert changed(tile(browser), three) > 500


def test_a_synthetic_case_is_next_to_its_parent(opened):
    """Two panels: the real one on the left, SYNTHETIC in large letters on the right, at the same place."""
    browser = opened("synthetic")
    kinds = "return [...document.querySelectorAll('.panel')].map((panel) => panel.querySelector('.banner').innerText)"
    size = "return parseFloat(getComputedStyle(document.querySelector('.panel.synthetic .banner')).fontSize)"

    assert [text.split()[0] for text in browser.run(kinds)] == ["REAL", "SYNTHETIC"]
    assert "NOT AUDITED: internal use" in browser.run(kinds)[1]
    assert browser.run(size) >= 28
    before = tile(browser, 0), tile(browser, 1)
    browser.press("ArrowDown")
    browser.press("ArrowLeft")
    after = tile(browser, 0), tile(browser, 1)
    assert min(changed(a, b) for a, b in zip(before, after, strict=True)) > 100
    left, right = browser.run("return [...document.querySelectorAll('.read')].map((read) => read.textContent)")
    assert left == right != ""
    assert "mm" in left


def test_an_edited_case_is_next_to_its_source(opened):
    """Label maps of both, which differ where the lesion was moved."""
    browser = opened("edited")
    before, after = tile(browser, 0), tile(browser, 1)

    assert text_of(browser, ".panel.edited .banner").startswith("EDITED LABELS")
    assert "translate" in text_of(browser, ".panel.edited .head")
    assert colourful(before) > 200
    rows, columns = np.minimum(before.shape, after.shape)[:2]
    assert changed(before[:rows, :columns], after[:rows, :columns]) > 200


def test_a_case_that_cannot_be_read_says_why(browser, pages):
    """In place of its images; the list goes on."""
    browser.open(f"{pages['single'].address}#2")
    browser.run("location.reload()")
    ready(browser, "error")

    assert text_of(browser, ".problem") == "t1.nii.gz: a damaged file"
    browser.press("p")
    ready(browser)
    assert len(np.unique(tile(browser))) > 30


def test_a_foreign_name_for_this_machine_is_refused(browser, pages):
    """A page of another site that rebinds its name gets no data, even with the whole address."""
    server = pages["single"]
    browser.open(f"http://rebound.example:{server.port}/{server.token}/cases.json")

    assert "localhost and 127.0.0.1 alone" in text_of(browser, "body")


def test_the_page_itself_reaches_nothing_else(browser, pages):
    """Unknown names and paths are not found, the token is asked for, and other hosts are blocked by the policy."""
    browser.open(pages["single"].address)
    ready(browser)
    script = """
        const status = (path) => fetch(path).then((response) => response.status, (error) => error.name);
        return Promise.all(arguments[0].map(status));
    """
    paths = ["nothing", "..%2f..%2fetc%2fpasswd", "cases/9.json", "/", "/wrong/cases.json", "http://127.0.0.2:9/"]
    found = browser.run(script, paths)

    assert found == [404, 404, 404, 403, 403, "TypeError"]
    assert any("Content Security Policy" in text for text in browser.complaints())
    assert json.dumps(browser.run("return [document.cookie, localStorage.length]")) == '["", 0]'
