"""Tests of `reader.serve` on a real socket: what uvicorn adds to replies, and connections that never ask."""

import http.client
import socket
import threading
import time

import pytest
from uvicorn import Server

from glioforge.reader import serve
from glioforge.reader.app import reading_app
from glioforge.reader.folder import open_study
from glioforge.reader.serve import Address
from toy_reading import toy_study


@pytest.fixture
def port(tmp_path, monkeypatch):
    """Port of a server that waits three tenths of a second for a request."""
    monkeypatch.setattr(serve, "HEADER_S", 0.3)
    toy_study(tmp_path / "study")
    study = open_study(tmp_path / "study")
    address = Address(port=0)
    with study.store() as store, serve._listening(address) as listener:
        server = Server(serve._config(reading_app(study, store), address))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def test_replies_name_no_program_and_have_a_length(port):
    """Nothing of versions or times that could identify an image."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    reply = connection.getresponse()
    names = {name.lower() for name, _ in reply.getheaders()}
    body = reply.read()
    connection.close()

    assert reply.status == 200
    assert len(body) == int(reply.getheader("content-length"))
    assert not names & {"server", "etag", "last-modified", "x-powered-by", "transfer-encoding"}


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
def test_a_connection_without_a_whole_request_is_closed(port, sent):
    """Whoever holds connections open holds no place."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as held:
        held.sendall(sent)
        assert held.recv(1) == b""

    assert time.monotonic() - begun < 5


def test_an_endless_head_is_refused(port):
    """Memory stays flat."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as held:
        held.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 100_000)
        assert b"400" in held.recv(64)
