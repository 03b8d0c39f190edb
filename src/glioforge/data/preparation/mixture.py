"""A mixture of Gaussians over several contrasts, with a smooth bias field in each.

Expectation-maximisation with a polynomial field that is estimated along with
the classes (Van Leemput et al. 1999, IEEE Trans. Med. Imaging 18(10), 885-896).
Between neighbouring classes lie two components of mixed voxels, whose means
and covariances follow from the pure ones (after Ruan et al. 2000, IEEE Trans.
Med. Imaging 19(12), 1179-1187): at 2 mm most voxels of the cortex are mixed.
One extra class of constant density takes what belongs to no tissue: vessels,
remains of the skull, unlabelled lesions.

Conventions
-----------
values     float64 `(voxel, contrast)`, in robust standard units
positions  float64 `(voxel, 3)`, each axis from -1 to 1 over the brain
weights    float64 `(voxel, component)`: probability of each; what is missing to 1 belongs to none of them
"""

import itertools
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

Values = Float64[np.ndarray, "n c"]
Positions = Float64[np.ndarray, "n 3"]
Weights = Float64[np.ndarray, "n m"]

_OUTLIER_DENSITY_PER_CONTRAST = 1 / 30
_RIDGE = 1e-3
_FLOOR = 1e-3
_MIXED_SHARE = 0.2


@final
@dataclass(frozen=True, eq=False)
class Mixture:
    """Fitted classes and bias field.

    Args:
        shares: Share of each component: the pure classes, then two mixed ones for each pair of neighbouring
            classes; the rest to 1 is the class of outliers.
        means: Mean of each pure class in each contrast.
        covariances: Covariance of each pure class.
        field: Coefficients of the bias polynomial, `(term, contrast)`.
        order: Order of the polynomial; 0 for no field.
    """

    shares: Float64[np.ndarray, "m"]
    means: Float64[np.ndarray, "k c"]
    covariances: Float64[np.ndarray, "k c c"]
    field: Float64[np.ndarray, "p c"]
    order: int

    def log_posteriors(self, values: Values, positions: Positions) -> Float64[np.ndarray, "n k"]:
        """Log of share times density of each voxel under each class, its part of the mixed components included."""
        logs = self._log_components(values - polynomial(positions, self.order) @ self.field)
        owners = _owners(len(self.means))
        classes = [np.logaddexp.reduce(logs[:, owners == k], axis=1) for k in range(len(self.means))]
        # Outliers belong to no class: with the same floor under all, the neighbourhood decides about them.
        return np.asarray(np.maximum(np.stack(classes, axis=1), self.log_outlier))

    @property
    def log_outlier(self) -> float:
        """Log density of the class of outliers, times its share."""
        share = max(1 - float(self.shares.sum()), 1e-6)
        return float(np.log(share) + self.means.shape[1] * np.log(_OUTLIER_DENSITY_PER_CONTRAST))

    def _log_components(self, flat: Values) -> Float64[np.ndarray, "n m"]:
        """Log of share times density of each component."""
        means, covariances = _components(self.means, self.covariances)
        logs = [_log_normal(flat, m, v) for m, v in zip(means, covariances, strict=True)]
        return np.asarray(np.stack(logs, axis=1) + np.log(self.shares + 1e-12))

    def weights(self, flat: Values) -> Float64[np.ndarray, "n m"]:
        """Probability of each component, for values without the field."""
        logs = self._log_components(flat)
        top = np.maximum(logs.max(axis=1), self.log_outlier)[:, None]
        weights = np.exp(logs - top)
        return np.asarray(weights / (weights.sum(axis=1, keepdims=True) + np.exp(self.log_outlier - top)))


def fit_mixture(values: Values, positions: Positions, start: Weights, *, order: int, rounds: int) -> Mixture:
    """Fit classes and field, from a first guess of the classes.

    Args:
        values: Intensities.
        positions: Where they were taken.
        start: First weights of the pure classes, in an order in which neighbours mix; rows may sum to less than 1.
        order: Order of the bias polynomial; 0 for none.
        rounds: Rounds of expectation and maximisation.
    """
    terms = polynomial(positions, order)
    field = np.zeros((terms.shape[1], values.shape[1]))
    classes = start.shape[1]
    # The first guess knows pure classes only; mixed ones start small and grow where the data ask for them.
    mixed = np.full((len(values), 2 * (classes - 1)), 0.02)
    mixture = _maximise(values, np.concatenate([start, mixed], axis=1), classes, field, order)
    for _ in range(rounds):
        weights = mixture.weights(values - terms @ field)
        if order:
            field = _fit_field(values, terms, weights, mixture)
        mixture = _maximise(values - terms @ field, weights, classes, field, order)
    return mixture


def polynomial(positions: Positions, order: int) -> Float64[np.ndarray, "n p"]:
    """Products of powers of the position up to a total order, without the constant.

    Example:
        >>> polynomial(np.array([[2.0, 3.0, 5.0]]), 1).tolist()
        [[2.0, 3.0, 5.0]]
    """
    powers = [p for p in itertools.product(range(order + 1), repeat=3) if 0 < sum(p) <= order]
    powers.sort(key=lambda p: (sum(p), [-n for n in p]))
    if not powers:
        return np.zeros((len(positions), 0))
    x, y, z = positions.T
    return np.stack([x**a * y**b * z**c for a, b, c in powers], axis=1)


def _components(means: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pure classes, then for each pair of neighbours one component a third of the way and one two thirds."""
    all_means, all_covariances = list(means), list(covariances)
    for k in range(len(means) - 1):
        way = means[k + 1] - means[k]
        for part in (1 / 3, 2 / 3):
            all_means.append(means[k] + part * way)
            between = (1 - part) * covariances[k] + part * covariances[k + 1]
            # A component stands for a third of the way: a uniform share of width 1/3 has variance (1/3)^2 / 12 = 1/108.
            all_covariances.append(between + np.outer(way, way) / 108)
    return np.stack(all_means), np.stack(all_covariances)


def _owners(classes: int) -> np.ndarray:
    """Class that each component counts for."""
    return np.array([*range(classes), *(k + part for k in range(classes - 1) for part in (0, 1))])


def _maximise(flat: Values, weights: Weights, classes: int, field: Float64[np.ndarray, "p c"], order: int) -> Mixture:
    """Shares of all components, means and covariances of the pure classes.

    Shares are drawn half-way to a prior, so that none vanishes.
    """
    shares = weights.mean(axis=0)
    mixed = weights.shape[1] - classes
    prior = np.concatenate([np.full(classes, (1 - _MIXED_SHARE) / classes), np.full(mixed, _MIXED_SHARE / mixed)])
    shares = (shares + prior) / 2
    pure = weights[:, :classes]
    totals = pure.sum(axis=0) + 1e-9
    means = pure.T @ flat / totals[:, None]
    contrasts = flat.shape[1]
    covariances = np.empty((classes, contrasts, contrasts))
    for k, total in enumerate(totals):
        apart = flat - means[k]
        covariances[k] = (pure[:, k, None] * apart).T @ apart / total + _FLOOR * np.eye(contrasts)
    return Mixture(shares / max(1.0, float(shares.sum()) + 1e-6), means, _tied(covariances), field, order)


def _tied(covariances: Float64[np.ndarray, "k c c"]) -> Float64[np.ndarray, "k c c"]:
    """Draw covariances half-way to the mean of all but the first class.

    Free covariances let one class grow wide and swallow its neighbours; equal ones do not fit CSF, the first.
    """
    return np.asarray((covariances + covariances[1:].mean(axis=0)) / 2)


def _fit_field(
    values: Values, terms: Float64[np.ndarray, "n p"], weights: Weights, mixture: Mixture
) -> Float64[np.ndarray, "p c"]:
    """Polynomial that best explains how voxels differ from their components' means (weighted least squares)."""
    means, covariances = _components(mixture.means, mixture.covariances)
    field = np.empty((terms.shape[1], values.shape[1]))
    for contrast in range(values.shape[1]):
        precision = weights / covariances[:, contrast, contrast]
        weight = precision.sum(axis=1) + 1e-9
        residual = values[:, contrast] - precision @ means[:, contrast] / weight
        weighted = terms * weight[:, None]
        # The ridge grows with the data, so that it means the same for a small head and a large one.
        gram = weighted.T @ terms + _RIDGE * weight.sum() * np.eye(terms.shape[1])
        field[:, contrast] = np.linalg.solve(gram, weighted.T @ residual)
    return field


def _log_normal(
    values: Values, mean: Float64[np.ndarray, "c"], covariance: Float64[np.ndarray, "c c"]
) -> Float64[np.ndarray, "n"]:
    """Log density of a normal distribution."""
    root = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(root, (values - mean).T)
    constant = len(mean) * np.log(2 * np.pi) / 2 + np.log(np.diag(root)).sum()
    return np.asarray(-0.5 * (scaled**2).sum(axis=0) - constant)
