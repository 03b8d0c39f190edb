"""The answers of a locked study, with what other rooms ask of them: counts, tests, preferences, and its marks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np

from glioforge.core import counted
from glioforge.reader.analysis import SEED
from glioforge.reader.analysis_methods import method_means
from glioforge.reader.analysis_readings import REAL, Readings
from glioforge.reader.analysis_rows import Row, row
from glioforge.reader.export import locked_answers
from glioforge.reader.folder import open_study
from glioforge.reader.lock import status_of
from glioforge.reader.preference import Preference, comparisons, preferences
from glioforge.reader.store import NAME
from glioforge.statistics import Interval


@final
@dataclass(frozen=True)
class Answered:
    """A locked reading.

    Args:
        paper: Name of the paper that it follows; empty for none.
        where: Folder of the reading.
        title: Its title.
        readings: Its answers that count.
        margin: Equivalence margin on the accuracy that was planned.
        flags: Warnings that its tables carry, by their short name, such as `SIMULATED` and `SEEN`.
    """

    paper: str
    where: Path
    title: str
    readings: Readings
    margin: float
    flags: Mapping[str, str]

    @property
    def who(self) -> str:
        """Who answered, in a few words."""
        count = len(self.readings.readers)
        simulated = "SIMULATED" in self.flags
        return counted(count, "simulated reader" if simulated else "reader")

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods whose images were read, sorted."""
        others = {answer.other for answer in self.readings.answers} - {REAL, ""}
        return tuple(sorted({*self.readings.methods, *others}))

    @property
    def shown(self) -> int:
        """Images or pairs that were shown."""
        return len(set(self.readings.column("item").tolist()))

    @property
    def marks(self) -> str:
        """Short names of its flags."""
        return ", ".join(self.flags)

    def line(self, *, method: str = "", contrast: str = "") -> Row | None:
        """Counts and tests over all readers; none where a kind of image is missing.

        Args:
            method: A generator, whose images are taken with the real ones; all unless given.
            contrast: A contrast; all unless given.
        """
        part = self.readings.where(method=method, contrast=contrast)
        if len(set(part.positive.tolist())) < 2:
            return None
        return row(part, self.margin, seed=SEED)

    @property
    def scores(self) -> dict[str, Interval]:
        """Quality score of each method and of real images, mean over subjects; empty where none was asked."""
        values = self.readings.numbers("score")
        if not np.isfinite(values).any():
            return {}
        parts = (values, self.readings.column("method"), self.readings.column("subject"))
        return {found.method: found.mean for found in method_means(*parts, share=False, seed=SEED)}

    @cached_property
    def preference(self) -> Preference:
        """Comparisons won by each method; of kind `preference` alone."""
        return preferences(comparisons(self.readings.answers), seed=SEED)


def is_reading(folder: Path) -> bool:
    """Return whether a folder is that of a reading study."""
    return (folder / NAME).is_file()


def answered_of(folder: Path) -> Answered:
    """Read the answers of a locked reading study, whose audit chain is checked.

    Args:
        folder: Folder that `glioforge reader create` made.

    Raises:
        OutputError: The study is not locked.
        InputFileError: There is no study, or its audit chain is broken.
    """
    study = open_study(folder)
    flags = {**study.flags, **status_of(folder).flags}
    readings = Readings.of(locked_answers(folder))
    return Answered(study.spec.after, folder, study.spec.title, readings, study.spec.analysis.margin, flags)
