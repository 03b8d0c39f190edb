"""A synthesizer trained for a few steps in one or two processes, started as a script of its own."""

import sys
from pathlib import Path

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from toy_cohort import toy_cohort

SPEC = {
    "kind": "pix2pixhd",
    "ngf": 4,
    "halvings": 1,
    "blocks": 1,
    "enhancer_blocks": 1,
    "critic_width": 2,
    "critic_layers": 2,
    "batch_size": 2,
    "coarse_share": 0.5,
    "budget": {"steps": 4, "validate_every": 2, "checkpoint_every": 2},
}

if __name__ == "__main__":
    devices, folder = int(sys.argv[1]), Path(sys.argv[2])
    accelerator = AcceleratorSpec(device="cpu", precision="32-true", threads=1, devices=devices)
    trained = train_synthesizer(
        toy_cohort([1, 2]), None, SYNTHESIZERS.parse(SPEC), folder, seed=1, accelerator=accelerator
    )
    sys.stdout.write(f"{trained.weights_hash}\n")
