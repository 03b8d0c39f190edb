"""Devices, precision and processes through Lightning Fabric.

One process is the default; several devices or nodes are a setting, never a
change of code.  bf16 autocast is the default on every device (never fp16).
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field

from glioforge.config.spec import Spec
from glioforge.core.errors import DependencyError
from glioforge.core.rng import stream_seed

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
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed"
    """Autocast to bfloat16, or plain float32."""
    threads: int | None = Field(None, ge=1)
    """Threads of torch on the CPU; none keeps torch's choice. Same threads, same bytes."""


def start(spec: AcceleratorSpec) -> "Fabric":
    """Start Fabric for this spec, launching the processes it asks for.

    Raises:
        DependencyError: The device asked for is not there.
    """
    import torch
    from lightning_fabric import Fabric

    if spec.device == "cuda" and not torch.cuda.is_available():
        raise DependencyError("device 'cuda' without a GPU that torch can see", remedy="set device to auto or cpu")
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    # Fabric tells at every start which precision it was asked for, in the midst of the progress lines.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    single = spec.devices * spec.nodes == 1
    strategy = "ddp" if spec.strategy == "auto" and not single else spec.strategy
    fabric = Fabric(
        accelerator=spec.device,
        devices=spec.devices,
        num_nodes=spec.nodes,
        strategy=strategy,
        precision=spec.precision,
    )
    if not single:
        fabric.launch()
    return fabric


def device_of(spec: AcceleratorSpec) -> "torch.device":
    """The one device that inference runs on, without starting Fabric; `auto` takes a GPU when there is one."""
    import torch

    if spec.device != "auto":
        return torch.device(spec.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_torch(seed: int, *names: str | int) -> None:
    """Seed torch's global generators from a named stream (see `core.rng`)."""
    import torch

    torch.manual_seed(stream_seed(seed, *names))


def deterministic(function: Callable[[], Result]) -> Result:
    """Run a function with torch's deterministic algorithms, and restore the setting."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        return function()
    finally:
        torch.use_deterministic_algorithms(before)
