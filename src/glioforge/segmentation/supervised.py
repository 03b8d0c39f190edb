"""Base of segmenters that are one network with one loss and one optimiser, and the settings that U-Nets share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn

from glioforge.core import Modality
from glioforge.nn import Activation, Norm, he
from glioforge.segmentation.method import SupervisedSpec, Task
from glioforge.segmentation.objective import LossName, objective
from glioforge.segmentation.target import Target
from glioforge.training import Batch, Supervised


class UNetLikeSpec(SupervisedSpec):
    """Settings that U-Nets and networks like them share."""

    dims: Literal[2, 3] = 2
    """2 for slices, 3 for volumes."""
    norm: Norm = "instance"
    """Normalisation after each convolution."""
    activation: Activation = "leaky_relu"
    """After each norm."""
    loss: LossName = "dice_and_cross_entropy"
    """Dice over the batch plus cross entropy, one Dice over all classes with or without weights by the inverse share
    of each class, or for nested regions Dice with squared denominators."""


class SupervisedMethod(ABC):
    """A network that lowers the loss of its settings.

    Args:
        spec: The method's own spec, a `UNetLikeSpec` unless `dims` and `loss` say otherwise.
    """

    def __init__(self, spec: Any, /) -> None:  # noqa: ANN401 - each method has its own spec
        self.spec = spec

    @property
    def dims(self) -> Literal[2, 3]:
        """As the spec says."""
        dims: Literal[2, 3] = self.spec.dims
        return dims

    @abstractmethod
    def build(self, modalities: tuple[Modality, ...], target: Target) -> nn.Module:
        """Network with untrained weights, drawn from torch's global generator; see `SegmenterMethod`."""

    @staticmethod
    def start(network: nn.Module) -> None:
        """Draw He weights."""
        he(network)

    def before_training(self, network: nn.Module, task: Task) -> None:  # noqa: B027 - most networks have no buffers
        """Fill buffers of the fresh network from training cases."""

    def loss(self, task: Task) -> Callable[[torch.Tensor, Batch], torch.Tensor]:
        """Loss of logits and batch: the one that the settings name."""
        return objective(self.spec.loss, task, getattr(self.spec, "statistics", "real"))

    def recipe(self, network: nn.Module, task: Task) -> Supervised:
        """Lower the loss by the optimiser of the settings."""
        spec: SupervisedSpec = self.spec
        self.before_training(network, task)
        return Supervised(
            network, self.loss(task), spec.optimizer, steps=task.steps, clip_norm=spec.clip_norm, ema=spec.ema
        )
