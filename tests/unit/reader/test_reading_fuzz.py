"""The routes of a study under requests that Schemathesis makes up: no request makes the server fail."""

from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from glioforge.reader.app import reading_app
from glioforge.reader.folder import open_study
from toy_reading import Reader, invite_reader, toy_study

pytestmark = pytest.mark.slow
TEXT = {"type": "string"}
FORM = "application/x-www-form-urlencoded"
FIELDS = (
    "csrf",
    "assignment",
    "key",
    "call",
    "confidence",
    "score",
    "cue",
    "comment",
    "ms",
    "where",
    "tumour",
    "drawing",
)


def place(name, schema=None):
    """A parameter of a path."""
    return {"name": name, "in": "path", "required": True, "schema": schema or TEXT}


def form(*fields):
    """A body with these fields, and any others."""
    schema = {"type": "object", "properties": dict.fromkeys(fields, TEXT), "additionalProperties": TEXT}
    return {"required": True, "content": {FORM: {"schema": schema}}}


def operation(parameters=(), body=None):
    """An operation, whatever it answers."""
    known = {"parameters": list(parameters), "responses": {"default": {"description": "any"}}}
    return known | ({} if body is None else {"requestBody": body})


NUMBER = {"type": "integer"}
SCHEMA = {
    "openapi": "3.0.2",
    "info": {"title": "reading study", "version": "1"},
    "paths": {
        "/": {"get": operation()},
        "/read": {"get": operation()},
        "/mine.csv": {"get": operation()},
        "/login": {"post": operation(body=form("name", "passphrase"))},
        "/answer": {"post": operation(body=form(*FIELDS))},
        "/logout": {"post": operation(body=form("csrf"))},
        "/invite/{secret}": {
            "get": operation([place("secret")]),
            "post": operation([place("secret")], form("passphrase", "again")),
        },
        "/feedback/{assignment}": {"get": operation([place("assignment")])},
        "/image/{assignment}/{panel}.bin": {"get": operation([place("assignment"), place("panel", NUMBER)])},
        "/image/{assignment}/{panel}/{contrast}.nii": {
            "get": operation([place("assignment"), place("panel", NUMBER), place("contrast", NUMBER)])
        },
        "/assets/{name}": {"get": operation([place("name")])},
    },
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A study that is served to one reader who is logged in."""
    folder = tmp_path_factory.mktemp("fuzz") / "study"
    toy_study(folder, diagnose=True, score_levels=10)
    study = open_study(folder)
    with study.store() as store:
        reader = Reader(reading_app(study, store), "Dr A")
        reader.accept(invite_reader(folder, "Dr A").rpartition("/")[2])
        yield reader, reader.form()


schema = schemathesis.openapi.from_dict(SCHEMA)


@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_makes_the_server_fail(site, case):
    """Whatever is in paths and forms; half of them with the secrets of a session."""
    reader, hidden = site
    body = case.body if isinstance(case.body, dict) else {}
    known = hidden if len(str(body)) % 2 else {}
    headers = {"Cookie": f"glioforge-reader={reader.client.cookies.get('glioforge-reader')}", "Host": "127.0.0.1:8765"}
    path = case.formatted_path
    sent = {"content": urlencode({**body, **known}, errors="replace")} if case.method.upper() == "POST" else {}
    headers["Content-Type"] = FORM
    reply = reader.client.send(case.method, path, headers=headers, **sent)

    assert reply.status_code < 500, (path, body)
