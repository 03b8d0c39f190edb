"""What an augmentation study reports besides its scores on the scans' grids: further grids, metrics, means of arms.

Papers score on grids of their own, print metrics that say little, and average over subsets of their synthetic data.
None of it changes what is trained, or what a study concludes.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, final

from pydantic import Field, model_validator

from glioforge.config import Spec
from glioforge.data import GridSpec
from glioforge.io import PREPARED, SCAN
from glioforge.metrics import DEFAULT_METRICS, METRICS
from glioforge.studies.arms import NAME

Name = Annotated[str, Field(pattern=NAME)]
GridOf = GridSpec | Literal["prepared"]


@final
class MeanSpec(Spec):
    """A mean of several arms, such as of nested subsets of one amount."""

    title: str
    """Name in tables."""
    arms: tuple[str, ...] = Field(min_length=2)
    """Names of the arms, as they are trained."""


@final
class AlsoSpec(Spec):
    """Scores and tables besides those of every augmentation study."""

    grids: Mapping[Name, GridOf] = Field(default_factory=dict)
    """Grids by their names, on which Dice is computed too: `prepared`, or `size` with `spacing_mm` and `centre: grid`,
    onto which masks and labels of the scan are brought."""
    metrics: tuple[str, ...] = ()
    """Metrics of masks on the scan's grid besides the usual ones, such as `specificity`, which counts voxels of the
    prepared brain alone."""
    means: Mapping[Name, MeanSpec] = Field(default_factory=dict)
    """Means of arms by their names."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        """Refuse grids that depend on a brain or take a name in use, and metrics that are unknown or scored anyway."""
        taken = sorted({SCAN, PREPARED} & set(self.grids))
        if taken:
            msg = f"grids {taken}: these names are in use, choose others"
            raise ValueError(msg)
        loose = [name for name, grid in self.grids.items() if grid != PREPARED and not _placed(grid)]
        if loose:
            msg = f"grids {loose}: give `size`, `centre: grid` and no `span`, so that a grid depends on no brain"
            raise ValueError(msg)
        odd = [name for name in self.metrics if name not in METRICS or name in DEFAULT_METRICS]
        if odd:
            msg = f"metrics {odd}: give some of {sorted(set(METRICS) - set(DEFAULT_METRICS))}"
            raise ValueError(msg)
        return self

    def require_arms(self, arms: Sequence[str]) -> None:
        """Refuse means of arms that a study has not, and names that its arms have.

        Args:
            arms: Names of the arms, as they are trained.

        Raises:
            ValueError: For the validator of a spec, which names the key.
        """
        missing = sorted({arm for mean in self.means.values() for arm in mean.arms} - set(arms))
        if missing:
            raise ValueError(f"also.means of arms {missing}, expected some of {sorted(arms)}")
        taken = sorted(set(self.means) & set(arms))
        if taken:
            raise ValueError(f"also.means {taken}: arms have these names, choose others")

    @property
    def key(self) -> dict[str, Any]:
        """What decides rows, as settings of a task; empty without further grids and metrics."""
        parts = {"grids": self.grids, "metrics": self.metrics}
        return {name: part for name, part in parts.items() if part}


def _placed(grid: GridOf) -> bool:
    """Whether a grid lies in the same place whatever the brain."""
    return isinstance(grid, GridSpec) and grid.size is not None and grid.centre == "grid" and grid.span is None
