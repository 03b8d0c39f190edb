"""Tests of the DCGAN: layers of the paper, slices, grids, and that it learns."""

import numpy as np
import pytest
import torch
from torch import nn

from fixtures_samplers import PLAIN
from glioforge.compute.accelerator import start
from glioforge.core.geometry import Geometry
from glioforge.core.modality import Modality
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.sampling.base import known_of
from glioforge.sampling.method import SAMPLERS, Knowledge
from glioforge.sampling.methods.dcgan import DcganGenerator, dcgan_critic, training_slices
from toy_cohort import toy_cohort


def test_layers_are_those_of_the_paper():
    """Half of Radford's widths, all kernels 4 x 4, ReLU and ELU, a linear end, one score for a slice."""
    spec = SAMPLERS.parse({"kind": "dcgan", "preset": "paper"})
    generator, critic = DcganGenerator(spec.latent, 1, spec.width, spec.size), dcgan_critic(1, 64, 64, norm=True)
    ups = [layer for layer in generator.modules() if isinstance(layer, nn.ConvTranspose2d)]
    downs = [layer for layer in critic if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in ups] == [512, 256, 128, 64, 1]
    assert [layer.out_channels for layer in downs] == [64, 128, 256, 512, 1]
    assert {layer.kernel_size for layer in (*ups, *downs)} == {(4, 4)}
    assert isinstance(generator.layers[-1], nn.ConvTranspose2d)
    assert sum(isinstance(layer, nn.ELU) for layer in critic) == 4
    assert generator(torch.randn(2, 100)).shape == (2, 1, 64, 64)
    assert critic(torch.randn(2, 1, 64, 64)).shape == (2, 1, 1, 1)
    assert (spec.losses.adversary, spec.losses.generator.learning_rate, spec.batch_size) == ("vanilla", 2e-4, 64)


def test_slices_are_cut_about_the_middle_padded_and_dark_outside():
    """A square keeps proportions; without brain there is -1; off the middle nothing is taken."""
    cohort = toy_cohort([1])
    spec = SAMPLERS.parse({"kind": "dcgan", "size": 32, "middle": 0.25})
    slices = training_slices(spec, cohort, (Modality.T1,))
    assert slices.shape == (4, 1, 32, 32)
    assert float(slices.max()) <= 1
    assert torch.all(slices[:, :, 0, :] == -1)
    whole = training_slices(spec.model_copy(update={"middle": 1.0}), cohort, (Modality.T1,))
    assert len(whole) == int(cohort.cases[0].load().brain_mask.any(axis=(1, 2)).sum())


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("proportions", ["kept", "stretched"])
def test_the_grid_of_a_slice_covers_that_of_the_cases(axis, proportions):
    """One voxel thick; a stretched slice is as large as the grid, a padded one a square."""
    spec = SAMPLERS.parse({"kind": "dcgan", "size": 32, "axis": axis, "proportions": proportions, "width": 2})
    grid = Geometry.isotropic((48, 40, 24), 2.0)
    sampler = SAMPLERS.part_for(spec)(spec, Knowledge((Modality.T1,), COMPLETE, grid))
    volume = sampler.make(stream(1), PLAIN)[Modality.T1]
    extent = np.array(volume.geometry.shape) * volume.geometry.spacing
    plane = [a for a in range(3) if a != axis]
    wanted = [2.0 * (grid.shape[a] if proportions == "stretched" else max(grid.shape[b] for b in plane)) for a in plane]
    assert volume.voxels.shape[axis] == 1
    assert np.allclose(extent[plane], wanted)


def test_the_generator_follows_the_critic_and_every_weight_learns():
    """Within a few steps both losses are finite, and no parameter is without a gradient's trace."""
    torch.manual_seed(0)
    spec = SAMPLERS.parse({"kind": "dcgan", "size": 32, "width": 2, "latent": 4, "batch_size": 8})
    cohort = toy_cohort([1, 2])
    sampler = SAMPLERS.part_for(spec)(spec, known_of(spec, cohort))
    recipe = sampler.recipe(sampler.network, 5)
    before = [p.detach().clone() for p in recipe.networks.parameters()]
    batches = sampler.batches(cohort, 1)
    for step in range(3):
        losses = recipe.step(batches(step), step, start(PLAIN))
        assert all(torch.isfinite(value) for value in losses.values())
    assert all(not torch.equal(old, new) for old, new in zip(before, recipe.networks.parameters(), strict=True))
    assert torch.equal(batches(1)["images"], sampler.batches(cohort, 1)(1)["images"])


def test_the_nearest_validation_is_kept_where_the_spec_asks_for_it():
    """As many slices as held-out subjects have are scored; without `select` nothing is, and the spec is as before."""
    settings = {"kind": "dcgan", "size": 32, "width": 2, "latent": 4, "batch_size": 8}
    spec = SAMPLERS.parse({**settings, "select": True})
    sampler = SAMPLERS.part_for(spec)(spec, known_of(spec, toy_cohort([1, 2])))
    score = sampler.score(toy_cohort([3]), 1)
    assert score is not None
    assert score(sampler.network.eval()) == score(sampler.network) == -score.scalars["swd"] < 0
    plain = SAMPLERS.parse(settings)
    assert SAMPLERS.part_for(plain)(plain, known_of(plain, toy_cohort([1, 2]))).score(toy_cohort([3]), 1) is None
    assert "select" not in plain.model_dump(mode="json")
