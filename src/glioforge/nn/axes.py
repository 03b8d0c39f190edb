"""Axes along which pictures vary about their mean: principal ones, and mixtures of what these leave."""

from typing import Final

import numpy as np
from jaxtyping import Float32

SHARE: Final = 4
"""Pictures for each axis, at least, so that no picture is an axis of its own."""
MIXED: Final = 3
"""One axis in so many is a mixture."""


def principal_scores(
    rows: Float32[np.ndarray, "n pixel"], most: int
) -> tuple[Float32[np.ndarray, "pixel"], Float32[np.ndarray, "mode pixel"], Float32[np.ndarray, "n mode"]]:
    """Mean, principal axes as long as the deviation along them, and the scores of the rows, of unit variance.

    They are found through the small matrix of rows against rows, since pixels are many.

    Args:
        rows: At least one.
        most: Largest number of axes; there are at most a quarter as many as rows.
    """
    mean = rows.mean(axis=0)
    apart = rows - mean
    powers, vectors = np.linalg.eigh((apart @ apart.T).astype(np.float64))
    order = np.argsort(-powers)[: min(most, len(rows) // SHARE)]
    order = order[powers[order] > 1e-6 * max(float(powers.max()), 1e-6)]
    scores = (vectors[:, order] * np.sqrt(len(rows))).astype(np.float32)
    axes: Float32[np.ndarray, "mode pixel"] = (scores.T @ apart / len(rows)).astype(np.float32)
    return mean, axes, scores


def spread_axes(
    rows: Float32[np.ndarray, "n pixel"], most: int, rng: np.random.Generator
) -> tuple[Float32[np.ndarray, "pixel"], Float32[np.ndarray, "axis pixel"], Float32[np.ndarray, "n mode"]]:
    """Mean, axes along which rows vary with all their variance, and the scores of the rows along the principal ones.

    The last third of the axes are random mixtures of what the principal ones leave of the rows.  Normal scores along
    them have the covariance of what is left, on average over mixtures (a random sketch, Woodruff 2014,
    arXiv:1411.4357): borders keep their roughness, which a few principal axes smooth away.

    Args:
        rows: At least one.
        most: Largest number of axes; there are at most a quarter as many as rows.
        rng: Draws the weights of the mixtures.
    """
    count = min(most, len(rows) // SHARE)
    mean, axes, scores = principal_scores(rows, count - count // MIXED)
    weights = rng.standard_normal((count // MIXED, len(rows))).astype(np.float32)
    left = rows - mean - scores @ axes
    mixtures = weights @ left / np.float32(max(1, len(weights) * len(rows)) ** 0.5)
    return mean, np.concatenate([axes, mixtures]), scores
