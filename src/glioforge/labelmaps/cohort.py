"""A cohort of a given number of drawn label maps, each written as soon as it is drawn."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from glioforge.compute import ParallelSpec, fan_out
from glioforge.core import COMPLETE_DISTRACTORS, CaseRef, Cohort, CohortError, Progress, Silent
from glioforge.data import find_case, write_case
from glioforge.io import Step, write_cohort
from glioforge.labelmaps.engine import LabelEngine

CACHE = "cache"
"""Folder of hosts and growths below that of a cohort."""


@final
@dataclass(frozen=True)
class _Job:
    """Draws and stores one map; picklable."""

    engine: LabelEngine = field(repr=False)
    out: Path

    def __call__(self, number: int) -> CaseRef:
        """Reference of the map of a number, from the store where it is there."""
        return find_case(self.out, f"drawn-{number:06d}") or write_case(self.out, self.engine.draw(number).case())


def draw_label_maps(
    engine: LabelEngine,
    out: Path,
    *,
    count: int,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Draw the first maps of an engine and write them as a cohort in scheme `complete_distractors`.

    Args:
        engine: Draws them.
        out: Folder of the cohort; maps that it already holds are kept. A larger `count` adds to the folder.
        count: Number of maps, at least 1.
        parallel: How the work is spread; the bytes do not depend on it.
        progress: Where to show progress.

    Raises:
        CohortError: `count` is below 1.
        OutputError: The folder holds maps of other sources, settings or another seed, or cannot be written.
    """
    if count < 1:
        raise CohortError(f"{count} label maps", "at least one")
    progress = progress or Silent()
    with Step(out, engine.key) as step:
        missing = [n for n in range(count) if find_case(out, f"drawn-{n:06d}") is None]
        hosts = engine.needed(missing)
        for _ in fan_out(engine.prepare, hosts, parallel, title="hosts and growths", progress=progress):
            pass
        job = _Job(engine, out)
        refs = tuple(fan_out(job, range(count), parallel, title="label maps", progress=progress))
        cohort = Cohort(f"{engine.sources.train.name}-labels", refs, COMPLETE_DISTRACTORS)
        write_cohort(cohort, out)
        if not step.done:
            step.finish({"cases": len(cohort), "fingerprint": cohort.fingerprint})
    return cohort
