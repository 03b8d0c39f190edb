"""Measure what tasks of the papers' studies take, for the plan of `--dry-run`.

Reads folders of finished studies, which two workers with one thread each ran.  What a task took is its processor time,
so that a machine that did other things too gives the same; so is that of writing the page again.  Starting the workers
and making the cases are told by the times of files, of studies whose tasks had nine tenths of a processor at least and
that prepared their own cases.  What none of these studies did keeps the cost that comes with the package.

    python experiments/study_costs.py smoke/carver small/carver > costs.json
    mv costs.json src/glioforge/studies/papers/
"""

import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from glioforge.io.run_folder import DONE, STARTED, read_json
from glioforge.studies.base import PhantomData
from glioforge.studies.engine import write_report
from glioforge.studies.estimates import GATHERING, REPORT, START, Past, measured_costs, past_from
from glioforge.studies.fold import PREPARED, Study
from glioforge.studies.perform import function_name
from glioforge.studies.question import planned
from glioforge.studies.record import Cost
from glioforge.studies.store import plain
from glioforge.studies.study import read_study

WORKERS = 2
ALONE = 0.9
"""Processor time over time from which on a study had the machine for itself."""


def main() -> None:
    """Print the median cost of each function, combination of methods and amount."""
    found: dict[tuple[str, tuple[str, ...], float], list[Past]] = defaultdict(list)
    for text in sys.argv[1:]:
        for one in costs_of(read_study(Path(text))):
            found[one.function, tuple(sorted(one.kinds)), one.amount].append(one)
    for one in measured_costs():
        key = (one.function, tuple(sorted(one.kinds)), one.amount)
        if key not in found:
            found[key].append(one)
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
    begun, whole, spent = [], 0.0, 0.0
    for task in tasks:
        folder = study.root / task.name
        facts = read_json(folder / DONE)["facts"]
        cost = Cost(**facts["cost"])
        processor = cost.seconds if cost.processor_s is None else min(cost.processor_s, cost.seconds)
        share = processor / cost.seconds if cost.seconds else 1.0
        training = share * float((facts.get("training") or {}).get("seconds") or 0.0)
        own = replace(cost, seconds=processor)
        yield past_from(function_name(task), plain(task.key), own, task.amount, training)
        begun.append((folder / STARTED).stat().st_mtime)
        whole, spent = whole + cost.seconds, spent + processor
    ready, first = ((study.root / name).stat().st_mtime for name in (f"{PREPARED}/{DONE}", STARTED))
    if spent >= ALONE * whole and first < ready < min(begun):
        count, kind = len(study.prepared), "phantoms" if isinstance(study.spec.data, PhantomData) else "scans"
        yield Past(GATHERING, frozenset({kind}), (ready - first) * WORKERS / count, 1.0, 6.0)
        yield Past(START, frozenset(), min(begun) - ready, 1.0, 0.0)
    start = time.process_time()
    write_report(study.root)
    yield Past(REPORT, frozenset({study.spec.name}), time.process_time() - start, 1.0, 2.0)


if __name__ == "__main__":
    main()
