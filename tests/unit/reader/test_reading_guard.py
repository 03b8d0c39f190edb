"""Tests of `reader.guard`: bodies that lie, never end or come slowly; and what is too often."""

import asyncio

import pytest

from glioforge.reader.guard import LARGEST, Guard, Limit

FORM = b"application/x-www-form-urlencoded"


async def passed_on(scope, receive, send):
    """An application that says how long the body was."""
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


def asked(parts, length=None, seconds=5.0, pause=0.0, kind=FORM):
    """Status of a form whose body comes in parts; none of the last part ends it if it is `None`."""
    headers = [(b"host", b"127.0.0.1"), (b"origin", b"http://127.0.0.1"), (b"content-type", kind)]
    headers += [] if length is None else [(b"content-length", length)]
    scope = {"type": "http", "method": "POST", "scheme": "http", "headers": headers}
    left, sent = list(parts), []

    async def receive():
        await asyncio.sleep(pause)
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(passed_on, seconds=seconds)(scope, receive, send))
    return sent[0]["status"], sent[-1]["body"], len(left)


def test_bodies_are_read_whole():
    """In as many parts as they come."""
    assert asked([b"ab", b"cde"])[:2] == (200, b"5")


@pytest.mark.parametrize("length", [b"99999999999", b"-1", b"x", b"\xb2"])
def test_a_length_that_is_too_large_or_none_is_refused_unread(length):
    """Nothing is read."""
    status, _, left = asked([b"ab"], length)

    assert (status, left) == (413, 1)


def test_a_body_that_does_not_end_is_cut_at_the_cap():
    """Whatever its length said; memory stays flat."""
    status, _, left = asked([b"x" * 2**16] * 1000, b"10")

    assert status == 413
    assert left >= 1000 - LARGEST // 2**16 - 2


def test_a_body_that_comes_too_slowly_is_cut_off():
    """Within the time that a body may take."""
    assert asked([b"x"] * 50, seconds=0.1, pause=0.03)[0] == 413


def test_a_body_that_breaks_off_is_refused():
    """The browser went away."""
    assert asked([])[0] == 413


@pytest.mark.parametrize("kind", [b"multipart/form-data; boundary=x", b"application/json", b""])
def test_only_plain_forms_are_read(kind):
    """No files, no JSON."""
    assert asked([b"ab"], kind=kind)[0] == 415


def test_a_limit_counts_what_is_recent_by_name():
    """Old events are forgotten, and other names are not concerned."""
    times = [0.0]
    limit = Limit(2, 10, clock=lambda: times[0])

    assert [limit.allow("a") for _ in range(3)] == [True, True, False]
    assert limit.allow("b")
    times[0] = 10.5
    assert limit.allow("a")


def test_a_limit_forgets_names_without_recent_events():
    """Memory stays flat under ten thousand guesses."""
    times = [0.0]
    limit = Limit(2, 10, clock=lambda: times[0])
    for n in range(10_001):
        limit.note(f"name {n}")
    times[0] = 11.0
    limit.note("last")

    assert len(limit._events) == 1
