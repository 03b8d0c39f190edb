"""The work of a study in pieces: a fold as a stage sees it, and jobs that worker processes can do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, final

from glioforge.compute.parallel import fan_out
from glioforge.core.firewall import require_no_leak
from glioforge.core.protocols import Progress, Silent
from glioforge.core.rng import stream_seed
from glioforge.core.split import Split
from glioforge.studies.base import StudySpec
from glioforge.studies.folder import FoldFolder, StudyFolder
from glioforge.studies.gather import load_fold

AnyStudy = TypeVar("AnyStudy", bound=StudySpec)

Facts = list[dict[str, Any]]
"""What stages note: one mapping a stage, with `stage`, `fold`, time and memory."""


@final
@dataclass(frozen=True)
class StudyFold(Generic[AnyStudy]):
    """One fold of a study as a stage sees it."""

    spec: AnyStudy
    root: Path
    index: int

    @property
    def folder(self) -> FoldFolder:
        """Where the fold keeps its steps."""
        return StudyFolder(self.root).fold(self.index)

    def split(self) -> Split:
        """Cohorts of the fold, kept apart by the firewall."""
        split = load_fold(StudyFolder(self.root), self.index)
        require_no_leak({"training cases": split.train, "validation cases": split.validation}, split.test)
        return split

    def seed(self, *names: str | int) -> int:
        """Seed of a stage of this fold, 31 bits."""
        return stream_seed(self.spec.seed, "fold", self.index, *names) & 0x7FFFFFFF


@final
@dataclass(frozen=True)
class Job:
    """A stage of one fold, to be done in this or another process."""

    stage: Callable[..., Facts]
    fold: StudyFold[Any]
    arguments: tuple[Any, ...] = ()

    def __call__(self, progress: Progress | None = None) -> Facts:
        """Do the stage; returns its facts."""
        return self.stage(self.fold, *self.arguments, progress=progress or Silent())


def perform(spec: StudySpec, jobs: list[Job], title: str, progress: Progress) -> Facts:
    """Facts of jobs in their order; in this process with inner progress, or side by side."""
    if spec.parallel.workers == 1 and spec.parallel.backend == "local":
        return [fact for job in jobs for fact in job(progress)]
    return [fact for facts in fan_out(_do, jobs, spec.parallel, title=title, progress=progress) for fact in facts]


def _do(job: Job) -> Facts:
    """Do a job in a worker."""
    return job()
