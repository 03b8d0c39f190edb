"""How long a thousand drawn label maps take, how many differ, and whether memory stays flat.

Training cases are eight phantoms on a grid of 120 x 120 x 77 voxels of about 2 mm, tumour
maps thirty further phantoms of which only the tumour is kept, healthy brains eight
phantoms whose tumour is inpainted.  A thousand maps are drawn by two processes,
with an empty cache and again with a full one.  Processor time is summed over the
processes; other work on the machine adds to the time on the clock alone.

Two lesions count as one where their Dice is .9 or more after their centres are
aligned, as they are or mirrored; two maps without lesion where that is so for
their grey matter.  A map is distinct where no distinct map before it counts as
the same.  Every tenth map is judged by the filter `plausible_labels`, fitted on
the training cases.  Writes `benchmarks/results/label_maps.json`.

    python benchmarks/label_maps.py [folder for phantoms and cache]
"""

import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from glioforge.compute.parallel import ParallelSpec, fan_out
from glioforge.core import BRATS2017, COMPLETE, Case, Cohort, LabelMap, Lineage
from glioforge.data.phantom.make import make_phantom, phantom_id
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.store import find_case, write_case
from glioforge.labelmaps.engine import DrawnMap, LabelEngine
from glioforge.labelmaps.sources import LabelSources, without_lesion
from glioforge.labelmaps.spec import LabelMapSpec
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.plausible_labels import PlausibleLabelsSpec

RESULT = Path(__file__).parent / "results" / "label_maps.json"
COUNT, WORKERS = 1000, 2
PHANTOMS = PhantomSpec(shape=(120, 120, 77), spacing_mm=(2.0, 2.0, 176 / 77))
WINDOW = 80
JUDGED = (46, 86)
"""Phantoms that the filter is fitted on: eight brains would not show how brains vary."""
SAME = 0.9


def main() -> None:
    """Measure and write."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    sources = LabelSources(
        cohort("train", 0, 8, folder), cohort("healthy", 8, 16, folder), cohort("tumours", 16, 46, folder)
    )
    shutil.rmtree(folder / "cache", ignore_errors=True)
    engine = LabelEngine(sources, LabelMapSpec(), cache=folder / "cache", seed=1)
    cold, maps = drawn(engine)
    facts: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__},
        "maps": COUNT,
        "grid": sources.geometry.shape,
        "voxel_mm": [round(s, 3) for s in sources.geometry.spacing],
        "processes": WORKERS,
        "cold": cold,
        "uses": uses(maps),
        **differing(maps),
        **plausible(engine, cohort("train", *JUDGED, folder)),
    }
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")
    facts["warm"], _ = drawn(engine)
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))


def cohort(name: str, first: int, last: int, folder: Path) -> Cohort:
    """Phantoms of some numbers: complete maps, brains without tumour, or the tumours alone."""
    refs = []
    for number in range(first, last):
        case_id = f"{phantom_id(9, number)}-{name}"
        ref = find_case(folder / name, case_id)
        if ref is None:
            labels = make_phantom(9, number, PHANTOMS).truth
            if name == "healthy":
                labels = LabelMap(without_lesion(labels).voxels, labels.geometry, COMPLETE)
            if name == "tumours":
                labels = labels.to(BRATS2017)
            lineage = Lineage.phantom(case_id, 9)
            ref = write_case(folder / name, Case(case_id, case_id, {}, lineage, labels, labels.voxels > 0))
        refs.append(ref)
    return Cohort(name, tuple(refs), BRATS2017 if name == "tumours" else COMPLETE)


@final
@dataclass(frozen=True)
class Timed:
    """Draws a map, or a host with its growths, and says what it cost."""

    engine: LabelEngine

    def __call__(self, what: int | tuple[int, int]) -> tuple[float, int, dict[str, Any] | None]:
        """Processor seconds, resident MiB, and what the map is."""
        start = time.process_time()
        if isinstance(what, tuple):
            self.engine.prepare(what)
            return time.process_time() - start, resident_mib(), None
        made = self.engine.draw(what)
        seconds = time.process_time() - start
        return seconds, resident_mib(), summary(made)


def resident_mib() -> int:
    """Memory that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() // 2**20


def summary(made: DrawnMap) -> dict[str, Any]:
    """Facts of a map and its lesion, or grey matter, in a window about the centre, as bits."""
    mask = made.labels.lesion if made.labels.lesion.any() else made.labels.region("grey_matter")
    places = np.argwhere(mask)
    shift = np.full(3, WINDOW // 2) - np.rint(places.mean(axis=0)).astype(int)
    window = np.zeros((WINDOW,) * 3, dtype=bool)
    inside = places + shift
    inside = inside[np.all((inside >= 0) & (inside < WINDOW), axis=1)]
    window[tuple(inside.T)] = True
    # The mirror image about the same centre; an even window needs a shift of one voxel.
    mirrored = np.roll(window[::-1], 1, axis=0)
    return {**made.facts, "voxels": len(inside), "bits": np.packbits(window), "mirrored": np.packbits(mirrored)}


def drawn(engine: LabelEngine) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw all maps in two processes; what they cost, and what they are."""
    start, parallel = time.monotonic(), ParallelSpec(workers=WORKERS)
    hosts = list(fan_out(Timed(engine), engine.needed(range(COUNT)), parallel))
    maps = list(fan_out(Timed(engine), range(COUNT), parallel))
    memory = [mib for _, mib, _ in maps]
    cost = {
        "seconds": round(time.monotonic() - start, 1),
        "processor_seconds": round(sum(s for s, _, _ in (*hosts, *maps)), 1),
        "processor_seconds_of_hosts_and_growths": round(sum(s for s, _, _ in hosts), 1),
        "resident_mib_after_200": max(memory[:200]),
        "resident_mib_after_all": max(memory[-50:]),
    }
    return cost, [facts for _, _, facts in maps if facts is not None]


def uses(maps: list[dict[str, Any]]) -> dict[str, int]:
    """Most maps in which one host, one lesion of the bank or one growth has a part."""
    hosts = Counter(m["host_number"] for m in maps)
    donors = Counter(m["donor"] for m in maps if m["donor"])
    growths = Counter((m["host_number"], m["growth"]) for m in maps if m["lesion"] == "grown")
    return {"host": max(hosts.values()), "bank_lesion": max(donors.values()), "growth": max(growths.values())}


def differing(maps: list[dict[str, Any]]) -> dict[str, Any]:
    """How many maps are distinct, of those with and without lesion."""
    bearing = [m for m in maps if m["lesion"] != "none"]
    free = [m for m in maps if m["lesion"] == "none"]
    found = {"distinct_with_lesion": distinct(bearing), "distinct_without_lesion": distinct(free)}
    kinds = dict(Counter(m["lesion"] for m in maps))
    return {"kinds": kinds, "distinct": sum(found.values()), **found}


def distinct(maps: list[dict[str, Any]]) -> int:
    """Number of maps that no distinct map before them counts as the same."""
    kept: list[dict[str, Any]] = []
    for m in maps:
        least, most = SAME / (2 - SAME) * m["voxels"], (2 - SAME) / SAME * m["voxels"]
        if not any(least <= k["voxels"] <= most and dice(m, k) >= SAME for k in kept):
            kept.append(m)
    return len(kept)


def dice(one: dict[str, Any], two: dict[str, Any]) -> float:
    """Better Dice of a mask with another and with its mirror image."""
    shared = max(int(np.bitwise_count(one["bits"] & two[side]).sum()) for side in ("bits", "mirrored"))
    return 2 * shared / (one["voxels"] + two["voxels"])


def plausible(engine: LabelEngine, real: Cohort) -> dict[str, Any]:
    """Share of maps that the filter keeps, and the reasons for the others."""
    judge = fit_filter(PlausibleLabelsSpec(), real, seed=1)
    verdicts = []
    for number in range(0, COUNT, 10):
        made = engine.draw(number)
        target = made.target(COMPLETE)
        case = Case(made.case_id, made.case_id, {}, made.lineage, target, target.foreground)
        verdicts.append((made.facts["lesion"], judge.assess(case)))
    bearing = [v for kind, v in verdicts if kind != "none"]
    reasons = Counter(v.reason for v in bearing if not v.keep)
    return {
        "judged": len(bearing),
        "plausible": sum(v.keep for v in bearing),
        "implausible": dict(reasons.most_common(5)),
    }


if __name__ == "__main__":
    main()
