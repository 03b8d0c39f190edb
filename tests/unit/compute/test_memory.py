"""Freed memory is kept where the C library can do so."""

from types import SimpleNamespace

import pytest

from glioforge.compute import precision as memory
from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.compute.precision import keep_freed_memory


class Library:
    """A C library that answers and remembers."""

    def __init__(self, answer):
        self.asked = {}
        self._answer = answer

    def mallopt(self, option, value):
        """Take an option."""
        self.asked[option] = value
        return self._answer


@pytest.fixture
def fresh():
    """Forget what was asked before, and afterwards."""
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


@pytest.mark.parametrize(("answer", "kept"), [(1, True), (0, False)])
def test_a_training_asks_for_it(fresh, monkeypatch, answer, kept):
    """Large blocks come from memory that is kept; a refusal is no error."""
    library = Library(answer)
    monkeypatch.setattr(memory, "ctypes", SimpleNamespace(CDLL=lambda _: library))
    start(AcceleratorSpec(device="cpu", precision="32-true"))

    assert library.asked[-3] == 32 * 2**20
    assert keep_freed_memory() == kept


def test_other_libraries_are_left_alone(fresh, monkeypatch):
    """Without the setting nothing happens."""
    monkeypatch.setattr(memory, "ctypes", SimpleNamespace(CDLL=lambda _: object()))

    assert not keep_freed_memory()


def test_usable_memory_is_that_of_the_container_where_it_has_less(tmp_path, monkeypatch):
    """A limit that is no number, or a missing file, is none."""
    monkeypatch.setattr(memory, "_LIMITS", (tmp_path / "none",))
    memory.usable_memory.cache_clear()
    whole = memory.usable_memory()
    assert whole > 2**28
    for text, expected in (("max\n", whole), ("1048576\n", 2**20)):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(memory, "_LIMITS", (tmp_path / "limit",))
        memory.usable_memory.cache_clear()
        assert memory.usable_memory() == expected
    memory.usable_memory.cache_clear()
