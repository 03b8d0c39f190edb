"""Trains the networks of a cascade side by side, each on stacks from the true box of the region before its own.

Wang et al. 2017, arXiv:1709.00382, section 3: boxes come from the truth in
training; networks of the axial view come first, and those of the other views
start from their weights.  Until then the other views hold the axial weights, so
that validation sees a whole cascade at any time.

Conventions
-----------
stack       as in `anisotropic`; its loss counts the slices in its middle
label       a class of scheme BRATS2023: WT are all but 0, TC are 1 and 3, ET is 3
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast, final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer

from glioforge.core import bounding_box
from glioforge.segmentation.methods.cascade.anisotropic import AnisotropicNet, MultiView, turn
from glioforge.segmentation.methods.cascade.regions import MARGIN, Cascade
from glioforge.training import Batch, Ema, OptimizerSpec, build_optimizer, set_rate, synchronised, update_all

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Size = tuple[int, int, int]

REGIONS: Final = {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}
"""Classes of each region, outermost first."""


@final
@dataclass(frozen=True)
class CascadePlan:
    """How a cascade is trained.

    Args:
        sizes: Stack `(x, y, slices)` of each region's network.
        optimizer: Of all networks.
        loss: Scalar of logits `(b, 2, ...)` and labels 0 and 1.
        early: Weight of the loss of each level's own prediction, where the networks give one; 0 leaves it to the
            joined one.
        near: Share of the first network's stacks that are taken about the tumour, the rest about the brain.
        axial: Share of the steps in which the axial networks alone are trained.
        steps: Length of the training.
        clip_norm: Largest norm of the gradient; none leaves it.
        ema: Decay of the average of the weights that is kept; none keeps the weights themselves.
    """

    sizes: tuple[Size, ...]
    optimizer: OptimizerSpec
    loss: Loss
    early: float
    near: float
    axial: float
    steps: int
    clip_norm: float | None
    ema: float | None


@final
class CascadeRecipe:
    """Recipe of a cascade of anisotropic networks.

    Args:
        network: The cascade, or a module that holds it; this is what is kept.
        cascade: The cascade; each stage a `MultiView`.
        plan: How it is trained.
    """

    def __init__(self, network: nn.Module, cascade: Cascade, plan: CascadePlan) -> None:
        self._network, self._plan = network, plan
        self._stages = [cast("MultiView", stage) for stage in cascade.stages]
        self._average = None if plan.ema is None else Ema(network, plan.ema)
        self._optimizer = build_optimizer(plan.optimizer, network.parameters())
        self._called: dict[tuple[int, int], nn.Module] = {}

    @property
    def networks(self) -> nn.ModuleDict:
        """The cascade, and its average if there is one."""
        average = {} if self._average is None else {"average": self._average}
        return nn.ModuleDict({"network": self._network, **average})

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """One for all networks."""
        return {"network": self._optimizer}

    def inference_network(self) -> nn.Module:
        """The average if there is one, else the cascade."""
        return self._network if self._average is None else self._average.network

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Update the networks of one view; returns the loss of each region's."""
        set_rate(self._optimizer, self._plan.optimizer, step, self._plan.steps)
        alone = step < self._plan.axial * self._plan.steps
        view = self._view(step, alone=alone)
        losses = {region: self._loss(number, view, batch, fabric) for number, region in enumerate(REGIONS)}
        total = torch.stack(list(losses.values())).sum()
        fabric.backward(total)
        update_all([self._optimizer], [total], fabric, self._plan.clip_norm)
        if alone:
            self._share_axial()
        if self._average is not None:
            self._average.update(self._network, step)
        return {name: loss.detach() for name, loss in losses.items()}

    def _view(self, step: int, *, alone: bool) -> int:
        """Which view is trained: the first, then the others in turn."""
        others = len(self._stages[0].orders) - 1
        return 0 if alone or not others else 1 + step % others

    def _loss(self, number: int, view: int, batch: Batch, fabric: Fabric) -> torch.Tensor:
        """Loss of one network on stacks of its own."""
        network = cast("AnisotropicNet", self._stages[number].networks[view])
        order = self._stages[number].orders[view]
        regions = nested_masks(batch["labels"])
        around = regions[number - 1] if number else self._about(regions[0], batch["brain"])
        drawn = [
            draw_stack(turn(image, order), turn(truth, order), turn(mask, order), self._plan.sizes[number])
            for image, truth, mask in zip(batch["images"], regions[number], around, strict=True)
        ]
        images, truth = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        truth = truth[..., network.context : truth.shape[-1] - network.context].long()
        called = self._called.setdefault((number, view), synchronised(network, fabric))
        with fabric.autocast():
            joined, early = called(images)
        loss = self._plan.loss(joined.float(), truth)
        if not self._plan.early or not early:
            return loss
        return loss + self._plan.early * torch.stack([self._plan.loss(e.float(), truth) for e in early]).mean()

    def _about(self, tumour: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
        """What the first network's stacks are taken about: tumour in some samples, brain in the others."""
        near = torch.rand(len(tumour)) < self._plan.near
        return torch.where(near.to(brain.device).view(-1, 1, 1, 1), tumour, brain)

    def _share_axial(self) -> None:
        """Give all views the weights of the first."""
        for stage in self._stages:
            first, *others = stage.networks
            for other in others:
                other.load_state_dict(first.state_dict())


def nested_masks(labels: torch.Tensor) -> list[torch.Tensor]:
    """Masks of WT, TC and ET."""
    return [torch.isin(labels, torch.tensor(classes, device=labels.device)) for classes in REGIONS.values()]


def draw_stack(
    image: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor, size: Size
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random stack of an image `(c, x, y, slice)` and of its truth from the box of a mask.

    Where the box is smaller than the stack it lies wholly inside; where it is larger, the stack does.
    An empty mask stands for the whole grid.  What lies beyond the grid is 0.
    """
    box = bounding_box(mask.cpu().numpy(), MARGIN) or tuple(slice(0, n) for n in mask.shape)
    starts = [_start(part.start, part.stop, want) for part, want in zip(box, size, strict=True)]
    return _cut(image, starts, size), _cut(truth, starts, size)


def _start(low: int, high: int, want: int) -> int:
    """First voxel of a stack along one axis of a box."""
    first, last = sorted((low, high - want))
    return first + int(torch.randint(last - first + 1, ()))


def _cut(voxels: torch.Tensor, starts: Sequence[int], size: Size) -> torch.Tensor:
    """The last three axes from these voxels on, filled up with 0."""
    grid = voxels.shape[-3:]
    inner = [slice(max(a, 0), max(min(a + n, have), 0)) for a, n, have in zip(starts, size, grid, strict=True)]
    missing = [(part.start - a, n - (part.stop - a)) for part, a, n in zip(inner, starts, size, strict=True)]
    widths = [width for pair in reversed(missing) for width in pair]
    x, y, z = inner
    return functional.pad(voxels[..., x, y, z], widths)
