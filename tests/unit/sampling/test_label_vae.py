"""Tests of the autoencoder of label maps: its bound, its noise, and that it learns."""

import numpy as np
import pytest
import torch

from fixtures_samplers import PLAIN
from glioforge.compute.accelerator import start
from glioforge.core.errors import SpecError
from glioforge.core.rng import stream
from glioforge.sampling.base import known_of
from glioforge.sampling.method import SAMPLERS
from glioforge.sampling.methods.label_vae import LabelVae, smooth_gumbel
from toy_cohort import toy_cohort

SMALL = {"kind": "label_vae", "size": (16, 16, 8), "widths": (4, 8, 16), "latent": 4, "batch_size": 8, "mirror": False}


def test_the_bound_is_that_of_the_formula():
    """With a decoder of zeros the likelihood is that of even classes, and the divergence that of two Gaussians."""
    network = LabelVae(3, (8, 8, 8), (2, 2, 2), 2)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    network.encoder[-1].bias.data = torch.tensor([1.0, -2.0, 0.5, 0.0])
    shares = torch.zeros(1, 3, 8, 8, 8)
    shares[:, 1] = 1
    divergence = 0.5 * (1 + np.exp(0.5) - 1 - 0.5) + 0.5 * (4 + 1 - 1 - 0)
    bound = network(shares, torch.zeros(1, 2))
    assert float(bound.detach()) == pytest.approx(512 * np.log(3) + divergence, rel=1e-5)


def test_smooth_noise_is_gumbel_in_each_voxel_and_agrees_between_neighbours():
    """Mean and variance of the Gumbel distribution; a draw of the largest keeps the probabilities."""
    noise = smooth_gumbel((2, 48, 48, 48), 1.5, stream(3))
    assert noise.mean() == pytest.approx(np.euler_gamma, abs=0.05)
    assert noise.var() == pytest.approx(np.pi**2 / 6, rel=0.1)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] > 0.7
    logits = np.log(np.array([0.8, 0.2]))[:, None, None, None]
    assert ((logits + noise).argmax(axis=0) == 1).mean() == pytest.approx(0.2, abs=0.03)


def test_a_grid_that_cannot_be_halved_is_refused():
    """Each axis is halved three times."""
    with pytest.raises((SpecError, ValueError), match="multiples of 8"):
        SAMPLERS.parse({**SMALL, "size": (16, 12, 8)})


def test_one_batch_is_learned_by_heart():
    """The loss of four maps falls to six tenths of what an atlas of the very same maps gives, divergence included."""
    torch.manual_seed(0)
    optimizer = {"method": "adamw", "learning_rate": 1e-2, "schedule": "constant"}
    spec = SAMPLERS.parse({**SMALL, "ema": None, "optimizer": optimizer})
    cohort = toy_cohort([1, 2, 3, 4])
    sampler = SAMPLERS.part_for(spec)(spec, known_of(spec, cohort))
    sampler.before_training(sampler.network, cohort)
    batch = sampler.batches(cohort, 1)(0)
    atlas = -float((batch["shares"] * sampler.network.atlas).sum(dim=1).mean())
    recipe, fabric = sampler.recipe(sampler.network, 150), start(PLAIN)
    losses = [float(recipe.step(batch, step, fabric)["loss"]) for step in range(150)]
    assert losses[-1] < 0.6 * atlas, (losses[-1], atlas)


def test_lesions_are_drawn_and_lie_in_the_brain():
    """Where the decoder gives a lesion a tenth of the probability, about a tenth of the brain is drawn as lesion."""
    spec = SAMPLERS.parse({**SMALL, "coherence": 1.0})
    cohort = toy_cohort([1])
    sampler = SAMPLERS.part_for(spec)(spec, known_of(spec, cohort))
    for parameter in sampler.network.parameters():
        torch.nn.init.zeros_(parameter)
    shares = torch.full((7, 16, 16, 8), 1e-6)
    shares[0], shares[0, 4:12, 4:12] = 1.0, 1e-6
    shares[5, 4:12, 4:12], shares[2, 4:12, 4:12] = 0.9, 0.1
    sampler.network.atlas.copy_(shares.log())
    maps = [sampler.make(stream(seed), PLAIN) for seed in range(20)]
    brain, lesion = sum(m.foreground.sum() for m in maps), sum(m.lesion.sum() for m in maps)
    assert lesion / brain == pytest.approx(0.1, abs=0.04)
    assert sampler.make(stream(1), PLAIN).geometry == cohort.cases[0].load().geometry
    plain = SAMPLERS.part_for(spec)(spec.model_copy(update={"coherence": 0.0}), sampler.knowledge)
    plain.network.load_state_dict(sampler.network.state_dict())
    assert not plain.make(stream(1), PLAIN).lesion.any()
