"""How long a phantom takes: one process, one thread, after the atlas is loaded.

Writes `benchmarks/results/phantom.json`.  Times are seconds of the processor,
which other work on the machine hardly lengthens; the wall clock's median is
given beside them.  `first_seconds` is the first phantom of this voxel size,
and for the first row also the import of nilearn and the reading of the atlas.
"""

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from glioforge.data.phantom.cohort import PhantomSpec, make_phantom, write_phantom_cohort

RESULT = Path(__file__).parent / "results" / "phantom.json"
SHAPES = ((32, 32, 24), (96, 96, 64), (192, 192, 160))
REPEATS = 7
LIMIT_SECONDS = 2.0


def processor() -> str:
    """Model of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Processor and wall seconds of one call."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - own, time.perf_counter() - wall


def timed(shape: tuple[int, int, int]) -> dict[str, Any]:
    """Times of phantoms on one grid."""
    spec = PhantomSpec(shape=shape)
    first, _ = seconds(lambda: make_phantom(0, 0, spec))
    times = [seconds(lambda n=n: make_phantom(0, n, spec)) for n in range(1, REPEATS + 1)]
    return {
        "shape": list(shape),
        "first_seconds": round(first, 3),
        "median_seconds": round(statistics.median(own for own, _ in times), 3),
        "slowest_seconds": round(max(own for own, _ in times), 3),
        "median_wall_seconds": round(statistics.median(wall for _, wall in times), 3),
    }


def main() -> None:
    """Measure, write, and say whether the limit is kept."""
    rows = [timed(shape) for shape in SHAPES]
    with tempfile.TemporaryDirectory() as folder:
        written, _ = seconds(lambda: write_phantom_cohort(Path(folder) / "cohort", cases=4, seed=0))
    default = next(row for row in rows if row["shape"] == [96, 96, 64])
    result = {
        "processor": processor(),
        "processes": 1,
        "repeats": REPEATS,
        "phantoms": rows,
        "written_seconds_a_case": round(written / 4, 3),
        "limit_seconds": LIMIT_SECONDS,
        "limit_kept": default["median_seconds"] < LIMIT_SECONDS,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
