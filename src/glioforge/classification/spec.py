"""Settings of a classifier of slices, free of torch."""

from pydantic import Field

from glioforge.config import Spec
from glioforge.data import AugmentSpec
from glioforge.training import Budget, OptimizerSpec


class ClassifierSpec(Spec):
    """A residual network on axial slices; the same for every arm of a study."""

    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels of each stage."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the pooled features dropped in training."""
    batch_size: int = Field(16, ge=2)
    """Slices in a batch."""
    least_share: float = Field(0.01, gt=0, lt=1)
    """Share of a slice's brain from which on tumour counts as seen; slices with less, but some, answer neither."""
    augment: AugmentSpec | None = AugmentSpec()
    """Classical augmentation."""
    optimizer: OptimizerSpec = OptimizerSpec(method="adamw", learning_rate=1e-3, weight_decay=1e-2, schedule="cosine")
    """Optimiser and schedule."""
    ema: float | None = 0.98
    """Decay of the average of the weights that is validated and kept; none keeps the weights themselves."""
    budget: Budget = Budget(steps=400, validate_every=100)
    """Length of the training."""
