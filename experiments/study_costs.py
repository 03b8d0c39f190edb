"""Measure what tasks of the papers' studies take, for the plan of `--dry-run`.

Reads folders of finished studies, which two workers ran on two cores that did nothing else: what each task took by
its own clock, and by the times of files when the cases were prepared, the first task begun and the page written.

    python experiments/study_costs.py smoke/carver small/carver > src/glioforge/studies/papers/costs.json
"""

import json
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from glioforge.io.run_folder import DONE, STARTED, read_json
from glioforge.studies.base import PhantomData
from glioforge.studies.estimates import GATHERING, REPORT, START, Past, past_from
from glioforge.studies.fold import PREPARED, Study
from glioforge.studies.perform import function_name
from glioforge.studies.question import planned
from glioforge.studies.record import Cost
from glioforge.studies.store import plain
from glioforge.studies.study import read_study

WORKERS = 2


def main() -> None:
    """Print the median cost of each function, combination of methods and amount."""
    found: dict[tuple[str, tuple[str, ...], float], list[Past]] = defaultdict(list)
    for text in sys.argv[1:]:
        for one in costs_of(read_study(Path(text))):
            found[one.function, tuple(sorted(one.kinds)), one.amount].append(one)
    tasks = []
    for (function, kinds, amount), rows in sorted(found.items()):
        cost = {
            "fixed": round(median(row.fixed for row in rows), 2),
            "seconds": round(median(row.seconds for row in rows), 4),
            "peak_gib": round(median(row.peak_gib for row in rows), 2),
            "disk_mib": round(median(row.disk_mib for row in rows), 2),
        }
        tasks.append({"function": function, "kinds": kinds, "amount": amount, **cost})
    machine = {"machine": platform.machine(), "cores": WORKERS, "budget": "smoke and small"}
    print(json.dumps({**machine, "tasks": tasks}, indent=1))


def costs_of(study: Study) -> Iterator[Past]:
    """What a study took, by task and outside its tasks."""
    folds = [study.fold(int(path.parent.name.rpartition("-")[2])) for path in study.root.glob("fold-*/split.json")]
    tasks = planned(study.spec, sorted(folds, key=lambda fold: fold.index))
    begun, ended = [], []
    for task in tasks:
        folder = study.root / task.name
        facts = read_json(folder / DONE)["facts"]
        training = float((facts.get("training") or {}).get("seconds") or 0.0)
        yield past_from(function_name(task), plain(task.key), Cost(**facts["cost"]), task.amount, training)
        begun.append((folder / STARTED).stat().st_mtime)
        ended.append((folder / DONE).stat().st_mtime)
    ready = (study.root / PREPARED / DONE).stat().st_mtime
    first, last = ((study.root / name).stat().st_mtime for name in (STARTED, DONE))
    count, kind = len(study.prepared), "phantoms" if isinstance(study.spec.data, PhantomData) else "scans"
    own = frozenset({study.spec.name})
    yield Past(GATHERING, frozenset({kind}), (ready - first) * WORKERS / count, 1.0, 6.0)
    yield Past(START, frozenset(), min(begun) - ready, 1.0, 0.0)
    yield Past(REPORT, own, last - max(ended), 1.0, 2.0)


if __name__ == "__main__":
    main()
