"""What a training would take, before it is begun: parameters, memory and time, measured by a few real steps.

The steps are taken by the very call that would train, on its own batches, in a
folder that is thrown away.  A method that trains in several runs is estimated
by the first of them that is not marked as preparing the others.
"""

import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from glioforge.compute import AcceleratorSpec, Precision, described, precision_of, seed_torch
from glioforge.training.budget import Budget
from glioforge.training.recipe import Batches, Recipe, Validate
from glioforge.training.record import duration
from glioforge.training.step import NonFiniteError

TIMED_STEPS = 5
"""Steps that the time is the mean of, from all parts of the training: a critic may join late."""
_MIB = 2**20


@final
@dataclass(frozen=True)
class Estimate:
    """What a training would take on this machine.

    Args:
        parameters: Number of weights of each network; averages of weights count as networks.
        shapes: Shape of each tensor of the last batch.
        weights: Bytes of weights and buffers of all networks.
        gradients: Bytes of the gradients.
        optimizers: Bytes of the optimisers' states.
        activations: Peak memory of activations stored for the backward pass, in bytes.
        peak: Peak bytes of the device, or of this process on a CPU.
        step_s: Seconds a step.
        validation_s: Seconds a validation.
        budget: Steps and validations.
        device: Type of the device.
        precision: Precision that the steps were taken in.
        threads: Threads of torch on the CPU.
    """

    parameters: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    weights: int
    gradients: int
    optimizers: int
    activations: int
    peak: int
    step_s: float
    validation_s: float
    budget: Budget
    device: str
    precision: Precision
    threads: int

    @property
    def total_s(self) -> float:
        """Seconds for the whole budget, without early stopping."""
        validations = -(-self.budget.steps // self.budget.validate_every)
        return self.budget.steps * self.step_s + validations * self.validation_s

    def lines(self) -> list[str]:
        """Return the estimate for the user, one line per fact."""
        parts = {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimiser states": self.optimizers,
            "activations of a step": self.activations,
        }
        return [
            *(f"{name}: {count:,} parameters" for name, count in self.parameters.items()),
            "batch: " + ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in self.shapes.items()),
            "memory: " + ", ".join(f"{name} {size / _MIB:.1f} MiB" for name, size in parts.items()),
            described(AcceleratorSpec(device=self.device, precision=self.precision, threads=self.threads)),
            f"peak: {self.peak / _MIB:.0f} MiB",
            f"time: {self.step_s:.3g} s a step, {self.validation_s:.3g} s a validation",
            f"in all: {duration(self.total_s)} for {self.budget.steps} steps",
        ]


@final
class EstimatedError(Exception):
    """Ends a call that was made to be estimated; never leaves `estimate`.

    Args:
        found: What was measured.
    """

    def __init__(self, found: Estimate) -> None:
        super().__init__("estimated")
        self.found = found


_ASKED: ContextVar[bool] = ContextVar("estimate asked for", default=False)


def estimate(train: Callable[[Path], object]) -> Estimate | None:
    """Measure the first training that a call would begin; nothing stays on disk.

    Args:
        train: Trains a model in the folder that it is given.

    Returns:
        The estimate, or none where the call trains no network.
    """
    token = _ASKED.set(True)
    try:
        with tempfile.TemporaryDirectory() as place:
            train(Path(place) / "model")
    except EstimatedError as ending:
        return ending.found
    finally:
        _ASKED.reset(token)
    return None


@contextmanager
def preparing() -> Iterator[bool]:
    """Trainings inside come before the one that is asked about: they are taken, not measured.

    Gives whether an estimate was asked for, so that they can be cut short.
    """
    asked = _ASKED.get()
    token = _ASKED.set(False)
    try:
        yield asked
    finally:
        _ASKED.reset(token)


def end_if_estimating(
    recipe: Recipe, batches: Batches, budget: Budget, fabric: Fabric, seed: int, validate: Validate | None
) -> None:
    """Measure and end the call if it was made to be estimated; for the loop.

    Raises:
        EstimatedError: With the estimate.
    """
    if _ASKED.get():
        raise EstimatedError(_measured(recipe, batches, budget, fabric, seed, validate))


def _measured(
    recipe: Recipe, batches: Batches, budget: Budget, fabric: Fabric, seed: int, validate: Validate | None
) -> Estimate:
    """Take the first and the last step with an eye on memory, then some against the clock, then a validation."""
    device, networks = fabric.device, recipe.networks.to(fabric.device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)

    def take(number: int) -> Mapping[str, torch.Tensor]:
        seed_torch(seed, "step", number)
        networks.train()
        batch = {name: value.to(device) for name, value in batches(number).items()}
        with suppress(NonFiniteError):
            recipe.step(batch, number, fabric)
        return batch

    held = _Held(networks)
    with saved_tensors_hooks(held.pack, held.unpack):
        take(0)
        batch = take(budget.steps - 1)
    among = [budget.steps * (2 * number + 1) // (2 * TIMED_STEPS) for number in range(TIMED_STEPS)]
    step_s = _seconds(device, lambda: [take(number) for number in among]) / TIMED_STEPS
    network = recipe.inference_network().eval()
    with torch.no_grad():
        validation_s = 0.0 if validate is None else _seconds(device, lambda: validate(network))
    trained = {id(p): p for o in recipe.optimizers.values() for group in o.param_groups for p in group["params"]}
    peak = torch.cuda.max_memory_allocated(device) if on_gpu else _peak_of_process()
    return Estimate(
        parameters={name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()},
        shapes={name: tuple(value.shape) for name, value in batch.items()},
        weights=sum(value.nbytes for value in [*networks.parameters(), *networks.buffers()]),
        gradients=sum(p.nbytes for p in trained.values()),
        optimizers=sum(_state_bytes(optimizer) for optimizer in recipe.optimizers.values()),
        activations=held.most,
        peak=peak,
        step_s=step_s,
        validation_s=validation_s,
        budget=budget,
        device=device.type,
        precision=precision_of(fabric),
        threads=torch.get_num_threads(),
    )


@final
class _Held:
    """Counts the bytes kept for the way back, each storage once and weights never."""

    def __init__(self, networks: nn.Module) -> None:
        self._weights = {p.untyped_storage().data_ptr() for p in networks.parameters()}
        self._users: dict[int, int] = {}
        self.now = self.most = 0

    def pack(self, tensor: torch.Tensor) -> "_Kept":
        """Keep a tensor and count its storage."""
        return _Kept(tensor, self)

    def unpack(self, kept: "_Kept") -> torch.Tensor:
        """Give it back."""
        return kept.tensor

    def change(self, storage: torch.UntypedStorage, by: int) -> None:
        """One user of a storage more or fewer."""
        key = storage.data_ptr()
        if key in self._weights:
            return
        before = self._users.get(key, 0)
        self._users[key] = before + by
        if 0 in (before, before + by):
            self.now += by * storage.nbytes()
        self.most = max(self.most, self.now)


@final
class _Kept:
    """A tensor kept for the way back; leaves the count when the graph lets it go."""

    def __init__(self, tensor: torch.Tensor, held: _Held) -> None:
        self.tensor, self._held = tensor, held
        held.change(tensor.untyped_storage(), 1)

    def __del__(self) -> None:
        self._held.change(self.tensor.untyped_storage(), -1)


def _seconds(device: torch.device, call: Callable[[], object]) -> float:
    """Time of a call, the device's pending work included."""
    began = time.monotonic()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic() - began


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of an optimiser's tensors."""
    slots: list[Any] = [value for state in optimizer.state.values() for value in state.values()]
    return sum(value.nbytes for value in slots if isinstance(value, torch.Tensor))


def _peak_of_process() -> int:
    """Largest resident memory of this process so far, in bytes; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
