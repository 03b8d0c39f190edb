"""Accelerators: what Fabric is started with, seeds, deterministic sections."""

import lightning_fabric
import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec, deterministic, device_of, seed_torch, start
from glioforge.core.errors import DependencyError


@pytest.fixture
def started(monkeypatch):
    """What Fabric was started with, without starting it."""
    calls = []

    class Fabric:
        def __init__(self, **settings):
            calls.append(settings)

        def launch(self):
            calls.append("launch")

    monkeypatch.setattr(lightning_fabric, "Fabric", Fabric)
    return calls


@pytest.fixture
def threads():
    """Give torch its threads back afterwards."""
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def test_the_default_is_one_process():
    """On a machine without GPU that is the CPU."""
    fabric = start(AcceleratorSpec(device="cpu"))

    assert fabric.device.type == "cpu"
    assert fabric.world_size == 1


@pytest.mark.parametrize(
    ("spec", "strategy", "launches"),
    [
        (AcceleratorSpec(), "auto", False),
        (AcceleratorSpec(devices=2), "ddp", True),
        (AcceleratorSpec(nodes=2), "ddp", True),
        (AcceleratorSpec(devices=2, strategy="fsdp"), "fsdp", True),
        (AcceleratorSpec(strategy="ddp"), "ddp", False),
    ],
)
def test_several_processes_are_a_setting(started, spec, strategy, launches):
    """More than one device or node means DDP unless told otherwise, and a launch."""
    start(spec)

    assert started[0]["strategy"] == strategy
    assert (started[0]["devices"], started[0]["num_nodes"]) == (spec.devices, spec.nodes)
    assert ("launch" in started) == launches


@pytest.mark.parametrize("device", ["cuda", "mps"])
@pytest.mark.parametrize("call", [start, device_of])
def test_a_gpu_that_is_not_there_is_an_error(monkeypatch, device, call):
    """Asking for a GPU without one stops with a remedy."""
    monkeypatch.setattr(
        getattr(torch, device) if device == "cuda" else torch.backends.mps, "is_available", lambda: False
    )

    with pytest.raises(
        DependencyError, match=f"device '{device}' without a GPU that torch can see; set device to auto"
    ):
        call(AcceleratorSpec(device=device))


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_a_gpu_when_there_is_one(monkeypatch, cuda, mps, expected):
    """For inference as for training."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    assert device_of(AcceleratorSpec()).type == expected


def test_threads_are_a_setting(started, threads):
    """The same threads give the same bytes on a CPU."""
    start(AcceleratorSpec(threads=threads + 1))

    assert torch.get_num_threads() == threads + 1


def test_a_named_seed_gives_the_same_draws():
    """Streams of torch depend on seed and name alone."""
    seed_torch(7, "noise", 3)
    first = torch.rand(4)
    seed_torch(7, "noise", 4)
    other = torch.rand(4)
    seed_torch(7, "noise", 3)

    assert torch.equal(torch.rand(4), first)
    assert not torch.equal(other, first)


@pytest.mark.parametrize("before", [True, False])
def test_deterministic_restores_the_setting(before):
    """Also when the work fails."""
    torch.use_deterministic_algorithms(before)

    def fail():
        msg = "no"
        raise RuntimeError(msg)

    try:
        assert deterministic(torch.are_deterministic_algorithms_enabled)
        with pytest.raises(RuntimeError, match="no"):
            deterministic(fail)

        assert torch.are_deterministic_algorithms_enabled() == before
    finally:
        torch.use_deterministic_algorithms(mode=False)


def test_starting_says_nothing(caplog):
    """Fabric's line about precision does not come between the lines of progress."""
    start(AcceleratorSpec(device="cpu"))

    assert caplog.text == ""
