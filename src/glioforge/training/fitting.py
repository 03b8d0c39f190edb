"""What one call to train a method or a sampler is given."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from glioforge.compute import AcceleratorSpec
from glioforge.core import Cohort, Progress


@final
@dataclass(frozen=True, eq=False)
class Fitting:
    """One call to train a method or a sampler.

    Args:
        train: Training cases.
        validation: Cases of other subjects that select the weights, if any.
        folder: The training's own folder.
        seed: Root of all draws.
        accelerator: Devices, precision, threads.
        progress: Where progress is shown.
    """

    train: Cohort
    validation: Cohort | None
    folder: Path
    seed: int
    accelerator: AcceleratorSpec
    progress: Progress
