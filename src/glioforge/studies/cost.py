"""Time and memory of a stage, for the report only; never part of the results."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, final

_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024


@final
@dataclass
class Cost:
    """What a stage took.

    Args:
        seconds: Wall-clock time.
        peak_gib: Largest resident memory of its process so far, in GiB.
    """

    seconds: float = 0.0
    peak_gib: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the block; the numbers are there when it ends."""
    cost = Cost()
    started = time.monotonic()
    yield cost
    cost.seconds = round(time.monotonic() - started, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT
    cost.peak_gib = round(peak / 2**30, 2)
