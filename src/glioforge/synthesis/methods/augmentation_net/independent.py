"""Several games played side by side, each as if it were alone: one independent model a contrast (Carver et al., 2.3.4).

Each game has its own generator, critic, optimisers and weights, sees its own part of the batch, and draws the
random numbers that it would draw alone.  All of them compute their gradients before any optimiser steps, so that a
step that is not finite in one game is left out in all: the one way in which they touch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import final

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from glioforge.training import RIGHT, Adversarial, Batch, Observation, update_all

Part = Callable[[Batch, int], Batch]
Assemble = Callable[[Sequence[nn.Module]], nn.Module]


@final
class Independent:
    """Trains independent GANs in lockstep; losses are logged as `<game> <loss>`.

    Args:
        games: One recipe each, by name; no module belongs to two of them.
        part: What a game, by its place, sees of a batch.
        assemble: One network of the games' inference networks, in their order; it holds them and copies nothing.
        clip_norm: Largest L2 norm of each player's gradient in each game; none leaves it.
    """

    def __init__(
        self, games: Mapping[str, Adversarial], part: Part, assemble: Assemble, *, clip_norm: float | None = None
    ) -> None:
        self._games, self._part, self._assemble, self._clip_norm = dict(games), part, assemble, clip_norm

    @property
    def networks(self) -> nn.ModuleDict:
        """Every network of every game, as `<game>_<network>`."""
        return nn.ModuleDict(
            {f"{name}_{part}": network for name, game in self._games.items() for part, network in game.networks.items()}
        )

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Every optimiser of every game, as `<game>_<network>`."""
        return {
            f"{name}_{part}": player for name, game in self._games.items() for part, player in game.optimizers.items()
        }

    @property
    def accumulate(self) -> int:
        """Parts that each game cuts its batches into."""
        return max((game.accumulate for game in self._games.values()), default=1)

    @accumulate.setter
    def accumulate(self, count: int) -> None:
        for game in self._games.values():
            game.accumulate = count

    def observe(self, batch: Batch) -> Observation:
        """Images of all games side by side."""
        seen = [game.observe(self._part(batch, place)) for place, game in enumerate(self._games.values())]
        images = torch.cat([one.batch["images"] for one in seen], dim=1)
        made, again = (torch.cat(views, dim=1) for views in ([o.made for o in seen], [o.again for o in seen]))
        return Observation({**batch, "images": images}, made, again)

    def inference_network(self) -> nn.Module:
        """The games' inference networks as one."""
        return self._assemble([game.inference_network() for game in self._games.values()])

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Update every network of every game once, or none; returns every loss."""
        told: dict[str, torch.Tensor] = {}
        right: dict[str, list[torch.Tensor]] = {}
        devices = [fabric.device] if fabric.device.type == "cuda" else []
        for place, (name, game) in enumerate(self._games.items()):
            with torch.random.fork_rng(devices):
                scalars = game.differentiate(self._part(batch, place), step, fabric)
            told |= {f"{name} {loss}": value for loss, value in scalars.items() if loss not in RIGHT}
            for share in (share for share in RIGHT if share in scalars):
                right.setdefault(share, []).append(scalars[share])
        update_all(list(self.optimizers.values()), list(told.values()), fabric, self._clip_norm)
        for game in self._games.values():
            game.settle(step)
        return told | {share: torch.stack(values).mean() for share, values in right.items()}
