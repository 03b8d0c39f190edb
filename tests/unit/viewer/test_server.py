"""The local server answers this machine's own page and nothing else."""

import gzip
import socket
from http.client import HTTPConnection
from threading import Thread

import pytest

from glioforge.core.errors import InputFileError, SpecError
from glioforge.viewer.server import HEADERS, POLICY, PageServer, Response

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
