"""Tests of `reader.store`: what was acknowledged is kept, and what was changed behind our back is found."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from glioforge.core.errors import InputFileError, OutputError
from glioforge.reader.store import Store, connect, create_store, digest, meta, note, record, verify


@pytest.fixture
def store(tmp_path):
    """A database with one reader, three showings and three answers."""
    create_store(tmp_path / "study.sqlite")
    with Store(tmp_path / "study.sqlite") as made:
        made.write(fill)
        yield made


def fill(db):
    """Write rows of every table that an answer needs."""
    db.execute("INSERT INTO reader VALUES (1, 'A', 'a', NULL, '')")
    record(db, "create", {})
    for n in range(3):
        db.execute("INSERT INTO item VALUES (?, 's', 'real', '', 't1', 'real', 0, '{}')", (f"item{n}",))
        db.execute("INSERT INTO assignment VALUES (?, 1, ?, ?, '', '', NULL)", (f"a{n}", n, f"item{n}"))
        db.execute("INSERT INTO answer VALUES (?, 'k', '{}', '')", (f"a{n}",))
        record(db, "answer", {"assignment": f"a{n}", "digest": digest(f"a{n}", "k", "{}")})


def behind(store, *statements):
    """Change the database as somebody with the file would."""
    db = connect(store.path)
    db.execute("PRAGMA foreign_keys=OFF")
    for trigger in ("answer_kept", "answer_stays", "audit_kept", "audit_stays"):
        db.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        db.execute(statement)
    db.close()


def test_a_whole_chain_is_verified(store):
    """Its hash is that of the last row."""
    head = store.read(verify)

    assert head == store.read(lambda db: db.execute("SELECT hash FROM audit ORDER BY number DESC").fetchone()[0])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET body = '{}' WHERE number = 2",
        "UPDATE audit SET at = '2020' WHERE number = 3",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit WHERE number = 4",
        "UPDATE answer SET body = '{\"call\": \"real\"}' WHERE assignment = 'a1'",
        "DELETE FROM answer WHERE assignment = 'a1'",
    ],
)
def test_a_row_that_was_changed_or_removed_is_found(store, statement):
    """Also the last one, and also an answer that the chain knows otherwise."""
    behind(store, statement)

    with pytest.raises(InputFileError, match=r"changed|removed"):
        store.read(verify)


def test_an_answer_that_nobody_gave_is_found(store):
    """The chain has to know it."""
    behind(
        store,
        "INSERT INTO assignment VALUES ('a9', 1, 9, 'item1', '', '', NULL)",
        "INSERT INTO answer VALUES ('a9', 'k', '{}', '')",
    )

    with pytest.raises(InputFileError, match="a9 was changed or added"):
        store.read(verify)


@pytest.mark.parametrize(
    "statement", ["UPDATE answer SET body = ''", "DELETE FROM answer", "UPDATE audit SET at = ''", "DELETE FROM audit"]
)
def test_the_program_itself_cannot_change_answers(store, statement):
    """Triggers refuse it."""
    with pytest.raises(sqlite3.IntegrityError, match=r"final|append-only"):
        store.write(lambda db: db.execute(statement))


def test_a_failed_transaction_leaves_nothing(store):
    """All of it or nothing is kept, and the next one works."""

    def half(db):
        note(db, "x", "1")
        raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        store.write(half)
    assert store.read(lambda db: meta(db, "x")) is None
    store.write(lambda db: note(db, "x", "2"))
    store.write(lambda db: note(db, "x", "3"))
    assert store.read(lambda db: meta(db, "x")) == "3"


def test_many_threads_write_one_after_another(store):
    """No write is lost, and the chain is whole."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.write(lambda db: record(db, "note", {"n": n})), range(40)))

    store.read(verify)
    assert store.read(lambda db: db.execute("SELECT count(*) FROM audit").fetchone()[0]) == 44


def test_settings_are_those_that_keep_acknowledged_writes(store):
    """WAL, full synchronisation, foreign keys."""
    for setting, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        found = store.read(lambda db, setting=setting: db.execute(f"PRAGMA {setting}").fetchone()[0])
        assert found == value


def test_what_is_no_database_is_refused(tmp_path):
    """By a typed error, and a second database is not put over the first."""
    (tmp_path / "no.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputFileError, match="damaged database"):
        Store(tmp_path / "no.sqlite")
    with pytest.raises(InputFileError, match="no database"):
        Store(tmp_path / "missing.sqlite")
    with pytest.raises(OutputError, match="a study in the folder"):
        create_store(tmp_path / "no.sqlite")
    with pytest.raises(OutputError, match="cannot write"):
        create_store(tmp_path / "nowhere" / "no.sqlite")
