"""A study as its tasks see it: settings, folder, and the split and the seeds of each fold.

<study>/cohort, prepared, phantoms    cases as they came, prepared, and made, where the study makes some
<study>/fold-<n>/split.json           subjects of each side
<study>/fold-<n>/...                  a link for each task to its folder (see `studies.store`)
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, final

from glioforge.core import Cohort, Split, split_by_names, stream_seed
from glioforge.io import COHORT_FILE, read_cohort, read_json, write_json
from glioforge.studies.base import Slices
from glioforge.studies.leaky import FOLDER as LEAKY, person_of

SOURCE, PREPARED, PHANTOMS = "cohort", "prepared", "phantoms"
SIDES = ("train", "validation", "test")


@final
@dataclass(frozen=True)
class Study:
    """A study and its folders.

    Args:
        spec: Settings; precision and threads are settled.
        root: Folder of the study.
        store: Folder of finished tasks, which several studies may share.
        cases: Cases as they came, where the folder does not hold them yet.
    """

    spec: Any
    root: Path
    store: Path
    cases: Cohort | None = field(default=None, repr=False, compare=False)

    @property
    def source(self) -> Cohort:
        """Cases as they came, whose label files are the reference."""
        return cohort_in(self.root / SOURCE) if self.cases is None else self.cases

    @property
    def prepared(self) -> Cohort:
        """Prepared cases."""
        return cohort_in(self.root / PREPARED)

    def fold(self, index: int) -> "Fold":
        """Return one fold of the study."""
        return Fold(self, index)


@final
@dataclass(frozen=True)
class Fold:
    """One fold of a study.

    Args:
        study: The study.
        index: Number of the fold, from 0.
        planned: Its split, where the study's folder does not hold it yet.
    """

    study: Study
    index: int
    planned: Split | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Folder of the fold below that of the study."""
        return f"fold-{self.index}"

    @property
    def leaky(self) -> bool:
        """Whether slices were shuffled over subjects (see `studies.leaky`)."""
        return isinstance(self.study.spec.split, Slices) and self.index > 0

    @property
    def tested(self) -> tuple[str, ...]:
        """Ids of the cases, as they came, of which anything is tested."""
        test = self.split.test
        return tuple(person_of(ref)["case_id"] if self.leaky else ref.case_id for ref in test)

    @property
    def split_file(self) -> Path:
        """Names of the subjects of each side."""
        return self.study.root / self.name / "split.json"

    @property
    def split(self) -> Split:
        """Cohorts of the fold, read once in each process."""
        if self.planned is not None:
            return self.planned
        prepared = self.study.root / (LEAKY if self.leaky else PREPARED)
        return _split(prepared, _stamp(prepared / COHORT_FILE), self.split_file, _stamp(self.split_file))

    def write_split(self, split: Split) -> None:
        """Note the subjects of each side."""
        write_json(self.split_file, {side: list(getattr(split, side).subject_ids) for side in SIDES})

    def seed(self, *names: str | int) -> int:
        """Return the seed of some draws of this fold, 31 bits."""
        return stream_seed(self.study.spec.seed, "fold", self.index, *names) & 0x7FFFFFFF


def cohort_in(folder: Path) -> Cohort:
    """Read a cohort, once in each process as long as its file stays the same; errors as `read_cohort`."""
    return _cohort(folder, _stamp(folder / COHORT_FILE))


@lru_cache(maxsize=64)
def _cohort(folder: Path, _: object) -> Cohort:
    return read_cohort(folder)


@lru_cache(maxsize=64)
def _split(prepared: Path, stamp: object, names: Path, _: object) -> Split:
    return split_by_names(_cohort(prepared, stamp), read_json(names))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """What changes with a file; none where it is missing."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
