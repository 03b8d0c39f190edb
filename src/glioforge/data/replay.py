"""A buffer of cases that fresh ones enter while a training draws from it.

Cases are numbered.  Case n takes the place of an earlier one at a step that is
fixed beforehand, and is a function of its number, so a batch stays a function of
a seed and a step: workers make cases ahead of their steps, and a training that
goes on after a stop has the cases made again that its buffer held.

Conventions
-----------
reuse    how often a slice (or a patch's worth of brain) of a case is drawn, on average, before the case is replaced
every    steps between two fresh cases: `reuse * samples of a case / samples drawn in a step`
place    of case n: n modulo the size of the buffer, so that the oldest case goes first
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, final

from glioforge.compute import LocalWorkers
from glioforge.core import Case, LabelScheme, Lineage, Modality, SpecError
from glioforge.data.packed import Packed, pack
from glioforge.data.sampling import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    import torch

Row = TypeVar("Row")


@final
@dataclass(frozen=True, eq=False)
class FreshCases:
    """Cases that are made while a segmenter trains.

    Args:
        make: The case of a number, the same whenever it is asked; picklable.
        lineage: Everyone behind the cases, for the firewall.
        key: What decides the cases, plain values.
        reuse: How often each slice of a case is drawn on average.
        workers: Processes that make cases; 0 makes them within the training, when their step comes.

    Raises:
        SpecError: The reuse is not above 0, or the number of workers is negative.
    """

    make: Callable[[int], Case]
    lineage: Lineage
    key: Mapping[str, Any] = field(default_factory=dict)
    reuse: float = 4.0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.reuse <= 0 or self.workers < 0:
            raise SpecError(
                f"reuse {self.reuse}, workers {self.workers}", "a reuse above 0, and no fewer than 0 workers"
            )


class Pool(Source[Row], Protocol[Row]):
    """A source whose cases can be replaced."""

    @property
    def cases(self) -> int:
        """Number of cases."""
        ...

    @property
    def samples(self) -> float:
        """Samples that a case has, on average: slices with brain, or patches that its brain fills."""
        ...

    def swap(self, place: int, packed: Packed, case_id: str) -> None:
        """Put another case in the place of one."""
        ...

    def first(self, place: int) -> tuple[Packed, str]:
        """The case that was in a place at the beginning, and its id."""
        ...


@final
class Replay(Generic[Row]):
    """Batches of a pool whose oldest case is replaced by a fresh one again and again; close it after use.

    Args:
        pool: Cases of the beginning.
        fresh: What makes further ones.
        per_step: Samples drawn from the pool in a step, on average.
        until: Step from which on nothing is drawn from it; none for never.

    Its `waited` counts the seconds for which fresh cases held up a batch.
    """

    def __init__(self, pool: Pool[Row], fresh: FreshCases, per_step: float, until: int | None = None) -> None:
        self.batch_size = pool.batch_size
        self.modalities: tuple[Modality, ...] = pool.modalities
        self.scheme: LabelScheme = pool.scheme
        self.every = fresh.reuse * pool.samples / per_step
        self._pool, self._fresh, self._until = pool, fresh, until
        self._held: dict[int, int] = {}
        self._coming: dict[int, Future[Packed]] = {}
        self._workers: LocalWorkers | None = None
        self.waited = 0.0

    @property
    def size(self) -> tuple[int, ...]:
        """Grid of every sample."""
        return self._pool.size

    def arrived(self, step: int) -> int:
        """Return how many fresh cases have entered the buffer when the batch of a step is drawn."""
        last = step if self._until is None else min(step, self._until - 1)
        return max(0, int(last / self.every))

    def draw(self, step: int) -> list[Row]:
        """Rows of this step's batch, after the cases due have entered."""
        self._bring_to(self.arrived(step))
        return self._pool.draw(step)

    def take(self, rows: "Sequence[Row]") -> "dict[str, torch.Tensor]":
        """Rows as a batch."""
        return self._pool.take(rows)

    def batch(self, step: int) -> "dict[str, torch.Tensor]":
        """The batch of this step."""
        return self.take(self.draw(step))

    def close(self) -> None:
        """End the workers; what they were making is dropped."""
        workers, self._workers = self._workers, None
        self._coming.clear()
        if workers is not None:
            workers.__exit__(None, None, None)

    def _bring_to(self, arrived: int) -> None:
        """Hold the latest cases of all that have arrived, and have the next ones made."""
        size = self._pool.cases
        latest = {number % size: number for number in range(max(0, arrived - size), arrived)}
        due = {place: number for place, number in latest.items() if self._held.get(place) != number}
        self._ask(sorted(due.values()), arrived)
        # A training that went back to an earlier step holds the first cases again where none had arrived by then.
        for place in sorted(set(self._held) - set(latest)):
            self._pool.swap(place, *self._pool.first(place))
            del self._held[place]
        for place, number in sorted(due.items(), key=lambda item: item[1]):
            self._pool.swap(place, self._case(number), f"fresh-{number}")
            self._held[place] = number

    def _ask(self, missing: list[int], arrived: int) -> None:
        """Have workers make the cases that are missing, and enough ahead that no worker waits."""
        if not self._fresh.workers:
            return
        if self._workers is None:
            self._workers = LocalWorkers(self._fresh.workers)
            self._workers.__enter__()
        ahead = range(arrived, arrived + self._fresh.workers + 1)
        last = None if self._until is None else self.arrived(self._until)
        for number in (*missing, *(n for n in ahead if last is None or n < last)):
            if number not in self._coming:
                self._coming[number] = self._workers.submit(packed_case, self._fresh.make, number)
        for number in [n for n in self._coming if n < arrived and n not in missing]:
            del self._coming[number]

    def _case(self, number: int) -> Packed:
        """A fresh case, once it is made."""
        coming = self._coming.pop(number, None)
        began = time.monotonic()
        case = packed_case(self._fresh.make, number) if coming is None else coming.result()
        self.waited += time.monotonic() - began
        return case


def packed_case(make: Callable[[int], Case], number: int) -> Packed:
    """Return a case of a number as the integers that a store would hold."""
    return pack(make(number))
