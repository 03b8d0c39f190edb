"""Tests of `reader.app` and `reader.handlers`: what a reader can do, what nobody can, and what no reply gives away."""

import json
import re
import sqlite3
import time

import numpy as np
import pytest
from scipy import stats

from glioforge.reader.app import reading_app
from glioforge.reader.export import locked_answers
from glioforge.reader.guard import HEADERS
from glioforge.reader.invitations import invite_reader
from glioforge.reader.lock import lock_study
from glioforge.reader.store import verify
from toy_reading import Client, Reader, served, toy_study

SCRIPTED = {"Accept": "application/json"}


@pytest.fixture
def site(tmp_path):
    """A served study with two readers."""
    toy_study(tmp_path / "study")
    with served(tmp_path / "study", ("Dr A", "Dr B")) as made:
        yield made


def finish(reader, call="real"):
    """Answer everything; the ids of the showings in their order."""
    seen = []
    while (form := reader.form()) is not None:
        seen.append(form["assignment"])
        assert reader.answer(form, call=call, confidence="3", ms="1200").status_code == 200
    return seen


def test_a_reader_answers_all_items_and_the_answers_are_exported_after_the_lock(site, tmp_path):
    """Every answer is there once, in order, with its truth."""
    seen = finish(site.readers[0])
    finish(site.readers[1], "synthetic")
    lock_study(tmp_path / "study")
    answers = locked_answers(tmp_path / "study")

    mine = [answer for answer in answers if answer.reader == "Dr A"]
    assert len(seen) == len(set(seen)) == len(mine) == 10
    assert [answer.order for answer in mine] == list(range(1, 11))
    assert {answer.call for answer in mine} == {"real"}
    assert {answer.ms for answer in mine} == {1200}
    assert all((answer.truth == "real") == (answer.method == "real") for answer in answers)
    assert sum(answer.repeat_of != "" for answer in mine) == 2
    site.store.read(verify)


def test_sending_an_answer_again_changes_nothing_and_another_is_refused(site):
    """Double click, retry and second tab; the answer that was given first is kept."""
    reader = site.readers[0]
    form, other_tab = reader.form(), reader.form()
    said = {"call": "real", "confidence": "2"}

    assert [reader.answer(form, **said, ms=ms).status_code for ms in ("10", "10", "400")] == [200] * 3
    assert reader.answer(other_tab, **said).status_code == 200
    assert reader.answer(form, call="synthetic", confidence="2").status_code == 409
    assert reader.answer(other_tab, call="synthetic", confidence="2").status_code == 409
    rows = site.store.read(lambda db: db.execute("SELECT body FROM answer").fetchall())
    assert [json.loads(row["body"])["call"] for row in rows] == ["real"]


def test_reading_goes_on_where_it_was_on_another_device(site):
    """Reloading shows the same item; another device shows it as well; an item further on is refused."""
    reader, elsewhere = site.readers[0], Reader(site.app, "dr a")
    reader.answer(reader.form(), call="real", confidence="1")
    here = reader.form()

    assert elsewhere.log_in().status_code == 303
    assert reader.form()["assignment"] == here["assignment"] == elsewhere.form()["assignment"]
    later = site.store.read(
        lambda db: db.execute("SELECT id FROM assignment WHERE reader = 1 AND place = 5").fetchone()[0]
    )
    assert reader.answer({**here, "assignment": later}, call="real", confidence="1").status_code == 409
    assert reader.client.get(f"/image/{later}/0.bin").status_code == 404


def test_no_answer_is_taken_after_the_lock(site, tmp_path):
    """The page says that it was not saved; reading ends."""
    reader = site.readers[0]
    reader.answer(reader.form(), call="real", confidence="1")
    form = reader.form()
    lock_study(tmp_path / "study", unfinished=True)
    late = reader.answer(form, call="real", confidence="1")

    assert (late.status_code, late.json()["problem"]) == (409, "The study is closed: this answer was not saved.")
    assert reader.client.get("/read").headers["location"] == "/"
    assert "The study is closed" in reader.client.get("/").text


TOLD = re.compile(rb"spade|pix2pix|s0\d|s2\d|syn000|phantom|method(?!=)|subject|item\d{3}|\"truth\"")


def test_no_reply_says_what_an_item_is(site):
    """No page, picture, header, error or own export holds a method, subject, case or truth before the lock."""
    reader = site.readers[0]
    replies = [reader.client.get("/")]
    while (form := reader.form()) is not None:
        replies += [reader.client.get("/read"), reader.client.get(f"/image/{form['assignment']}/0.bin")]
        replies += [reader.answer(form, call="nonsense"), reader.answer(form, call="real", confidence="3")]
        replies += [
            reader.client.get(f"/feedback/{form['assignment']}"),
            reader.client.get(f"/image/{form['assignment']}/1.bin"),
        ]
    replies += [reader.client.get(path) for path in ("/read", "/mine.csv", "/nothing", "/openapi.json")]

    texts = [r.content for r in replies if r.headers["content-type"] != "application/octet-stream"]
    assert not [TOLD.findall(text) for text in texts if TOLD.search(text)]
    assert not [
        name for reply in replies for name in reply.headers if name.lower() in {"etag", "last-modified", "server"}
    ]
    assert {reply.headers["cache-control"] for reply in replies} == {"no-store"}
    assert b"real" in reader.client.get("/mine.csv").content  # the calls themselves are his


def test_nothing_but_pixels_differs_between_real_and_synthetic_items(tmp_path):
    """Sizes and headers of replies are all alike; ids and order are unrelated to the truth (Mann-Whitney)."""
    toy_study(tmp_path / "study", real=8, synthetic=8)
    names = tuple(f"Dr {n}" for n in range(3))
    rows, heads = [], set()
    with served(tmp_path / "study", names) as site:
        for reader in site.readers:
            while (form := reader.form()) is not None:
                reply = reader.client.get(f"/image/{form['assignment']}/0.bin")
                heads.add((len(reply.content), tuple(sorted(reply.headers.items()))))
                page = reader.client.get("/read").text
                rows.append((form["assignment"], int(form["assignment"], 16), len(rows) % 20, len(page)))
                reader.answer(form, call="real", confidence="3")
        truth = dict(site.store.read(lambda db: db.execute(
            "SELECT assignment.id, item.method = 'real' FROM assignment JOIN item ON item.key = assignment.item"
        ).fetchall()))  # fmt: skip

    assert len(heads) == 1
    real = np.array([truth[row[0]] for row in rows], dtype=bool)
    values = np.array([[float(v) for v in row[1:]] for row in rows])
    assert len(rows) == 3 * 20
    for column in values.T:
        assert stats.mannwhitneyu(column[real], column[~real]).pvalue > 0.001


def test_a_reader_reaches_nothing_of_another(site):
    """Showings of one are unknown to the other, on every route; without a session there is nothing at all."""
    one, other = site.readers
    form = one.form()
    own = other.form()
    stranger = Reader(site.app, "nobody")

    assert other.answer({**own, "assignment": form["assignment"]}, call="real", confidence="1").status_code == 404
    for path in (
        f"/image/{form['assignment']}/0.bin",
        f"/feedback/{form['assignment']}",
        f"/image/{form['assignment']}/0/0.nii",
    ):
        assert other.client.get(path).status_code == 404
        assert stranger.client.get(path).status_code == 401
    assert stranger.answer(form, call="real", confidence="1").status_code == 401
    assert stranger.client.get("/mine.csv").status_code == 401
    assert stranger.client.get("/read").headers["location"] == "/"
    assert site.store.read(lambda db: db.execute("SELECT count(*) FROM answer").fetchone()[0]) == 0


def test_forms_of_other_pages_are_refused(site):
    """No secret, a wrong one, another origin, no origin, another kind of body, another method."""
    reader = site.readers[0]
    form = reader.form() | {"call": "real", "confidence": "1"}

    assert reader.answer({**form, "csrf": ""}).status_code == 403
    assert reader.answer({**form, "csrf": site.readers[1].form()["csrf"]}).status_code == 403
    for origin in ("http://evil.example", "null", "", "https://127.0.0.1:8765"):
        assert reader.client.post("/answer", data=form, headers={"Origin": origin}).status_code == 403
    assert reader.client.post("/answer", json=form).status_code == 415
    assert reader.client.post("/answer", files={"call": b"real"}).status_code == 415
    assert reader.client.post("/answer", data=form, headers={"Content-Encoding": "gzip"}).status_code == 415
    assert reader.client.send("OPTIONS", "/answer", headers={"Origin": "http://evil.example"}).status_code == 405
    assert reader.client.send("PUT", "/answer", data=form).status_code == 405
    assert reader.client.post("/answer", data=form).status_code == 303


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost:x", "10.0.0.5", "user@127.0.0.1@x"]
)
def test_other_names_of_the_server_are_refused(site, host):
    """A name that is rebound to this machine opens nothing."""
    assert site.readers[0].client.get("/", headers={"Host": host}).status_code == 403


def test_names_that_were_allowed_are_answered(tmp_path):
    """A public server answers to its names and to plain addresses."""
    toy_study(tmp_path / "study")
    with served(tmp_path / "study", (), hosts=frozenset({"ward.example"}), public=True) as site:
        client = Client(site.app, "http://ward.example")

        hosts = ("ward.example", "10.0.0.5:80", "x.example")
        assert [client.get("/", headers={"Host": host}).status_code for host in hosts] == [200, 200, 403]


def test_every_reply_has_the_headers_that_keep_a_page_apart(site):
    """Pages, files, pictures, redirections and refusals."""
    reader = site.readers[0]
    assignment = reader.form()["assignment"]
    paths = ["/", "/read", "/assets/read.js", f"/image/{assignment}/0.bin", "/nothing", "/answer"]
    for reply in (*map(reader.client.get, paths), reader.client.get("/", headers={"Host": "x"})):
        assert {name: "" if name == "Cache-Control" else reply.headers[name] for name in HEADERS} == {
            **HEADERS,
            "Cache-Control": "",
        }
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "access-control-allow-origin" not in reader.client.get("/").headers


def test_an_invitation_works_once_and_is_stored_hashed(site, tmp_path):
    """A second use opens nothing; another invitation ends sessions and passphrase, and keeps the answers."""
    secret = invite_reader(tmp_path / "study", "Dr C").rpartition("/")[2]
    reader, thief = Reader(site.app, "Dr C"), Reader(site.app, "Dr C")

    assert reader.client.get(f"/invite/{secret}").status_code == 200  # looking at it does not spend it
    assert reader.accept(secret, "short").status_code == 422
    assert reader.accept(secret).status_code == 303
    assert thief.accept(secret).status_code == thief.client.get(f"/invite/{secret}").status_code == 404
    held = "".join(f"{row[:]}" for row in site.store.read(lambda db: db.execute("SELECT * FROM invitation").fetchall()))
    assert secret not in held
    reader.answer(reader.form(), call="real", confidence="1")
    again = invite_reader(tmp_path / "study", "dr c", again=True).rpartition("/")[2]
    assert reader.form() is None
    assert reader.log_in().status_code == 403
    assert reader.accept(again, "another passphrase").status_code == 303
    assert "2 of 10" in reader.client.get("/read").text


def test_logging_in_needs_the_passphrase_and_is_limited(site):
    """After eight failures even the right one is refused for a while; other readers are not."""
    reader = Reader(site.app, "Dr A")

    assert [reader.log_in("wrong passphrase").status_code for _ in range(8)] == [403] * 8
    assert reader.log_in().status_code == 429
    assert Reader(site.app, "DR B ").log_in().status_code == 303


def test_many_guesses_from_one_address_are_limited(site):
    """Also over several names and invitations."""
    guesser = Reader(site.app, "x")
    codes = [guesser.client.get(f"/invite/{n}").status_code for n in range(62)]

    assert (codes[0], codes[-1]) == (404, 429)


def test_a_session_is_new_at_each_login_and_ends_at_logout(site):
    """A cookie that somebody planted is not taken over; flags keep scripts and other sites off."""
    reader = Reader(site.app, "Dr A")
    reader.client.cookies.set("glioforge-reader", "planted")
    flags = reader.log_in().headers["set-cookie"]
    cookie = reader.client.cookies.get("glioforge-reader", domain="127.0.0.1")
    csrf = reader.form()["csrf"]

    assert "planted" not in flags
    assert all(flag in flags for flag in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert reader.client.post("/logout", data={"csrf": csrf}).status_code == 303
    assert site.readers[0].client.get("/read").status_code == 200  # the other device stays
    assert (
        Reader(site.app, "x").client.get("/mine.csv", headers={"Cookie": f"glioforge-reader={cookie}"}).status_code
        == 401
    )


def test_cookies_of_a_tls_server_never_travel_without(tmp_path):
    """The flag is set where the study is served by TLS."""
    toy_study(tmp_path / "study")
    with served(tmp_path / "study", secure=True) as site:
        flags = Reader(site.app, "Dr A", "https://127.0.0.1:8765").log_in().headers["set-cookie"]

    assert "Secure" in flags


@pytest.mark.parametrize("column", ["seen_at", "ends_at"])
def test_sessions_expire(site, column):
    """After a while without a request, and in any case after two weeks."""
    change = "UPDATE session SET seen_at = ?" if column == "seen_at" else "UPDATE session SET ends_at = ?"
    site.store.write(lambda db: db.execute(change, ("2020-01-01T00:00:00.000+00:00",)))

    assert site.readers[0].client.get("/mine.csv").status_code == 401


def test_what_readers_write_is_shown_as_text_and_starts_no_formula(tmp_path):
    """Names, titles and comments with markup and formulas."""
    nasty = "<script>alert(1)</script>"
    toy_study(tmp_path / "study", title=nasty)
    with served(tmp_path / "study", (f"=A1{nasty}",)) as site:
        reader = site.readers[0]
        reader.answer(reader.form(), call="real", confidence="1", comment=f"=cmd()\n{nasty}")
        pages = reader.client.get("/").text + reader.client.get("/read").text
        mine = reader.client.get("/mine.csv").text

    assert nasty not in pages
    assert "&lt;script&gt;" in pages
    assert "\"'=cmd()" in mine


@pytest.mark.parametrize(
    "path",
    ["/assets/../app.py", "/assets/%2e%2e/app.py", "/assets/%252e%252e/app.py", "/assets/..%5capp.py",
     "/assets//etc/passwd", "/assets/read.js%00", "/assets/\uff0e\uff0e/app.py", "/image/../../study.sqlite/0.bin",
     "/image/%2e%2e%2fstudy/0.bin", "/invite/%2e%2e", "/feedback/..%2f",
     "/image/x/-1.bin", "/image/x/99999999999999999999.bin"],
)  # fmt: skip
def test_no_path_leads_out(site, path):
    """Names are looked up, never joined to a path."""
    assert site.readers[0].client.get(path).status_code in {404, 307}


def test_a_store_that_fails_is_told_and_nothing_is_called_saved(site, monkeypatch):
    """A locked, full or damaged database."""
    reader = site.readers[0]
    form = reader.form()

    def broken(_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken_store:
        broken_store.setattr(type(site.store), "write", lambda *_: broken(None))
        refused = reader.answer(form, call="real", confidence="1")
    assert refused.status_code == 503
    assert "NOT saved" in refused.json()["problem"]
    assert reader.answer(form, call="real", confidence="1").status_code == 200


def test_a_damaged_stimulus_is_told(site, tmp_path):
    """No half picture is shown."""
    reader = site.readers[0]
    for file in (tmp_path / "study" / "stimuli").iterdir():
        file.write_bytes(b"damaged")

    reply = reader.client.get(f"/image/{reader.form()['assignment']}/0.bin")
    assert reply.status_code == 503
    assert "damaged" in reply.text


def test_pixels_are_sent_at_ticks_whatever_it_takes_to_read_them(site, monkeypatch):
    """The time of a reply says nothing of how well the pixels were compressed."""
    monkeypatch.setattr("glioforge.reader.app.TICK_S", 0.05)
    app = reading_app(site.study, site.store)
    reader = Reader(app, "Dr A")
    reader.log_in()
    assignment = reader.form()["assignment"]
    times = []
    for _ in range(3):
        begun = time.monotonic()
        reader.client.get(f"/image/{assignment}/0.bin")
        times.append(time.monotonic() - begun)

    assert min(times) >= 0.05
