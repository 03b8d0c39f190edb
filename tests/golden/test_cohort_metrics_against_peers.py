"""Distances of sets agree with torchmetrics, POT and scikit-learn, each to the tolerance of its arithmetic."""

import numpy as np
import ot
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from glioforge.metrics.cohort.distances import frechet_distance, kernel_distance, manifold, transport_distance
from glioforge.metrics.cohort.pyramid import directions, sliced_distance
from glioforge.metrics.cohort.variety import ms_ssim, weights_of

RNG = np.random.default_rng(0)
MADE, REAL = RNG.standard_normal((40, 12)), RNG.standard_normal((40, 12)) * 1.3 + 0.2


def test_kernel_distance_is_that_of_torchmetrics():
    """The same polynomial kernel and the same unbiased estimate."""
    expected = float(poly_mmd(torch.tensor(REAL), torch.tensor(MADE)))

    assert kernel_distance(MADE, REAL) == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_is_that_of_torchmetrics():
    """Singular values of the product of sets give the trace that torchmetrics takes from eigenvalues."""
    moments = [(torch.tensor(x.mean(0)), torch.tensor(np.cov(x.T))) for x in (MADE, REAL)]

    assert frechet_distance(MADE, REAL) == pytest.approx(float(_compute_fid(*moments[0], *moments[1])), rel=1e-10)


def test_sliced_distance_is_that_of_pot():
    """The Wasserstein-1 distance of the same projections, in single precision."""
    vectors = directions(12, 64, np.random.default_rng(1))
    x, y = (side.astype(np.float32) for side in (MADE, REAL))
    expected = ot.sliced_wasserstein_distance(x, y, p=1, projections=vectors)

    assert sliced_distance(vectors.T @ x.T, vectors.T @ y.T) == pytest.approx(float(expected), rel=1e-5)


def test_transport_is_the_best_assignment():
    """With equal counts, optimal transport is the assignment that scipy finds."""
    from scipy.optimize import linear_sum_assignment

    cost = np.abs(MADE[:, None] - REAL[None]).mean(axis=2)
    rows, columns = linear_sum_assignment(cost)

    assert transport_distance(MADE, REAL) == pytest.approx(cost[rows, columns].mean(), rel=1e-9)


def test_neighbourhoods_are_those_of_scikit_learn():
    """Balls from its neighbour search give the same shares."""
    radii = {
        name: NearestNeighbors(n_neighbors=4).fit(side).kneighbors(side)[0][:, -1]
        for name, side in (("made", MADE), ("real", REAL))
    }
    across = np.linalg.norm(MADE[:, None] - REAL[None], axis=2)
    found = manifold(MADE, REAL)

    assert found.precision == pytest.approx((across <= radii["real"]).any(axis=1).mean())
    assert found.recall == pytest.approx((radii["made"] >= across.T).any(axis=1).mean())
    assert found.density == pytest.approx((across <= radii["real"]).sum() / 3 / len(MADE))
    assert found.coverage == pytest.approx((across <= radii["real"]).any(axis=0).mean())


def test_ms_ssim_is_that_of_torchmetrics():
    """Same window, scales and weights; double precision against double precision."""
    x = RNG.standard_normal((112, 100))
    y = x + 0.5 * RNG.standard_normal(x.shape)
    betas = weights_of(*x.shape)
    expected = multiscale_structural_similarity_index_measure(
        torch.tensor(y)[None, None], torch.tensor(x)[None, None], data_range=10.0, betas=betas
    )

    assert ms_ssim(x.astype(np.float32), y.astype(np.float32), 10.0) == pytest.approx(float(expected), rel=1e-4)
