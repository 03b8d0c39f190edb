"""Devices, precision and processes through Lightning Fabric.

One process is the default; several devices or nodes are a setting, never a
change of code.  The precision follows the device (see `compute.precision`).
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field

from glioforge.compute.precision import (
    PRECISION_WORDS,
    Precision,
    computes_bfloat16,
    keep_freed_memory,
    native_precision,
    warn_if_emulated,
)
from glioforge.config import Spec
from glioforge.core import DependencyError, stream_seed

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric

Result = TypeVar("Result")


class AcceleratorSpec(Spec):
    """Where and how training runs."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes a GPU when there is one."""
    devices: int = Field(1, ge=1)
    """Processes of this node, one a device."""
    nodes: int = Field(1, ge=1)
    """Nodes of a cluster job."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """`auto` is one process for one device and DDP for several."""
    precision: Literal["auto", "bf16-mixed", "32-true"] = "auto"
    """Autocast to bfloat16, or plain float32. `auto` is bfloat16 where the device computes it by itself and float32
    elsewhere; a trained model runs in bfloat16 only if it was trained in it."""
    threads: int | None = Field(None, ge=1)
    """Threads of torch on the CPU; none keeps torch's choice. Same threads, same bytes."""


def resolved(spec: AcceleratorSpec) -> AcceleratorSpec:
    """The spec with the precision and the threads that this machine gives to `auto` and none.

    Warns:
        EmulatedPrecisionWarning: Bfloat16 is asked for where it is emulated.
    """
    import torch

    device = device_of(spec).type
    precision = native_precision(device) if spec.precision == "auto" else spec.precision
    warn_if_emulated(precision, device)
    return spec.model_copy(update={"precision": precision, "threads": spec.threads or torch.get_num_threads()})


def precision_for(trained_in: str, spec: AcceleratorSpec) -> Precision:
    """Precision that a trained model runs in.

    Where none is asked for, it is that of its training; but float32 where the device would emulate bfloat16, and
    never bfloat16 for a model trained in float32.

    Args:
        trained_in: Precision of its training.
        spec: Device, and a precision or `auto`.

    Warns:
        EmulatedPrecisionWarning: Bfloat16 is asked for where it is emulated.
    """
    device = device_of(spec).type
    if spec.precision != "auto":
        warn_if_emulated(spec.precision, device)
        return spec.precision
    return "bf16-mixed" if trained_in == "bf16-mixed" and computes_bfloat16(device) else "32-true"


def precision_note(trained_in: str, runs_in: str) -> str:
    """What card and screen say of a model that runs in another precision than it was trained in; else empty."""
    if trained_in == runs_in:
        return ""
    was, now = PRECISION_WORDS.get(trained_in, trained_in), PRECISION_WORDS.get(runs_in, runs_in)
    return f"trained in {was}, runs in {now}: its outputs differ a little from those where it was trained"


def described(spec: AcceleratorSpec) -> str:
    """One line for the screen: precision, device and threads of a resolved spec."""
    device = device_of(spec).type
    threads = f", {spec.threads} thread{'s' * (spec.threads != 1)}" if spec.threads and device == "cpu" else ""
    emulated = ", emulated," if spec.precision == "bf16-mixed" and not computes_bfloat16(device) else ""
    return f"computing in {PRECISION_WORDS.get(spec.precision, spec.precision)}{emulated} on {device}{threads}"


def start(spec: AcceleratorSpec) -> "Fabric":
    """Start Fabric for this spec, launching the processes it asks for; `auto` and none as `resolved`.

    Raises:
        DependencyError: The device asked for is not there.
    """
    from lightning_fabric import Fabric

    device = device_of(spec).type
    keep_freed_memory()
    if spec.threads is not None:
        set_threads(spec.threads)
    # Fabric tells at every start which precision it was asked for, in the midst of the progress lines.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    precision = native_precision(device) if spec.precision == "auto" else spec.precision
    single = spec.devices * spec.nodes == 1
    strategy = "ddp" if spec.strategy == "auto" and not single else spec.strategy
    fabric = Fabric(
        accelerator=spec.device,
        devices=spec.devices,
        num_nodes=spec.nodes,
        strategy=strategy,
        precision=precision,
    )
    if not single:
        fabric.launch()
    return fabric


def precision_of(fabric: "Fabric") -> Precision:
    """Precision that a started Fabric computes in."""
    import torch

    with fabric.autocast():
        return "bf16-mixed" if torch.is_autocast_enabled(fabric.device.type) else "32-true"


def device_of(spec: AcceleratorSpec) -> "torch.device":
    """The one device that inference runs on, without starting Fabric; `auto` takes a GPU when there is one.

    Raises:
        DependencyError: The device asked for is not there.
    """
    import torch

    _require_present(spec)
    if spec.device != "auto":
        return torch.device(spec.device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _require_present(spec: AcceleratorSpec) -> None:
    """Refuse a device that torch cannot see."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(spec.device, True):
        raise DependencyError(
            f"device {spec.device!r} without a GPU that torch can see", remedy="set device to auto or cpu"
        )


def set_threads(count: int) -> None:
    """Let torch take this many threads on the CPU."""
    import torch

    torch.set_num_threads(count)


def seed_torch(seed: int, *names: str | int) -> None:
    """Seed torch's global generators from a named stream (see `core.rng`)."""
    import torch

    torch.manual_seed(stream_seed(seed, *names))


def deterministic(function: Callable[[], Result]) -> Result:
    """Run a function with torch's deterministic algorithms, and restore the setting."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    # Some CUDA kernels have no deterministic form; a warning is better than no result.
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        return function()
    finally:
        torch.use_deterministic_algorithms(before)
