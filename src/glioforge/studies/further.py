"""Rows and tables of a study's further grids, metrics and means of arms (see `studies.also`).

Conventions
-----------
further grid  a row of the results table has its name in the column `grid`; the main tables leave these rows out
mean of arms  of one case under several arms with the same seed, before any statistic over subjects
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np

from glioforge.core import CaseRef, LabelMap
from glioforge.data import GridPlan, plan_window, resample_labels, restore
from glioforge.io import SCAN, ResultRow
from glioforge.metrics import evaluate_case
from glioforge.report import ResultTable
from glioforge.studies.also import AlsoSpec, GridOf
from glioforge.studies.base import StudySpec
from glioforge.studies.scoring import Row, named_regions, tumour_of

DICE: Final = "dice"
"""The one metric of further grids."""
Key = tuple[object, ...]


def further_rows(
    known: Row,
    regions: tuple[str, ...],
    ref: CaseRef,
    found: tuple[LabelMap, LabelMap],
    truth: LabelMap,
    also: AlsoSpec,
) -> Iterator[Row]:
    """Score a mask in further metrics, and by Dice on further grids.

    Args:
        known: The columns that say what was scored.
        regions: Regions scored, where the mask's scheme names them.
        ref: The prepared case.
        found: The mask on the scan's grid, and the labels on the prepared one.
        truth: Labels that came with the scan, without normal tissue.
        also: What is asked for.
    """
    mask, prepared = found
    named = named_regions(mask, regions)
    if also.metrics:
        scores = evaluate_case(mask, truth, named, also.metrics, brain=_brain(ref), where=ref.case_id)
        yield from (known | {"grid": SCAN} | asdict(score) for score in scores)
    for name, grid in also.grids.items():
        pair = _on_grid(grid, ref, (mask, prepared), truth)
        scores = evaluate_case(*pair, named, (DICE,), where=ref.case_id)
        yield from (known | {"grid": name} | asdict(score) for score in scores)


def _brain(ref: CaseRef) -> np.ndarray:
    """The prepared brain on the scan's grid."""
    case = ref.load()
    brain = case.require_labels().with_voxels(case.brain_mask.astype(np.uint8))
    return restore(brain, ref).foreground


def _on_grid(
    grid: GridOf, ref: CaseRef, found: tuple[LabelMap, LabelMap], truth: LabelMap
) -> tuple[LabelMap, LabelMap]:
    """Mask and truth on a further grid; lesions of the truth that vanish there are gone, as in the papers."""
    mask, prepared = found
    if isinstance(grid, str):
        return tumour_of(prepared), tumour_of(ref.load().require_labels())
    plan = _plan(grid, mask)
    return resample_labels(mask, plan, None), resample_labels(truth, plan, None)


def _plan(grid: Any, mask: LabelMap) -> GridPlan:  # noqa: ANN401 - a grid with a size, as `AlsoSpec` makes sure
    """How the scan's grid becomes a further one; the brain plays no part."""
    nowhere = np.zeros(mask.geometry.shape, dtype=bool)
    return plan_window(mask.geometry, nowhere, grid.spacing, grid.size, grid.window)


def also_of(spec: StudySpec) -> AlsoSpec:
    """Return what a study asks for besides the usual scores; nothing for kinds of studies that cannot ask."""
    found = getattr(spec, "also", None)
    return found if isinstance(found, AlsoSpec) else AlsoSpec()


def main_table(spec: StudySpec, table: ResultTable) -> ResultTable:
    """Return the rows that are on no further grid, with those of the means of arms."""
    also = also_of(spec)
    kept = table.chosen(row for row in table.rows if row.grid not in also.grids) if also.grids else table
    return with_means(kept, also)


def grid_tables(spec: StudySpec, table: ResultTable) -> dict[str, ResultTable]:
    """Return the rows of each further grid that has any, with those of the means of arms."""
    also = also_of(spec)
    found = {name: table.chosen(row for row in table.rows if row.grid == name) for name in also.grids}
    return {name: with_means(one, also) for name, one in found.items() if one.rows}


def with_means(table: ResultTable, also: AlsoSpec) -> ResultTable:
    """Return all rows, and rows of the means of arms: of each case and seed that all arms of a mean have."""
    means = [row for name, mean in also.means.items() for row in _means(table, name, mean.arms)]
    return table.chosen((*table.rows, *means)) if means else table


def _means(table: ResultTable, name: str, arms: tuple[str, ...]) -> Iterator[ResultRow]:
    """Rows of one mean; a case that an arm lacks has none."""
    groups: defaultdict[Key, dict[str, ResultRow]] = defaultdict(dict)
    for row in (row for row in table.rows if row.arm in arms):
        place = (row.fold, row.seed, row.case_id, row.place, row.metric)
        groups[*place, row.reference, row.sample, row.grid, row.draw, row.generator_seed][row.arm] = row
    for found in groups.values():
        if len(found) == len(set(arms)):
            value = float(np.mean([row.value for row in found.values()]))
            yield replace(found[arms[0]], arm=name, value=value, empty="")


def known_arms(also: AlsoSpec, arms: Mapping[str, str]) -> dict[str, str]:
    """Return the titles of the means whose arms all have results."""
    return {name: mean.title for name, mean in also.means.items() if all(arm in arms for arm in mean.arms)}
