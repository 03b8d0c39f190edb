"""The book of looks: two copies whose union counts, entries that keep their first times, typed errors."""

from dataclasses import replace
from pathlib import Path

import pytest

from glioforge.core.errors import InputFileError, OutputError
from glioforge.studies.looks import Entry, LookBook

ENTRY = Entry("a1", "first", "First?", (("x", "y"), ("z",)), "2026-01-01T00:00:00.000000+00:00", version="0.1")


@pytest.fixture
def book(tmp_path):
    """A book with both copies."""
    (tmp_path / "cohort").mkdir()
    return LookBook(tmp_path / "state" / "lock.json", tmp_path / "cohort" / "lock.json")


def test_the_first_times_stay(book):
    """To register or to look again changes nothing."""
    book.register(ENTRY)
    seen = book.look(ENTRY)
    later = replace(ENTRY, registered="2027-01-01T00:00:00.000000+00:00", name="other name")

    assert seen.looked is not None
    assert book.register(later) == seen
    assert book.look(later) == seen
    assert book.entries() == (seen,)


def test_a_look_without_registration_is_noted_too(book):
    """Nothing that was scored is lost."""
    assert book.look(ENTRY).looked is not None


@pytest.mark.parametrize("lost", ["state", "beside"])
def test_what_either_copy_knows_counts(book, lost):
    """Deleting one copy resets nothing, and it is written again with the next look."""
    seen = book.look(ENTRY)
    getattr(book, lost).unlink()

    assert book.entries() == (seen,)
    book.register(replace(ENTRY, study="b2"))
    assert {entry.study for entry in LookBook(getattr(book, lost)).entries()} == {"a1", "b2"}


def test_scans_are_shared_by_any_of_their_hashes():
    """A scan of which one contrast is known is known."""
    other = replace(ENTRY, study="b", scans=(("y",), ("w",)))

    assert ENTRY.shared_with(other) == 1
    assert ENTRY.key != other.key
    assert ENTRY.key == replace(ENTRY, scans=ENTRY.scans[::-1], name="n", title="t", registered="", version="").key


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 9, "studies": []}', '{"version": 1, "studies": [{"study": 1}]}', "\xff"]
)
@pytest.mark.parametrize("copy", ["state", "beside"])
def test_a_damaged_copy_is_a_typed_error(book, copy, text):
    """It is never passed over, as an empty one would be."""
    book.look(ENTRY)
    getattr(book, copy).write_text(text, encoding="latin-1")

    for call in (book.entries, lambda: book.register(ENTRY), lambda: book.look(ENTRY)):
        with pytest.raises(InputFileError, match="damaged test lock"):
            call()


def test_a_state_folder_that_cannot_be_written_is_a_typed_error(tmp_path):
    """With the variable that names another."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(OutputError, match="GLIOFORGE_STATE"):
        LookBook(tmp_path / "file" / "below" / "lock.json").register(ENTRY)


def test_a_cohort_that_cannot_be_written_keeps_no_copy(tmp_path, monkeypatch):
    """The state folder counts alone; a copy that exists must be writable."""
    book = LookBook(tmp_path / "lock.json", Path("/proc/1/lock.json"))

    assert not book.beside_is_kept
    assert book.look(ENTRY).looked is not None
    assert len(book.entries()) == 1
