"""Run all studies of the papers with budget `smoke` on phantoms, and compare the time taken with the plan.

Writes into the folder given: a study each, readings that simulated readers answered, `papers.html` with all of them,
and `studies-smoke.json` with the planned and the taken time, trainings and disk of each.  Repeat the command to go on
where it stopped; times are of the call that did the work.

    python experiments/studies_smoke.py smoke-runs --workers 2
"""

import argparse
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

from glioforge import TerminalProgress, make_synthetic, read_cohort, simulate_study, train_synthesizer
from glioforge.core import CohortError
from glioforge.papers.ours import Given, by_paper
from glioforge.papers.page import write_papers_page
from glioforge.papers.published import PAPERS
from glioforge.papers.readings import Refused
from glioforge.reader.answered import Answered, answered_of
from glioforge.reader.demo import STUDY
from glioforge.reader.spec import ReaderSpec
from glioforge.studies.engine import run_study
from glioforge.studies.estimates import GATHERING, REPORT, START
from glioforge.studies.fold import PREPARED
from glioforge.studies.forecast import expected_seconds, plan_study
from glioforge.studies.question import load_study
from glioforge.studies.steps.sample import MADE, SEEN
from glioforge.studies.study import read_study
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
    runs = [given.out / name for name in given.only if load_study(name).after.paper in PAPERS]
    page: dict[str, tuple[Given, ...]] = by_paper(runs)
    for found_one in readings(given.out):
        print(found_one)
        page[found_one.paper] = (*page.get(found_one.paper, ()), found_one)
    print(write_papers_page(given.out / "papers.html", page))


def readings(out: Path) -> Iterator[Answered | Refused]:
    """Let simulated readers answer the reading tests of three papers.

    Slices of all samplers among those of their training subjects, images of a generator among scans, and images that
    two methods make of the same label maps.  Slices are shown although a pixel shortcut may give a sampler away, as in
    the paper, and the reading is marked SHORTCUT.  Images of a generator of so few steps are refused where one does;
    those of a generator with budget `small` come after them.
    """
    for folder in sorted((out / "han2018" / "fold-0" / "slices").glob("*/seed-0")):
        method = folder.parent.name
        cohorts = {"real": folder / SEEN, method: folder / MADE}
        pooled = "concat" in method
        yield reading("han2018", f"{method}, budget smoke", cohorts, out, allow_shortcuts=True, pooled=pooled)
    if (out / "carver").is_dir():
        scans = out / "carver" / PREPARED
        for made in sorted((out / "carver" / "fold-0").glob("*/cases/gan/made")):
            yield reading("carver", "gan, budget smoke", {"real": scans, "gan": made}, out)
        yield reading("carver", "gan, budget small", {"real": scans, "gan": better_images(out)}, out)
    cases = out / "guo2020" / "fold-0" / "cases"
    if cases.is_dir():
        pair = {method: cases / method / MADE for method in ("samr", "shin")}
        yield reading("guo2020", "samr and shin, budget smoke", pair, out, real=5, synthetic=5)


def reading(
    paper: str, what: str, folders: dict[str, Path], out: Path, *, allow_shortcuts: bool = False, **changes: int
) -> Answered | Refused:
    """Create the reading study of a paper, and let simulated readers answer it, unless it is refused."""
    title = f"A reading of phantoms, {what.partition(', ')[2]}"
    values = {**ReaderSpec.PRESETS[paper], "title": title, "one_per_subject": False, **changes}
    cohorts = {name: read_cohort(folder) for name, folder in folders.items()}
    place = out / "readings" / "-".join([paper, *re.findall(r"\w+", what)])
    try:
        simulate_study(place, ReaderSpec.model_validate(values), cohorts, allow_shortcuts=allow_shortcuts)
    except CohortError as error:
        return Refused(paper, what, str(error))
    return answered_of(place / STUDY)


def better_images(out: Path) -> Path:
    """Train the generator of Carver's study with its budget `small`, and return the folder of its images.

    On the phantoms of the study with budget `smoke`, from edited label maps of training subjects.
    """
    spec = load_study("carver", ["budget=small"], phantoms=True)
    split = read_study(out / "carver").fold(0).split
    place, source = out / "readings" / "carver-small-generator", spec.sources["gan"]
    sides, budget = (split.train, split.validation), spec.spending.generator
    trained = train_synthesizer(*sides, source.synthesizer, place / "model", budget=budget, seed=spec.seed)
    make_synthetic(split.train, trained, spec.recipe, place / MADE, count=2, seed=spec.seed, name="gan")
    return place / MADE


def one(name: str, out: Path, workers: int) -> dict[str, float]:
    """Plan a study, run it, and return both times in seconds, trainings and disk.

    `work_s` and `processor_s` are the time of all tasks as planned, and the processor time that they took, which a
    machine that does other things too does not prolong.
    """
    spec = load_study(name, ["budget=smoke", f"parallel.workers={workers}"], phantoms=True)
    tasks = [task for task in plan_study(spec, out) if not task.done]
    planned = expected_seconds(tasks, workers)
    began = time.monotonic()
    run_study(spec, out, progress=TerminalProgress())
    taken = time.monotonic() - began
    names = {task.name for task in tasks} - {START, GATHERING, REPORT}
    work = sum(task.cost.seconds for task in tasks if task.name in names)
    spent = sum(task.cost.processor_s or 0.0 for task in plan_study(spec, out) if task.name in names)
    disk = sum(file.stat().st_size for file in out.rglob("*") if file.is_file() and not file.is_symlink()) / 2**20
    return {
        "tasks": len(tasks),
        "trainings": sum(task.trains for task in tasks),
        "planned_s": round(planned, 1),
        "taken_s": round(taken, 1),
        "ratio": ratio(taken, planned),
        "work_s": round(work, 1),
        "processor_s": round(spent, 1),
        "work_ratio": ratio(spent, work),
        "disk_mib": round(disk, 1),
    }


def ratio(taken: float, planned: float) -> float:
    """Time taken over time planned; 0 where nothing was planned."""
    return round(taken / planned, 2) if planned else 0.0


if __name__ == "__main__":
    main()
