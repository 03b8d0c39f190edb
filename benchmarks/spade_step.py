"""Time of one SPADE training step, beside a step put together from MONAI's parts at equal widths.

Peer: MONAI's `SPADENetResBlock` at the same widths and grids, and its
`PatchDiscriminator` at two image sizes, in float32, trained in the usual way: the
critic sees the images once for the generator's step and once for its own.  Ours is
the recipe that `train` runs: one pass of the generator for both players, in the
precision that `auto` takes here.  Both take hinge loss, feature matching and an absolute difference,
Adam, batch 8 of 96 x 96, seven classes to four contrasts, one thread.

Run: `python benchmarks/spade_step.py [--steps 8]`
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from monai.networks.nets.spade_network import SPADENetResBlock
from torch import nn
from torch.nn import functional

from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.compute.precision import keep_freed_memory, native_precision
from glioforge.losses.adversarial import critic_loss, feature_matching_loss, generator_loss
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.nn.spade import SpadeGenerator, Stage
from glioforge.training.recipes.adversarial import Adversarial
from glioforge.training.recipes.adversarial_spec import AdversarialSpec

CLASSES, CONTRASTS, BATCH, SIZE, HIDDEN, WIDTH = 7, 4, 8, 96, 32, 16
STAGES = tuple(Stage(8 * multiple, up=n > 0) for n, multiple in enumerate((8, 8, 4, 2, 1)))
RESULT = Path(__file__).parent / "results" / "spade_step.json"


class PeerGenerator(nn.Module):
    """The same stages from MONAI's blocks."""

    def __init__(self) -> None:
        super().__init__()
        widths = [STAGES[0].width, *(stage.width for stage in STAGES)]
        self.first = nn.Conv2d(CLASSES, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(SPADENetResBlock(2, a, b, CLASSES, HIDDEN) for a, b in itertools.pairwise(widths))
        self.last = nn.Conv2d(widths[-1], CONTRASTS, 3, padding=1)

    def forward(self, labels: torch.Tensor) -> torch.Tensor:
        """Images of one-hot labels."""
        shrink = 2 ** sum(stage.up for stage in STAGES)
        x = self.first(functional.interpolate(labels, scale_factor=1 / shrink))
        for stage, block in zip(STAGES, self.blocks, strict=True):
            x = functional.interpolate(x, scale_factor=2) if stage.up else x
            x = block(x, labels)
        return self.last(functional.leaky_relu(x, 0.2))


class PeerCritic(nn.Module):
    """Two of MONAI's critics, the second on images of half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.critics = nn.ModuleList(
            PatchDiscriminator(2, WIDTH, CLASSES + CONTRASTS, num_layers_d=3, norm="INSTANCE") for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
        """Scores and features by scale."""
        layers = [self.critics[0](x), self.critics[1](functional.avg_pool2d(x, 3, 2, 1))]
        return [values[-1] for values in layers], [values[:-1] for values in layers]


def peer_step() -> Callable[[], None]:
    """A step of the peer."""
    generator = PeerGenerator()
    critic = PeerCritic()
    players = [torch.optim.Adam(network.parameters(), 1e-4, (0.0, 0.9)) for network in (generator, critic)]
    batch = make_batch()
    hot, real = batch["hot"], batch["images"]

    def step() -> None:
        fake = generator(hot)
        scores, features = critic(torch.cat([hot, fake], 1))
        with torch.no_grad():
            _, wanted = critic(torch.cat([hot, real], 1))
        loss = generator_loss(scores, "hinge") + 10 * feature_matching_loss(features, wanted)
        loss = loss + 10 * functional.l1_loss(fake, real)
        players[0].zero_grad()
        loss.backward()
        players[0].step()
        fakes, _ = critic(torch.cat([hot, fake.detach()], 1))
        reals, _ = critic(torch.cat([hot, real], 1))
        players[1].zero_grad()
        critic_loss(reals, fakes, "hinge").backward()
        players[1].step()

    return step


def our_step(precision: Literal["auto", "32-true"]) -> Callable[[], None]:
    """A step of the recipe."""
    recipe = Adversarial(
        SpadeGenerator(CLASSES, CONTRASTS, STAGES, hidden=HIDDEN, norm="instance", spectral=False),
        MultiScaleCritic(CLASSES + CONTRASTS, WIDTH, 3, spectral=False),
        AdversarialSpec(l1=10.0),
        steps=100,
        generate=lambda network, b: network(b["hot"]),
        condition=lambda b: b["hot"],
    )
    fabric = start(AcceleratorSpec(device="cpu", precision=precision, threads=1))
    batch = make_batch()
    return lambda: recipe.step(batch, 0, fabric) and None


def make_batch() -> dict[str, torch.Tensor]:
    """Random labels and images of the right shapes."""
    torch.manual_seed(0)
    hot = functional.one_hot(torch.randint(0, CLASSES, (BATCH, SIZE, SIZE)), CLASSES).movedim(-1, 1).float()
    images = torch.randn(BATCH, CONTRASTS, SIZE, SIZE)
    return {"hot": hot, "images": images, "brain": torch.ones(BATCH, SIZE, SIZE, dtype=torch.bool)}


def cpu_ms(step: Callable[[], None], steps: int) -> float:
    """Median CPU time of a step in milliseconds, which other work on the machine hardly touches."""
    step()
    times = []
    for _ in range(steps):
        begin = time.process_time()
        step()
        times.append(1000 * (time.process_time() - begin))
    return statistics.median(times)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    keep_freed_memory()  # for the peer as for ours
    result: dict[str, Any] = {
        "peer_fp32_ms": cpu_ms(peer_step(), steps),
        "ours_fp32_ms": cpu_ms(our_step("32-true"), steps),
        "ours_ms": cpu_ms(our_step("auto"), steps),
        "precision": native_precision("cpu"),
    }
    result["times_faster_than_peer"] = result["peer_fp32_ms"] / result["ours_ms"]
    result["times_faster_than_peer_fp32"] = result["peer_fp32_ms"] / result["ours_fp32_ms"]
    result |= {"steps": steps, "batch": BATCH, "size": SIZE, "threads": 1, "torch": torch.__version__}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
