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
from glioforge.core import CohortError
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
    for name, answered in readings(given.out).items():
        print(name, answered)
    runs = [given.out / name for name in given.only if load_study(name).after.paper in PAPERS]
    print(write_papers_page(given.out / "papers.html", by_paper(runs)))


def readings(out: Path) -> dict[str, str]:
    """Let simulated readers answer the reading tests of three papers, and return each page, or why it was refused.

    Slices of all samplers among those of their training subjects, images of a generator among scans, and images that
    two methods make of the same label maps.  Networks of so few steps may give themselves away by a pixel shortcut,
    which a reading study refuses.
    """
    found: dict[str, str] = {}
    for folder in sorted((out / "han2018" / "fold-0" / "slices").glob("*/seed-0")):
        method = folder.parent.name
        cohorts = {"real": folder / SEEN, method: folder / MADE}
        found[f"han2018 {method}"] = reading("han2018", cohorts, out / "readings" / f"han2018-{method}")
    for made in sorted((out / "carver" / "fold-0").glob("*/cases/gan/made")):
        cohorts = {"real": out / "carver" / "prepared", "gan": made}
        found["carver gan"] = reading("carver", cohorts, out / "readings" / "carver")
    cases = out / "guo2020" / "fold-0" / "cases"
    if cases.is_dir():
        pair = {method: cases / method / MADE for method in ("samr", "shin")}
        found["guo2020 samr, shin"] = reading("guo2020", pair, out / "readings" / "guo2020", real=5, synthetic=5)
    return found


def reading(preset: str, folders: dict[str, Path], out: Path, **changes: int) -> str:
    """Create a reading study of cohorts, let simulated readers answer it, and return its page or why it was refused."""
    values = {**ReaderSpec.PRESETS[preset], "title": "A reading of phantoms", "one_per_subject": False, **changes}
    cohorts = {name: read_cohort(folder) for name, folder in folders.items()}
    try:
        return str(simulate_study(out, ReaderSpec.model_validate(values), cohorts))
    except CohortError as error:
        return f"refused: {error}"


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
