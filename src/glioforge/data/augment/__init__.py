"""Classical augmentation of batches: the strong baseline that synthetic data has to beat."""

from glioforge.data.augment.batch import augment_batch
from glioforge.data.augment.spec import Amount, AugmentSpec

__all__ = ["Amount", "AugmentSpec", "augment_batch"]
