"""Measure what tasks of the papers' studies take, for the plan of `--dry-run`.

Reads the stores of finished runs, each with the share of its wall-clock time in which the processor worked for it, so
that a busy machine does not count: `time` prints both.

    python experiments/study_costs.py 5.8 run-a=1.0 run-b=0.36 > src/glioforge/studies/papers/costs.json

The first number is the processor time of making and preparing a case, in seconds.
"""

import json
import platform
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

from glioforge.studies.forecast import GATHERING, Past, past_of
from glioforge.studies.store import STORE


def main() -> None:
    """Print the median cost of each function and combination of methods."""
    found: dict[tuple[str, tuple[str, ...]], list[tuple[float, ...]]] = defaultdict(list)
    for text in sys.argv[2:]:
        folder, _, share = text.rpartition("=")
        for one in past_of(Path(folder) / STORE):
            found[one.function, tuple(sorted(one.kinds))].append(_measured(one, float(share)))
    tasks: list[dict[str, object]] = [
        {
            "function": GATHERING,
            "kinds": [],
            "fixed": 0.0,
            "seconds": float(sys.argv[1]),
            "peak_gib": 1.0,
            "disk_mib": 6.0,
        }
    ]
    for (function, kinds), rows in sorted(found.items()):
        fixed, seconds, peak, disk = (median(values) for values in zip(*rows, strict=True))
        cost = {"fixed": round(fixed, 2), "seconds": round(seconds, 4), "peak_gib": peak, "disk_mib": disk}
        tasks.append({"function": function, "kinds": kinds, **cost})
    machine = {"machine": platform.machine(), "cores": 2, "budget": "smoke, phantoms of 64 x 64 x 48 voxels"}
    print(json.dumps({**machine, "tasks": tasks}, indent=1))


def _measured(one: Past, share: float) -> tuple[float, ...]:
    """Cost of a task in processor time."""
    return (one.fixed * share, one.seconds * share, one.peak_gib, one.disk_mib)


if __name__ == "__main__":
    main()
