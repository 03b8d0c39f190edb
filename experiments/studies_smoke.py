"""Run all studies of the papers with budget `smoke` on phantoms, and compare the time taken with the plan.

Writes into the folder given: a study each, `papers.html` with all of them, and `studies-smoke.json` with the planned
and the taken time, trainings and disk of each.  Repeat the command to go on where it stopped; times are of the call
that did the work.

    python experiments/studies_smoke.py smoke-runs --workers 2
"""

import argparse
import json
import time
from pathlib import Path

from glioforge import TerminalProgress, read_cohort, simulate_study
from glioforge.papers.ours import by_paper
from glioforge.papers.page import write_papers_page
from glioforge.papers.published import PAPERS
from glioforge.reader.spec import ReaderSpec
from glioforge.studies.engine import run_study
from glioforge.studies.forecast import expected_seconds, plan_study
from glioforge.studies.question import load_study
from glioforge.studies.steps.sample import MADE, SEEN
from glioforge.studies.variants import study_files

RESULT = "studies-smoke.json"


def main() -> None:
    """Plan and run every study."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("out", type=Path)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--only", nargs="*", default=sorted(study_files()))
    given = options.parse_args()
    path = given.out / RESULT
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for name in given.only:
        row = one(name, given.out / name, given.workers)
        if row["taken_s"] > 1 and name not in found:
            found[name] = row
        given.out.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{json.dumps(found, indent=1)}\n", encoding="utf-8")
        print(name, row)
    if "han2018" in given.only:
        print(reading(given.out / "han2018", given.out / "han2018-reading"))
    runs = [given.out / name for name in given.only if load_study(name).after.paper in PAPERS]
    print(write_papers_page(given.out / "papers.html", by_paper(runs)))


def reading(run: Path, out: Path, method: str = "dcgan-t1") -> Path:
    """Let simulated readers answer the reading test of a sampler, among slices of its training subjects."""
    folder = run / "fold-0" / "slices" / method / "seed-0"
    spec = ReaderSpec.model_validate(
        {**ReaderSpec.PRESETS["han2018"], "title": "Real or from noise?", "one_per_subject": False}
    )
    cohorts = {"real": read_cohort(folder / SEEN), method: read_cohort(folder / MADE)}
    return simulate_study(out, spec, cohorts)


def one(name: str, out: Path, workers: int) -> dict[str, float]:
    """Plan a study, run it, and return both times in seconds, trainings and disk."""
    spec = load_study(name, ["budget=smoke", f"parallel.workers={workers}"], phantoms=True)
    tasks = [task for task in plan_study(spec, out) if not task.done]
    planned = expected_seconds(tasks, workers)
    began = time.monotonic()
    run_study(spec, out, progress=TerminalProgress())
    taken = time.monotonic() - began
    disk = sum(file.stat().st_size for file in out.rglob("*") if file.is_file() and not file.is_symlink()) / 2**20
    return {
        "tasks": len(tasks),
        "trainings": sum(task.trains for task in tasks),
        "planned_s": round(planned, 1),
        "taken_s": round(taken, 1),
        "ratio": round(taken / planned, 2) if planned else 0.0,
        "disk_mib": round(disk, 1),
    }


if __name__ == "__main__":
    main()
