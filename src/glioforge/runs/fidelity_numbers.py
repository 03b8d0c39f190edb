"""Settings of a comparison of two cohorts, and every number about them, from descriptions of their cases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

import numpy as np
from pydantic import Field

from glioforge.compute import ParallelSpec
from glioforge.config import Spec
from glioforge.core import CaseRef, Cohort, GeometryError, Modality, Progress, Silent, in_standard_order
from glioforge.features import Space
from glioforge.metrics import (
    DRAWS,
    KINDS,
    PREPARED_RANGE,
    Measured,
    Table,
    TwoSample,
    half_of,
    halves,
    likeness_of_pairs,
    measure,
    nearest,
    tamed,
    two_sample_test,
)
from glioforge.runs.fidelity_cases import SHORTCUTS, TRAITS, Described, Pair, describe_cases, reconstruction
from glioforge.statistics import holm

DESCRIBED: Final = "described"
"""Folder of what was measured of each case, below the result."""


_SHOWN: Final = 6
"""Synthetic cases on the page, each beside its nearest real case."""


_MOST_ALIKE: Final = 40
"""Cases of a side among which MS-SSIM of pairs is computed."""


@final
@dataclass(frozen=True, eq=False)
class Compared:
    """Everything that the page shows.

    Args:
        made: Synthetic cases, in the order of the table.
        real: Real cases compared with.
        behind: Real subjects who contributed to the synthetic cases.
        modalities: Contrasts.
        numbers: All numbers with floors.
        tests: Two-sample tests by what the classifier saw.
        adjusted: Their p-values after Holm.
        pairs: Comparison voxel by voxel with the scan of the same label map; may be empty.
        neighbours: Synthetic and nearest real case.
        spaces: Extractors.
    """

    made: tuple[CaseRef, ...]
    real: tuple[CaseRef, ...]
    behind: tuple[str, ...]
    modalities: tuple[Modality, ...]
    numbers: tuple[Measured, ...]
    tests: dict[str, TwoSample]
    adjusted: dict[str, float]
    pairs: tuple[Pair, ...]
    neighbours: tuple[tuple[CaseRef, CaseRef], ...]
    spaces: tuple[Space, ...]


Features = Literal["random_convolution", "radiomics", "encoder"]


class FidelitySpec(Spec):
    """How two cohorts are compared."""

    features: tuple[Features, ...] = Field(("random_convolution", "radiomics"), min_length=1)
    """Spaces of features; `encoder` needs a cohort of training subjects, `radiomics` the extra of that name."""
    draws: int = Field(DRAWS, ge=20)
    """Random halves of each number."""
    permutations: int = Field(999, ge=99)
    """Permutations of each two-sample test."""
    training_subjects: bool = False
    """Also compare with real subjects who contributed to the synthetic cases; the page says so."""
    encoder_steps: int = Field(150, ge=1)
    """Training steps of the encoder."""
    seed: int = Field(1, ge=0)
    """Root of all draws."""


def compared(  # noqa: PLR0913 - cohorts, place and settings, by keyword
    synthetic: Cohort,
    real: Cohort,
    out: Path,
    *,
    used: Cohort,
    spaces: tuple[Space, ...],
    spec: FidelitySpec,
    parallel: ParallelSpec | None = None,
    progress: Progress | None = None,
) -> Compared:
    """Describe all cases and compute every number.

    Args:
        synthetic: Cases asked about.
        real: All real cases, among which nearest neighbours are sought.
        out: Folder below which descriptions are kept.
        used: The real cases that are compared with.
        spaces: Extractors of features; neighbours are sought in the first.
        spec: Settings.
        parallel: One process unless given.
        progress: Where to show progress.

    Raises:
        CaseError: A case has no label map or an empty brain.
        CohortError: A side has too few subjects.
        GeometryError: Grids differ.
        MetricError: A number breaks an identity.
    """
    progress = progress or Silent()
    behind = tuple(sorted(synthetic.subjects_behind & set(real.subject_ids)))
    common = in_standard_order(set(synthetic.modalities) & set(real.modalities))
    rest = [ref for ref in real if ref not in used.cases]
    refs = (*synthetic, *used, *rest)
    half_of([unit_of(ref) for ref in synthetic], [unit_of(ref) for ref in used])
    described = describe_cases(refs, spaces, common, out / DESCRIBED, parallel=parallel, progress=progress)
    made, count = len(synthetic), len(synthetic) + len(used)
    table = table_of(described[:count], made, [space.extractor.name for space in spaces])
    units = [unit_of(ref) for ref in refs[:count]]
    progress.say(
        f"comparing {made} synthetic and {len(used)} real cases at {half_of(units[:made], units[made:])} a side"
    )
    drawn = halves(units[:made], units[made:], draws=spec.draws, seed=spec.seed)
    numbers = measure(table, drawn, seed=spec.seed)
    tests = tests_of(table, described[:count], units, spec)
    adjusted = holm(np.array([test.p for test in tests.values()])) if tests else np.zeros(0)
    return Compared(
        tuple(synthetic),
        tuple(used),
        behind,
        common,
        numbers,
        tests,
        dict(zip(tests, adjusted.tolist(), strict=True)),
        reconstruction(synthetic, real, common),
        _neighbours(refs, described, made, spaces[0].extractor.name),
        spaces,
    )


def table_of(described: list[Described], made: int, features: list[str], *, variety: bool = True) -> Table:
    """Arrays of all cases.

    Args:
        described: Synthetic cases, then real ones.
        made: Number of synthetic cases.
        features: Names of the spaces of features.
        variety: Compute MS-SSIM of pairs too, which takes longest.

    Raises:
        GeometryError: Slices differ in size, so that patches and pairs can't be compared.
    """
    shapes = {case.middle.shape for case in described}
    if len(shapes) > 1:
        raise GeometryError(f"slices of shapes {sorted(shapes)}", "one grid", "prepare both cohorts with one grid")
    names = {what.split("/")[0] for what in described[0].patches}
    patches = {
        name: [
            np.stack([case.patches[f"{name}/{n}"] for case in described]) for n in range(_levels(described[0], name))
        ]
        for name in sorted(names, reverse=True)
    }
    return Table(
        made,
        {name: rows_of(described, name) for name in features},
        {name: rows_of(described, name) for name in TRAITS},
        patches,
        _likeness(described, made) if variety else None,
    )


def rows_of(described: list[Described], space: str) -> np.ndarray:
    """Entries of a space, a row a case, in alphabetical order."""
    names = sorted(described[0].spaces[space])
    return np.array([[case.spaces[space][name] for name in names] for case in described], dtype=np.float64)


def tests_of(table: Table, described: list[Described], units: list[str], spec: FidelitySpec) -> dict[str, TwoSample]:
    """Two-sample tests in every space, and of each kind of shortcut."""
    is_made = [place < table.made for place in range(len(units))]
    if set(units[: table.made]) & set(units[table.made :]):
        return {}
    names = sorted(described[0].spaces[SHORTCUTS])
    shortcuts = rows_of(described, SHORTCUTS)
    spaces = {**{name: tamed(table.standardised(rows)) for name, rows in table.features.items()}, **table.traits}
    for kind in KINDS:
        spaces[f"shortcut: {kind}"] = shortcuts[:, [n for n, name in enumerate(names) if name.startswith(kind)]]
    return {
        name: two_sample_test(rows, units, is_made, permutations=spec.permutations, seed=spec.seed)
        for name, rows in spaces.items()
    }


def unit_of(ref: CaseRef) -> str:
    """The subject of a scan; of a synthetic case, the cases whose labels it was made from."""
    return " + ".join(ref.lineage.parents) if ref.lineage.is_synthetic and ref.lineage.parents else ref.subject_id


def _levels(described: Described, name: str) -> int:
    """Levels of a pyramid."""
    return sum(what.startswith(f"{name}/") for what in described.patches)


def _likeness(described: list[Described], made: int) -> np.ndarray | None:
    """MS-SSIM of pairs within each source; none where a side has more cases than pairs can be computed of."""
    count = len(described)
    if max(made, count - made) > _MOST_ALIKE:
        return None
    found = np.zeros((count, count))
    for side in (slice(0, made), slice(made, count)):
        images = np.stack([case.middle for case in described[side]])
        found[side, side] = likeness_of_pairs(images, PREPARED_RANGE)
    return found


def _neighbours(
    refs: tuple[CaseRef, ...], described: list[Described], made: int, space: str
) -> tuple[tuple[CaseRef, CaseRef], ...]:
    """Some synthetic cases with the nearest of all real ones, also of those behind them."""
    rows = tamed(Table(made).standardised(rows_of(described, space)))
    shown = np.unique(np.linspace(0, made - 1, min(_SHOWN, made)).round().astype(int))
    found = nearest(rows[shown], rows[made:])
    return tuple((refs[place], refs[made + int(other)]) for place, other in zip(shown, found, strict=True))
