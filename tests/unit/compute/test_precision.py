"""Precision follows the hardware, decided by flags alone on simulated processors; freed memory is kept."""

import time
from types import SimpleNamespace

import pytest
import torch

from glioforge.compute import precision as memory
from glioforge.compute.accelerator import AcceleratorSpec, described, precision_for, precision_note, resolved, start
from glioforge.compute.precision import EmulatedPrecisionWarning, computes_bfloat16, keep_freed_memory, native_precision
from toy_processors import NATIVE, PROCESSORS, pretend

CPU = AcceleratorSpec(device="cpu", threads=1)


@pytest.mark.parametrize("name", PROCESSORS)
def test_bfloat16_where_the_processor_computes_it(monkeypatch, name):
    """AVX-512 alone, tiles of AMX alone, or instructions that may not be used are not enough."""
    pretend(monkeypatch, name)

    assert computes_bfloat16("cpu") == (name in NATIVE)
    assert resolved(CPU).precision == ("bf16-mixed" if name in NATIVE else "32-true")


@pytest.mark.parametrize(("there", "native"), [(True, True), (True, False), (False, True)])
def test_a_gpu_that_emulates_bfloat16_takes_float32(monkeypatch, there, native):
    """Torch is asked without its emulation; older GPUs would pass otherwise."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation=True: including_emulation or native
    )

    assert native_precision("cuda") == ("bf16-mixed" if there and native else "32-true")


@pytest.mark.parametrize("device", ["mps", "xpu"])
def test_other_devices_take_float32(monkeypatch, device):
    """Whatever is not known to compute bfloat16."""
    pretend(monkeypatch, "AVX-512 BF16")

    assert native_precision(device) == "32-true"


def test_no_clock_is_asked(monkeypatch):
    """A busy machine decides as an idle one."""
    for clock in ("time", "monotonic", "perf_counter", "process_time"):
        monkeypatch.setattr(time, clock, lambda: pytest.fail("a clock was read"))
    computes_bfloat16("cpu")

    assert resolved(CPU).threads == 1


@pytest.mark.parametrize("name", ["AVX2", "AVX-512 BF16"])
def test_fabric_starts_in_the_precision_of_the_processor(monkeypatch, name):
    """Also where nobody resolved it before."""
    pretend(monkeypatch, name)
    with start(CPU).autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert product.dtype == (torch.bfloat16 if name in NATIVE else torch.float32)


def test_asking_for_emulated_bfloat16_warns(monkeypatch):
    """It is done as asked."""
    asked = CPU.model_copy(update={"precision": "bf16-mixed"})
    pretend(monkeypatch, "AVX2")
    with pytest.warns(EmulatedPrecisionWarning, match="emulates bfloat16, many times slower than float32; leave"):
        found = resolved(asked)
    with pytest.warns(EmulatedPrecisionWarning):
        runs = precision_for("32-true", asked)

    assert found.precision == runs == "bf16-mixed"
    assert "bfloat16, emulated, on cpu" in described(found)


@pytest.mark.parametrize(
    ("trained", "asked", "name", "runs"),
    [
        ("bf16-mixed", "auto", "AVX-512 BF16", "bf16-mixed"),
        ("bf16-mixed", "auto", "AVX2", "32-true"),
        ("32-true", "auto", "AVX-512 BF16", "32-true"),
        ("32-true", "auto", "AVX2", "32-true"),
        ("32-true", "bf16-mixed", "AVX-512 BF16", "bf16-mixed"),
        ("bf16-mixed", "32-true", "AVX-512 BF16", "32-true"),
    ],
)
def test_a_model_runs_as_it_was_trained(monkeypatch, trained, asked, name, runs):
    """Never in bfloat16 after float32 unless asked; in float32 where bfloat16 would be emulated, with a note."""
    pretend(monkeypatch, name)
    found = precision_for(trained, CPU.model_copy(update={"precision": asked}))

    assert found == runs
    assert bool(precision_note(trained, found)) == (trained != runs)


def test_the_note_names_both():
    """In the words that the screen uses."""
    assert precision_note("bf16-mixed", "32-true").startswith("trained in bfloat16, runs in float32")


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
