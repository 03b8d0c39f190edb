"""The local server answers this machine's own page and nothing else, with shipped files as they were published."""

import gzip
import hashlib
import json
import re
import socket
import subprocess
from http.client import HTTPConnection
from importlib.resources import files
from pathlib import Path
from threading import Thread

import pytest

from glioforge.core.errors import InputFileError, SpecError
from glioforge.release.record import NOTICE
from glioforge.viewer import server as assets
from glioforge.viewer.server import HEADERS, POLICY, VIEW, PageServer, Response, asset, shipped

PAGES = {"": b"<!doctype html>", "cases.json": b"[1]", "big": b"x" * 5000}


def answer(name):
    """A page with three names, and one that fails."""
    if name == "broken":
        raise InputFileError("a damaged file", "an undamaged one", "restore it", "case_t1.nii.gz")
    return Response(PAGES[name], "text/plain") if name in PAGES else None


@pytest.fixture(scope="module")
def server():
    """A running server."""
    running = PageServer(answer)
    thread = Thread(target=running.serve, daemon=True)
    thread.start()
    yield running
    running.close()
    thread.join(5)


def ask(server, path, method="GET", **headers):
    """Status, headers and body of a request, whose headers are sent as they are."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, response.headers, body


@pytest.mark.parametrize(("name", "body"), PAGES.items())
def test_names_behind_the_token_are_answered(server, name, body):
    """Every name that the page knows."""
    status, headers, found = ask(server, f"/{server.token}/{name}")

    assert (status, found) == (200, body)
    assert headers["Content-Length"] == str(len(body))


def test_the_address_is_loopback_with_a_token_of_128_bits(server):
    """Nobody guesses it, and no two servers share it."""
    assert server.address == f"http://127.0.0.1:{server.port}/{server.token}/"
    assert len(server.token) >= 22
    other = PageServer(answer)
    other.release()

    assert other.token != server.token


@pytest.mark.parametrize("path", ["/", "/cases.json", "/wrong/", "/wrong/cases.json", "//", "*", "/%C3%A9"])
def test_without_the_token_nothing_is_told(server, path):
    """Not even which names exist."""
    assert ask(server, path)[0] == 403


def test_a_launch_address_works_once(server):
    """The browser's command line, which other users can read, holds no lasting secret."""
    first, second = server.launch_address(), server.launch_address()
    path = "/" + second.rpartition("/")[2]
    answers = [ask(server, path), ask(server, path), ask(server, "/" + first.rpartition("/")[2])]

    assert server.token not in second
    assert [status for status, _, _ in answers] == [303, 403, 403]
    assert answers[0][1]["Location"] == f"/{server.token}/"
    assert ask(server, path, Host="evil.example")[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.0.1",
        "[::2]",
        "",
    ],
)
def test_other_host_names_are_refused(server, host):
    """A page of another site that points its name at this machine gets nothing."""
    status, _, body = ask(server, f"/{server.token}/cases.json", Host=host)

    assert status == 403
    assert b"localhost and 127.0.0.1 alone" in body


def test_a_request_without_host_is_refused(server):
    """HTTP/1.0 clients included."""
    assert ask(server, f"/{server.token}/", Host=None)[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8080"])
def test_forwarded_ports_of_localhost_are_answered(server, host):
    """`ssh -L 9000:127.0.0.1:PORT` changes the port that the browser names."""
    assert ask(server, f"/{server.token}/", Host=host)[0] == 200


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "../server.py",
        "..%2f..%2fetc/passwd",
        "%2e%2e/cases.json",
        "//etc/passwd",
        "cases.json/",
        "C:\\x",
        "a\0",
    ],
)
def test_unknown_names_and_paths_are_not_found(server, name):
    """A name is looked up, never joined to a folder."""
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(
            f"GET /{server.token}/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        head = connection.makefile("rb").readline()

    assert head.split()[1] in {b"404", b"400"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
def test_only_get_is_allowed(server, method):
    """Nothing can be changed."""
    assert ask(server, f"/{server.token}/", method)[0] == 405


@pytest.mark.parametrize(
    ("path", "method"),
    [("/TOKEN/", "GET"), ("/", "GET"), ("/TOKEN/nothing", "GET"), ("/TOKEN/broken", "GET"), ("/", "PUT")],
)
def test_every_response_forbids_caching_sniffing_and_other_hosts(server, path, method):
    """Whatever its status."""
    _, headers, _ = ask(server, path.replace("TOKEN", server.token), method)

    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Python" not in headers["Server"]
    assert "Access-Control-Allow-Origin" not in headers


def test_the_policy_names_no_host_and_no_inline_script():
    """The browser asks this server alone."""
    assert "default-src 'none'" in POLICY
    assert not any(word in POLICY for word in ("http", "*", "unsafe", "//"))


def test_errors_of_glioforge_reach_the_page(server):
    """The sentence says which file, and what to do."""
    status, _, body = ask(server, f"/{server.token}/broken")

    assert status == 500
    assert body == b"case_t1.nii.gz: a damaged file; expected an undamaged one; restore it"


def test_large_bodies_are_compressed_where_the_browser_takes_it(server):
    """A line of a forwarded port is slow; small bodies are sent as they are."""
    _, headers, body = ask(server, f"/{server.token}/big", Accept_Encoding="gzip, br")
    _, plain, _ = ask(server, f"/{server.token}/cases.json", Accept_Encoding="gzip")

    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == PAGES["big"]
    assert "Content-Encoding" not in plain


def test_it_listens_on_loopback_alone(server):
    """No other machine reaches it."""
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_port_in_use_is_an_error_with_a_remedy(server):
    """The option is named."""
    with pytest.raises(
        SpecError, match=f"port {server.port} cannot be used .*; expected a free port.*give another --port"
    ):
        PageServer(answer, server.port)


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
