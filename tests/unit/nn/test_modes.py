"""Tests of the principal modes of slices: moments of planted slices, places, and what few slices allow."""

import numpy as np
import pytest
import torch

from glioforge.core import stream
from glioforge.nn.axes import principal_scores, spread_axes
from glioforge.nn.modes import Modes


@pytest.fixture(scope="module")
def planted():
    """Slices of two places, whose means differ and which vary along one axis each, by 0.5 and 0.1."""
    rng = np.random.default_rng(1)
    scores = rng.standard_normal(200).astype(np.float32)
    positions = np.repeat([3, 7], 100)
    axes = np.zeros((2, 1, 8, 8), np.float32)
    axes[0, 0, :4], axes[1, 0, 4:] = 0.5, 0.1
    means = np.full((2, 1, 8, 8), -0.5, np.float32)
    means[1] = 0.5
    place = (positions == 7).astype(int)
    return torch.from_numpy(means[place] + scores[:, None, None, None] * axes[place]), positions


def test_draws_have_the_means_and_deviations_of_the_slices(planted):
    """Half of the draws are of each place, and vary where its slices do; other pixels are constant."""
    modes = Modes(2, 1, 1, 8)
    modes.fill(*planted)
    noise = torch.randn((4000, modes.numbers), generator=torch.Generator().manual_seed(1))
    made = modes(noise)
    low = noise[:, 0] < 0
    assert float(made[low, 0, 6].mean()) == pytest.approx(-0.5, abs=1e-2)
    assert float(made[low, 0, 6].std()) < 1e-2
    assert float(made[low, 0, 1, 1].std()) == pytest.approx(0.5, rel=0.15)
    assert float(made[~low, 0, 6].mean()) == pytest.approx(0.5, abs=2e-2)
    assert float(made[~low, 0, 6, 1].std()) == pytest.approx(0.1, rel=0.15)


def test_there_are_at_most_a_quarter_as_many_axes_as_slices(planted):
    """A few slices are of one place and leave the other axes 0, a single one leaves all; before, everything is 0."""
    modes = Modes(2, 6, 1, 8)
    assert not modes(torch.randn(3, modes.numbers)).any()
    images, positions = planted
    grain = torch.randn((12, 1, 8, 8), generator=torch.Generator().manual_seed(2))
    modes.fill(images[96:108] + grain, positions[96:108])
    assert torch.equal(modes.axes[0], modes.axes[1])
    assert modes.axes[0, :3].flatten(1).any(dim=1).all()
    assert not modes.axes[:, 3:].any()
    mean, axes, _ = principal_scores(images[:1].flatten(1).numpy(), 6)
    assert len(axes) == 0
    np.testing.assert_array_equal(mean, images[0].flatten())


def test_axes_are_orthogonal_and_sorted():
    """Each is as long as the deviation of the slices along it; scores are of unit variance."""
    slices = np.random.default_rng(2).standard_normal((60, 16)).astype(np.float32)
    _, axes, scores = principal_scores(slices, 5)
    gram = axes @ axes.T
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-5)
    lengths = np.sqrt(np.diag(gram))
    assert (np.diff(lengths) <= 0).all()
    units = axes / lengths[:, None]
    np.testing.assert_allclose(((slices - slices.mean(axis=0)) @ units.T).std(axis=0), lengths, rtol=1e-4)
    np.testing.assert_allclose(scores.std(axis=0), 1, rtol=1e-4)


def test_axes_keep_the_variance_that_principal_ones_leave():
    """The last third are mixtures, unlike any row, whose variance is what is missing; few rows have few axes."""
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((400, 30)).astype(np.float32) * np.linspace(3, 1, 30, dtype=np.float32)
    mean, axes, scores = spread_axes(rows, 18, stream(1))
    assert (len(axes), scores.shape) == (18, (400, 12))
    assert np.square(axes).sum() == pytest.approx(np.square(rows - mean).sum() / 400, rel=0.3)
    assert np.square(axes[:12]).sum() < 0.75 * np.square(axes).sum()
    assert np.abs(axes[12:] @ axes[:12].T).max() < 0.05
    assert len(spread_axes(rows[:8], 18, stream(1))[1]) == 2
    assert len(spread_axes(rows[:3], 18, stream(1))[1]) == 0
