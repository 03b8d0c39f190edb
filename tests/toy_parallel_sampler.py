"""A sampler trained for a few steps in one or two processes, started as a script of its own."""

import sys
from pathlib import Path

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.sampling.base import SAMPLERS, train_sampler
from toy_cohort import toy_cohort

SPEC = {
    "kind": "label_vae",
    "size": (8, 8, 8),
    "widths": (2, 2, 2),
    "latent": 2,
    "batch_size": 4,
    "budget": {"steps": 4, "validate_every": 2, "checkpoint_every": 2},
}

if __name__ == "__main__":
    devices, folder = int(sys.argv[1]), Path(sys.argv[2])
    accelerator = AcceleratorSpec(device="cpu", precision="32-true", threads=1, devices=devices)
    trained = train_sampler(toy_cohort([1, 2]), None, SAMPLERS.parse(SPEC), folder, seed=1, accelerator=accelerator)
    sys.stdout.write(f"{trained.card.weights}\n")
