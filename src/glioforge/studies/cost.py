"""Time and memory of a stage, for the report only; never part of the results."""

import resource
import sys
import time
from typing import Any, final

_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024


@final
class Cost:
    """What a stage takes, from the making of this object on."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: wall-clock seconds until now, and the process's largest resident memory in GiB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT
        return {"seconds": round(time.monotonic() - self._began, 1), "peak_gib": round(peak / 2**30, 2)}
