"""How long the doctor looks at a case of the size of BraTS, and that its memory does not grow with the cases.

Writes `benchmarks/results/doctor.json`.  One phantom of 240 x 240 x 155 voxels
with four contrasts and labels is written six times; one and then six copies
are looked at in processes of their own.  Times are seconds of the processor.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from glioforge.data.phantom.cohort import PhantomSpec, write_phantom_cohort

RESULT = Path(__file__).parent / "results" / "doctor.json"
COPIES = 6
CORES = 2
LIMIT_SECONDS_FOR_100 = 180.0


def copies(source: Path, out: Path, count: int) -> None:
    """The same case under several names, as hard links."""
    (case,) = (path for path in source.iterdir() if path.is_dir())
    for number in range(count):
        name = f"copy-{number:03d}"
        (out / name).mkdir(parents=True)
        for path in case.glob("*.nii.gz"):
            os.link(path, out / name / path.name.replace(case.name, name))


def looked_at(folder: Path) -> dict[str, float]:
    """Seconds of the processor and largest memory of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = (
        "import sys; from pathlib import Path; from glioforge.data.doctor.examine import examine; "
        "d = examine(Path(sys.argv[1]), spacing_mm=1.0); "
        "peak = [line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith('VmHWM')]; "
        "print(len(d.cases), int(peak[0].split()[1]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cases, memory = map(int, done.stdout.split())
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cases": cases, "seconds": round(seconds, 2), "peak_mib": memory}


def main() -> None:
    """Measure, write, and say whether the limits are kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_phantom_cohort(folder / "one", cases=1, seed=0, spec=PhantomSpec(shape=(240, 240, 155)))
        copies(folder / "one", folder / "few", 1)
        copies(folder / "one", folder / "many", COPIES)
        one, many = looked_at(folder / "few"), looked_at(folder / "many")
    a_case = (many["seconds"] - one["seconds"]) / (COPIES - 1)
    hundred = (one["seconds"] + 99 * a_case) / CORES
    result: dict[str, Any] = {
        "shape": [240, 240, 155],
        "one": one,
        "many": many,
        "seconds_a_case": round(a_case, 2),
        "hundred_cases_on_two_cores_seconds": round(hundred, 1),
        "limit_seconds": LIMIT_SECONDS_FOR_100,
        "limit_kept": hundred < LIMIT_SECONDS_FOR_100,
        "memory_ratio": round(many["peak_mib"] / one["peak_mib"], 2),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
