"""What a sampler must offer: label maps or images from noise; free of torch.

A sampler draws one synthetic head, or one slice, at a time and sees no label map
of a real subject when it draws.  What it has learned still comes from its
training subjects, who are in the lineage of everything it makes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, final

import numpy as np
from pydantic import BeforeValidator, SerializeAsAny

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.config.registry import Registry
from glioforge.config.spec import Spec
from glioforge.core import Cohort, Geometry, LabelMap, LabelScheme, Modality, Volume
from glioforge.training.budget import Budget, Outcome
from glioforge.training.fitting import Fitting

if TYPE_CHECKING:
    import torch
    from torch import nn

    from glioforge.training.recipe import Recipe

Made = LabelMap | Mapping[Modality, Volume]
"""What a sampler makes of one draw of noise."""
Batches = Callable[[int], "Mapping[str, torch.Tensor]"]


class SamplerSpec(Spec):
    """Settings that every sampler has; a sampler's spec adds `kind` and its own."""

    modalities: tuple[Modality, ...] | None = None
    """Contrasts made, jointly; none takes those that every training case has. A sampler of label maps needs none."""
    budget: Budget = Budget()
    """Length of the training."""


@final
@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of the training cohort before the network is trained.

    Args:
        modalities: Contrasts, in this order; none for label maps.
        scheme: Scheme of the label maps.
        geometry: Grid of the training cases.
    """

    modalities: tuple[Modality, ...]
    scheme: LabelScheme
    geometry: Geometry


class Sampler(ABC):
    """One way to make label maps or images from noise: a network, its batches, its losses, and a draw.

    Args:
        spec: The sampler's own spec.
        knowledge: Facts of the training cohort.
    """

    makes: ClassVar[Literal["labels", "images"]]
    """What a draw gives."""

    def __init__(self, spec: Any, knowledge: Knowledge) -> None:  # noqa: ANN401 - each sampler has its own spec
        self.spec = spec
        self.knowledge = knowledge
        self.network = self.build()

    @abstractmethod
    def build(self) -> "nn.Module":
        """Network with fresh weights from torch's global generator; it is kept with the model."""

    @abstractmethod
    def batches(self, cohort: Cohort, seed: int) -> Batches:
        """Return the training batch of each step, a pure function of its number."""

    @abstractmethod
    def recipe(self, network: "nn.Module", steps: int) -> "Recipe":
        """Losses and optimisers for the network, over this many steps."""

    @abstractmethod
    def make(self, rng: np.random.Generator, accelerator: AcceleratorSpec) -> Made:
        """Draw one label map, or one set of images on one grid; the same state of `rng` gives the same bytes."""

    def before_training(self, network: Any, cohort: Cohort) -> None:  # noqa: ANN401, B027 - for networks with such buffers
        """Fill buffers of the fresh network from training cases; nothing unless a sampler has such buffers."""

    def facts(self) -> Mapping[str, Any]:
        """Facts of every case that is made, such as which slices of the grid were learned; none unless overridden."""
        return {}

    def score(self, cohort: Cohort, seed: int) -> "Callable[[nn.Module], float | None] | None":  # noqa: ARG002 - for samplers that can be scored
        """Score of a network on other subjects, higher is better, that selects the weights; none keeps the last."""
        return None

    def fit(self, fitting: Fitting) -> Outcome:
        """Train the network; afterwards it holds the kept weights."""
        from glioforge.compute.accelerator import seed_torch, start
        from glioforge.training.loop import train

        seed_torch(fitting.seed, "weights")
        self.network = self.build()
        self.before_training(self.network, fitting.train)
        recipe = self.recipe(self.network, self.spec.budget.steps)
        held_out = fitting.validation if fitting.validation is not None and len(fitting.validation) else None
        outcome = train(
            recipe,
            self.batches(fitting.train, fitting.seed),
            self.spec.budget,
            fitting.folder,
            seed=fitting.seed,
            fabric=start(fitting.accelerator),
            validate=None if held_out is None else self.score(held_out, fitting.seed),
            progress=fitting.progress,
            settings={"spec": self.spec.model_dump(mode="json"), "train": fitting.train.fingerprint},
        )
        self.network.load_state_dict(recipe.inference_network().state_dict())
        self.network.cpu().eval()
        return outcome


SAMPLERS: Registry[Sampler] = Registry("sampler", "glioforge.sampling.methods")
"""All samplers by kind."""

AnySampler = Annotated[SerializeAsAny[Spec], BeforeValidator(SAMPLERS.parse)]
"""Field of a spec that holds the settings of any registered sampler."""
