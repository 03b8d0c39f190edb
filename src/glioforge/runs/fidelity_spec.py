"""Settings of a comparison of two cohorts."""

from typing import Literal

from pydantic import Field

from glioforge.config import Spec
from glioforge.metrics import DRAWS

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
