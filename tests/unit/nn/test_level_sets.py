"""Tests of slices as signed distances: what is kept of a slice, how borders move, and grain."""

import numpy as np
import pytest
import torch

from glioforge.nn.level_sets import LevelSets, signed_distances
from glioforge.nn.modes import Modes


@pytest.fixture(scope="module")
def discs():
    """Bright discs of several radii in darker ones, on background."""
    x, y = np.mgrid[:32, :32] - 15.5
    away = np.hypot(x, y)
    radii = np.linspace(4, 9, 60)[:, None, None]
    images = np.where(away < radii, 0.4, np.where(away < 13, -0.2, -1.0)).astype(np.float32)
    return torch.from_numpy(images[:, None])


def sets_of(images):
    """Level sets that know the slices."""
    sets = LevelSets(1, 4, 32, -1.0, -0.8)
    assert torch.equal(sets(sets.distances(images)), torch.full_like(images, -1.0))
    sets.fill(images)
    return sets


def test_distances_are_signed_and_cut_off():
    """Positive within, minus the cut where the region is absent, the cut where there is nothing else."""
    row = np.array([[[0, 1, 1, 4, 4, 4]]])
    assert signed_distances(row == 4, 2.0).tolist() == [[[-2, -2, -1, 1, 2, 2]]]
    assert signed_distances(row == 9, 2.0).tolist() == [[[-2] * 6]]
    assert signed_distances(row < 9, 2.0).tolist() == [[[2] * 6]]


def test_slices_come_back_from_their_distances(discs):
    """Within a tenth of the contrast away from borders, and what is lacking is the grain."""
    sets = sets_of(discs)
    made = sets(sets.distances(discs))
    assert float((made - discs).abs().median()) < 0.06
    lacking = (made - discs) * (discs > -0.8)
    assert torch.allclose(sets.grain, lacking.square().mean(dim=0).sqrt(), atol=1e-5)
    noise = torch.ones(60, 1, 32, 32)
    assert torch.equal(sets.grained(made, noise) != made, (made > -0.8) & (sets.grain > 0))


def test_blends_of_distances_have_borders_where_blends_of_intensities_blur(discs):
    """Fewer pixels lie between the two intensities of the discs."""
    modes, plain = Modes(1, 6, 1, 32, LevelSets(1, 4, 32, -1.0, -0.8)), Modes(1, 6, 1, 32)
    noise = torch.randn(40, modes.numbers, generator=torch.Generator().manual_seed(1))
    between = []
    for made in (modes, plain):
        made.fill(discs, np.zeros(60, dtype=int))
        blend = made(noise)
        between.append(float(((blend > -0.1) & (blend < 0.3)).float().mean()))
    assert between[0] < 0.7 * between[1]
    assert torch.equal(plain.grained(blend, torch.ones_like(blend)), blend)
