"""Numbers of a study of Glioforge next to a published table: read from its folder, or a gap that says why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float64

from glioforge.core import SpecError, counted
from glioforge.papers.published import IMAGES, PAPERS, AlsoRow, PublishedRow, PublishedTable
from glioforge.papers.readings import Refused
from glioforge.reader import Answered, answered_of, is_reading
from glioforge.report import ResultTable
from glioforge.statistics import subject_means
from glioforge.studies import (
    LEAKY,
    MARK,
    every_row,
    grid_tables,
    noun_of,
    read_study,
    read_study_results,
    require_finished,
    table_of,
)

PERCENT_ERROR = "class_dice_error"
"""Metric of a published table of errors in percent, which a study has as a weighted Dice."""
GREY: Final = 255.0
"""Grey values of a published table of images."""


@final
@dataclass(frozen=True)
class Cell:
    """A number of a study beside a printed one.

    Args:
        mean: Mean over subjects; NaN for a gap.
        sd: Standard deviation over subjects, each averaged over trainings; NaN below two.
        count: Subjects.
        leaky: The same number where slices were shuffled over subjects; NaN where that was not done.
        why: Why there is no number; empty where there is one.
    """

    mean: float
    sd: float
    count: int
    leaky: float = float("nan")
    why: str = ""

    @property
    def text(self) -> str:
        """The number with its spread and count, or the gap."""
        if self.why:
            return f"gap: {self.why}"
        spread = f" ± {self.sd:.3g}" if np.isfinite(self.sd) else ""
        leak = f"; {MARK} {self.leaky:.3g}" if np.isfinite(self.leaky) else ""
        return f"{self.mean:.3g}{spread} (n {self.count}{leak})"


@final
@dataclass(frozen=True)
class Ours:
    """A finished study after a paper.

    Args:
        paper: Name of the paper.
        table: Its results.
        where: Its folder.
        title: Its title.
        budget: Name of its budget; empty for a comparison of methods.
        differences: What differs from the paper, by kind.
        grids: Its results on further grids, by their names.
    """

    paper: str
    table: ResultTable
    where: Path
    title: str
    budget: str
    differences: Mapping[str, tuple[str, ...]]
    grids: Mapping[str, ResultTable] = field(default_factory=dict)

    @property
    def on(self) -> str:
        """What was scored, in a few words."""
        count, budget = len(self.table.subjects()), f"budget {self.budget or 'of the file'}"
        return f"{counted(count, self.table.noun)} tested, {budget}" if count else f"whole sets of slices, {budget}"


def ours_of(folder: Path) -> Ours:
    """Read a finished study.

    Args:
        folder: Folder of the study.

    Raises:
        InputFileError: The folder holds no finished study.
        SpecError: The study follows none of the five papers.
    """
    study = read_study(folder)
    require_finished(study)
    after = study.spec.after
    if after is None or after.paper not in PAPERS:
        raise SpecError(
            f"study {study.spec.name}, which follows none of the papers",
            f"a study whose `after.paper` is one of {', '.join(PAPERS)}",
            "run one that comes with Glioforge, such as: glioforge study shin2018",
            folder,
        )
    differences = {"Method": after.deviations, "Data": after.data, "Left out": after.gaps}
    if noun_of(study.spec) == "phantom":
        differences["Data"] = (*after.data, "Computed phantoms stand in for patients.")
    results = read_study_results(study)
    table, grids = table_of(study.spec, results), grid_tables(study.spec, every_row(study.spec, results))
    budget = str(getattr(study.spec, "budget", ""))
    return Ours(after.paper, table, folder, study.spec.title, budget, differences, grids)


Given = Ours | Answered | Refused
"""What may stand next to a paper's tables: a study, a reading, or a reading that was refused."""


def by_paper(folders: Iterable[Path]) -> dict[str, tuple[Given, ...]]:
    """Read the studies and the readings of several folders, in their order, by the paper that they follow.

    Args:
        folders: Of finished studies, and of locked reading studies that have the preset of a paper.

    Raises:
        OutputError: A reading study is not locked.
        InputFileError: A folder holds neither a finished study nor a reading study, or the latter's chain is broken.
        SpecError: A study or a reading follows none of the five papers.
    """
    found: dict[str, tuple[Given, ...]] = {}
    for folder in folders:
        one = _reading_of(folder) if is_reading(folder) else ours_of(folder)
        found[one.paper] = (*found.get(one.paper, ()), one)
    return found


def _reading_of(folder: Path) -> Answered:
    """Read a locked reading study after a paper."""
    found = answered_of(folder)
    if found.paper not in PAPERS:
        raise SpecError(
            f"reading {found.title!r}, which follows none of the papers",
            "one that was created with --preset han2018, carver or guo2020",
            "its own report has its numbers: glioforge reader report",
            folder,
        )
    return found


def cell(
    studies: Sequence[Ours], table: PublishedTable, row: PublishedRow, place: int, also: AlsoRow | None = None
) -> Cell:
    """Return what studies have for one printed number.

    Args:
        studies: Studies after the paper; the first that has the arm counts, and none gives a gap.
        table: The printed table.
        row: One of its rows.
        place: Number of the column.
        also: The further row that is asked for; the first one unless given.
    """
    if not row.arms:
        return _gap("no study asks this")
    if not studies:
        return _gap("no study given")
    also = also or AlsoRow(title="")
    arm = also.arms.get(row.arms[place], row.arms[place])
    ours = next((one for one in studies if arm in one.table.arms()), studies[0])
    if also.grid and also.grid not in ours.grids:
        return _gap(f"not scored on grid {also.grid}")
    scores = ours.grids[also.grid] if also.grid else ours.table
    images = table.metric == IMAGES
    found = _likeness(scores, row, arm, table.columns[place]) if images else _value(scores, table, row, arm)
    if found is None:
        return _gap(f"no arm {arm} in this study" if arm not in ours.table.arms() else f"{row.region} not scored")
    leaky = _value(scores, table, row, f"{arm}{LEAKY}")
    mean, sd, count = found
    return Cell(mean, sd, count, float("nan") if leaky is None else leaky[0])


def _value(results: ResultTable, table: PublishedTable, row: PublishedRow, arm: str) -> tuple[float, float, int] | None:
    """Mean and standard deviation over subjects, and their number; none where nothing was scored."""
    if table.metric == IMAGES:
        return None
    error = table.metric == PERCENT_ERROR
    scores = results.scores(arm, row.region, "weighted_class_dice" if error else table.metric)
    if not scores.subjects:
        return None
    means = subject_means(scores.values)
    return _summed(100 * (1 - means) if error else means)


def _likeness(results: ResultTable, row: PublishedRow, arm: str, column: str) -> tuple[float, float, int] | None:
    """Likeness of one image a label map, with errors in grey values of which 255 span the reference in the brain.

    The range of each reference follows from its error and its PSNR, which was computed with that range.
    """
    _, one = results.drawn()
    found = {name: one.scores(arm, row.region, name) for name in ("mse", "mae", "psnr", "ssim")}
    if not found["mse"].subjects:
        return None
    mse, psnr = found["mse"].values, found["psnr"].values
    squared = GREY**2 / 10 ** (psnr / 10)
    with np.errstate(invalid="ignore", divide="ignore"):
        absolute = found["mae"].values * np.sqrt(squared / mse)
    values = {"MSE": squared, "MAE": absolute, "PSNR": psnr, "SSIM": found["ssim"].values}
    return _summed(subject_means(values[column]))


def _summed(values: Float64[np.ndarray, " subject"]) -> tuple[float, float, int]:
    """Mean, standard deviation and number of subjects."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(values.mean()), sd, len(values)


def _gap(why: str) -> Cell:
    """A cell without a number."""
    return Cell(float("nan"), float("nan"), 0, why=why)
