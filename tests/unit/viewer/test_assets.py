"""The shipped files: NiiVue as published, with licence; pages that fetch nothing from outside; all in the wheel."""

import hashlib
import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from glioforge.core.errors import InputFileError
from glioforge.release.record import NOTICE
from glioforge.viewer import server as assets
from glioforge.viewer.server import VIEW, asset, shipped

ROOT = Path(__file__).parents[3]
HOME = ROOT / "src" / "glioforge" / "viewer"
OWN = sorted((HOME / "assets").iterdir())


def test_niivue_is_the_published_release():
    """Version and sha256 of the file in the package of the npm registry."""
    note = json.loads((HOME / "vendor/niivue/SOURCE.json").read_text())

    assert (note["package"], note["version"]) == ("@niivue/niivue", "0.69.0")
    assert hashlib.sha256(shipped(VIEW["niivue.js"])).hexdigest() == note["sha256"]
    assert note["sha256"] == "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"


def test_licences_come_with_it():
    """NiiVue's own, and those of the packages that its file is built from; NOTICE points at them."""
    text = (HOME / "vendor/niivue/LICENSE").read_text()

    assert text.startswith("BSD 2-Clause License\n\nCopyright (c) 2021, Niivue")
    for name in ("fflate", "gl-matrix", "nifti-reader-js", "zarrita", "numcodecs", "@ungap/structured-clone"):
        assert f"\n{name} " in text
    assert "src/glioforge/viewer/vendor/niivue/LICENSE" in (ROOT / "NOTICE").read_text()


def test_a_changed_file_is_not_served(monkeypatch):
    """Whoever changes the vendored file changes the note as well."""
    monkeypatch.setattr(assets.hashlib, "sha256", lambda _: hashlib.sha512(b""))
    with pytest.raises(InputFileError, match="a changed file; expected sha256 47b8"):
        shipped(VIEW["niivue.js"])


def test_a_missing_file_is_an_error():
    """The installation is broken."""
    with pytest.raises(InputFileError, match=r"assets/none.js: a missing file; .*; install glioforge again"):
        shipped("assets/none.js")


@pytest.mark.parametrize("name", VIEW)
def test_every_name_of_the_page_is_shipped(name):
    """With a type that the browser accepts under `nosniff`."""
    response = asset(VIEW, name)

    assert response.body
    assert re.match(r"text/(html|css|javascript); charset=utf-8$", response.kind)


def test_other_names_are_not_shipped():
    """Names are looked up, never joined."""
    assert [asset(VIEW, name) for name in ("assets/view.js", "../server.py", "SOURCE.json", "view.html")] == [None] * 4


def test_every_own_file_is_served():
    """Nothing is left over, and what pages ask for exists."""
    assert {f"assets/{path.name}" for path in OWN} == {path for path in VIEW.values() if path.startswith("assets/")}
    asked = re.findall(r'(?:src|href|from)[ =]"(?!data:)(?:\./)?([^"]+)"', "".join(path.read_text() for path in OWN))
    assert set(asked) <= set(VIEW)
    assert {"view.js", "panel.js", "adapter.js", "niivue.js", "view.css"} <= set(asked)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_files_name_no_other_host_and_run_no_text(path):
    """No address, no markup from text, no inline script or style."""
    text = path.read_text(encoding="utf-8")

    assert not re.search(
        r"https?:|//[a-z]+\.|@import|innerHTML|outerHTML|insertAdjacentHTML|eval\(|document\.write", text
    )
    assert not re.search(r"<script(?! src)|<style| style=|\son\w+=", text)
    assert len(text.splitlines()) <= 300


def test_only_the_adapter_knows_niivue():
    """A new release of NiiVue concerns one file."""
    knowing = [
        p.name
        for p in OWN
        if p.suffix == ".js" and re.search(r"niivue\.|\bnv\.", p.read_text().replace("niivue.js", ""))
    ]

    assert knowing == ["adapter.js"]


def test_the_notice_is_that_of_exports():
    """Synthetic cases say the same on the screen and in files."""
    assert f'synthetic: "{NOTICE}", edited: "{NOTICE}"' in (HOME / "assets/panel.js").read_text()


def test_shipped_files_belong_to_the_wheel():
    """It takes what lies in the package and is not ignored by git."""
    names = ["vendor/niivue/LICENSE", "vendor/niivue/SOURCE.json", *VIEW.values()]
    paths = [str((HOME / name).relative_to(ROOT)) for name in names]
    ignored = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ignored.stdout == ""
    assert all((files("glioforge.viewer") / name).is_file() for name in names)
