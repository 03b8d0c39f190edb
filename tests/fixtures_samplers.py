"""Samplers of every kind, small enough for tests."""

import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.sampling.method import SAMPLERS

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
SHORT = {"budget": {"steps": 2, "validate_every": 2, "checkpoint_every": 2}}
SMALL = {
    "dcgan": {"size": 32, "width": 2, "latent": 4, "batch_size": 4, "modalities": None},
    "label_pgan": {"size": 16, "latent": 4, "base": 8, "largest": 4, "judged": 8},
    "label_pgan-ranges": {"ranges": 3, "range_number": 1},
    "label_pgan-varied": {"modes": 2, "latent": 40},
    "wgan": {"size": 32, "width": 2, "latent": 4, "batch_size": 4, "modalities": None},
    "label_vae": {"size": (8, 8, 8), "widths": (2, 2, 4), "latent": 3, "batch_size": 2},
}
"""Settings that make a sampler of each kind, or one of its presets, small; presets keep the rest."""


def small_specs():
    """Every kind in every preset."""
    return [
        pytest.param(
            {"kind": kind, **chosen, **SMALL.get(kind, {}), **SMALL.get(f"{kind}-{name}", {}), **SHORT},
            id=f"{kind}-{name}",
        )
        for kind in SAMPLERS.kinds()
        for name, chosen in (
            [(preset, {"preset": preset}) for preset in SAMPLERS.spec_class(kind).PRESETS] or [("plain", {})]
        )
    ]
