"""Everything that a page is written from: the results table, the records of all tasks, and their folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from glioforge.core import Cohort, InputFileError, Split
from glioforge.io import ResultRow, read_json, read_results, write_json, write_results
from glioforge.studies.fold import Study, cohort_in
from glioforge.studies.record import Record, of_kind, rows_of

RECORDS: Final = "records.json"
_NAMES: Final = ("task", "kind", "fold", "arm", "seed", "draw", "generator_seed")


@final
@dataclass(frozen=True)
class Results:
    """Results of a finished study.

    Args:
        study: The study and its folders.
        rows: The results table.
        records: What each task left, in the order of the plan.
    """

    study: Study
    rows: Sequence[ResultRow]
    records: Sequence[Record]

    @property
    def root(self) -> Path:
        """Folder of the study."""
        return self.study.root

    @property
    def folds(self) -> tuple[int, ...]:
        """Numbers of the folds."""
        return tuple(sorted({record.fold for record in self.records}))

    def split(self, fold: int) -> Split:
        """Return the cohorts of a fold."""
        return self.study.fold(fold).split

    def of(self, *kinds: str) -> list[Record]:
        """Return the records of these kinds that were not left out."""
        return of_kind(self.records, *kinds)

    def place(self, kind: str, *, fold: int = 0, arm: str = "", seed: int = 0) -> Path:
        """Return the folder of a task.

        Raises:
            InputFileError: The study has no such task, or left it out.
        """
        for record in self.of(kind):
            if (record.fold, record.arm, record.seed) == (fold, arm, seed):
                return self.root / record.task
        asked = f"{kind} of fold {fold}, arm {arm!r}, seed {seed}"
        raise InputFileError(f"no {asked}", "a task that the study has done", "run the study again", self.root)

    def cohort(self, kind: str, below: str = "", *, fold: int = 0, arm: str = "", seed: int = 0) -> Cohort:
        """Return the cohort that a task left in its folder, or in a folder below that; errors as `place`."""
        return cohort_in(self.place(kind, fold=fold, arm=arm, seed=seed) / below)

    def facts(self) -> dict[str, Any]:
        """Return what the study was made with: versions, machine, commit and time."""
        made: dict[str, Any] = read_json(self.root / "study.json")["made_with"]
        return made


def keep_results(study: Study, records: Sequence[Record]) -> Results:
    """Write the results table and the records of a study, and return them as its page reads them."""
    write_results(study.root, rows_of(records))
    named = [{name: getattr(record, name) for name in _NAMES} for record in records]
    values = [names | record.to_json() for names, record in zip(named, records, strict=True)]
    write_json(study.root / RECORDS, values)
    return Results(study, read_results(study.root), records)


def read_study_results(study: Study) -> Results:
    """Read the results of a finished study.

    Raises:
        InputFileError: A file is missing or damaged.
    """
    name = study.spec.name
    values = read_json(study.root / RECORDS)
    named = [Record(**{part: value[part] for part in _NAMES}) for value in values]
    records = [Record.from_json(value, one, name) for value, one in zip(values, named, strict=True)]
    return Results(study, read_results(study.root), records)
