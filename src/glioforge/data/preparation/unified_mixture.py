"""A mixture of Gaussians whose shares vary in space, with a bias field in each contrast.

Classes are weighed by an average brain's probabilities (unified segmentation,
Ashburner & Friston 2005, NeuroImage 26(3), 839-851).  Deep grey matter has a
Gaussian of its own, between cortex and white matter in all contrasts.  Mixed
voxels have components whose means and covariances follow from the pure ones
(Ruan et al. 2000, IEEE Trans. Med. Imaging 19(12), 1179-1187), among them
those of fluid and white matter at the ventricles, which look like grey matter
in T1 and T2.  A small share of each component may have any value in the contrast
that shows a contrast agent, so that vessels and meninges keep the class that
the other contrasts give them.  The bias field multiplies the signal, whose zero is taken from
the darkest voxels.  A class of constant density takes vessels, remains of the
skull and unlabelled lesions.

Conventions
-----------
values  float64 `(voxel, contrast)`, in robust standard units
prior   float64 `(voxel, 4)`: fluid, cortex, white matter, deep grey matter; rows sum to 1
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float64

from glioforge.data.preparation.mixture import Positions, Values, Weights, _log_normal, polynomial

Prior = Float64[np.ndarray, "n 4"]

CSF, CORTEX, WHITE, DEEP = range(4)
_PURE = 4
_MIXED = ((CSF, CORTEX), (CORTEX, WHITE), (CSF, WHITE))
_PARTS = (1 / 3, 2 / 3)
OWNERS = np.array([0, 1, 2, 1, *(n for a, b in ((0, 1), (1, 2), (0, 2)) for n in (a, b))])
"""Tissue that each component counts for: 0 fluid, 1 grey matter, 2 white matter."""

_OUTLIER_DENSITY_PER_CONTRAST = 1 / 30
_OUTLIER_SHARE = 0.01
_LOG_UPTAKE = float(np.log(0.03 / 12))
_RIDGE = 1e-3
_FLOOR = 2e-3
_LEAST_SHARE = 0.15
_DEEPEST = 0.7
_MIXED_SHARE = 0.4
_LARGEST_FIELD = 0.7


@final
@dataclass(frozen=True, eq=False)
class UnifiedMixture:
    """Fitted classes and bias field.

    Args:
        shares: Factor of each component's prior.
        means: Mean of each pure class.
        covariances: Covariance of each pure class.
        field: Coefficients of the logarithm of the bias field, `(term, contrast)`.
        zeros: Value at which each contrast has no signal.
        order: Order of the polynomial; 0 for no field.
        agent: Contrast that shows a contrast agent: vessels and meninges are outliers in it alone.
    """

    shares: Float64[np.ndarray, "m"]
    means: Float64[np.ndarray, "4 c"]
    covariances: Float64[np.ndarray, "4 c c"]
    field: Float64[np.ndarray, "p c"]
    zeros: Float64[np.ndarray, "c"]
    order: int
    agent: int | None = None

    def flat(self, values: Values, terms: Float64[np.ndarray, "n p"]) -> Values:
        """Values without the bias field."""
        if not self.order:
            return values
        gain = np.exp(-np.clip(terms @ self.field, -_LARGEST_FIELD, _LARGEST_FIELD))
        return np.asarray(self.zeros + (values - self.zeros) * gain)

    def log_posteriors(
        self, values: Values, positions: Positions, prior: Prior, temper: Float64[np.ndarray, "n 1"] | float = 1.0
    ) -> Float64[np.ndarray, "n 3"]:
        """Log of prior times density of fluid, grey and white matter, mixed components included.

        Args:
            values: Intensities.
            positions: Each axis from -1 to 1 over the brain.
            prior: Of the same voxels.
            temper: Exponent of the density; below 1 the prior weighs more.
        """
        flat = self.flat(values, polynomial(positions, self.order))
        spatial = component_priors(prior) * self.shares
        spatial /= spatial.sum(axis=1, keepdims=True)
        densities = np.maximum(np.logaddexp(*self._log_densities(flat)), self._log_outlier)
        logs = temper * densities + np.log(spatial + 1e-12)
        classes = [np.logaddexp.reduce(logs[:, k == OWNERS], axis=1) for k in range(3)]
        return np.stack(classes, axis=1)

    @property
    def _log_outlier(self) -> float:
        """Log density of the class of outliers, times its share."""
        return float(np.log(_OUTLIER_SHARE) + self.means.shape[1] * np.log(_OUTLIER_DENSITY_PER_CONTRAST))

    def _log_densities(self, flat: Values) -> tuple[Float64[np.ndarray, "n m"], Float64[np.ndarray, "n m"]]:
        """Log density of each component, over all contrasts and with any value in the contrast with agent."""
        means, covariances = components(self.means, self.covariances)
        logs = np.stack([_log_normal(flat, m, v) for m, v in zip(means, covariances, strict=True)], axis=1)
        others = [c for c in range(flat.shape[1]) if c != self.agent]
        if len(others) in (0, flat.shape[1]):
            return logs, np.full_like(logs, -np.inf)
        pairs = zip(means[:, others], covariances[:, others][:, :, others], strict=True)
        return logs, np.stack([_log_normal(flat[:, others], m, v) for m, v in pairs], axis=1) + _LOG_UPTAKE

    def weights(self, flat: Values, spatial: Weights) -> Weights:
        """Probability of each component, for values without the field.

        What is missing to 1 are outliers, also those in the contrast with agent alone: they would widen the classes.
        """
        share = spatial * self.shares
        logs = np.log(share / share.sum(axis=1, keepdims=True) + 1e-12)
        seen, unseen = self._log_densities(flat)
        everything = np.logaddexp.reduce(np.logaddexp(seen, unseen) + logs, axis=1)
        return np.asarray(np.exp(seen + logs - np.logaddexp(everything, self._log_outlier)[:, None]))


def component_priors(prior: Prior) -> Weights:
    """Prior of each component before shares: mixed ones where both of their classes are likely."""
    grey = prior[:, CORTEX] + prior[:, DEEP]
    first = [prior[:, CSF], prior[:, CORTEX], prior[:, WHITE], prior[:, DEEP]]
    tissue = {CSF: prior[:, CSF], CORTEX: grey, WHITE: prior[:, WHITE]}
    for a, b in _MIXED:
        # The geometric mean is large only where both classes are possible.
        first += [np.sqrt(tissue[a] * tissue[b])] * 2
    return np.stack(first, axis=1)


def components(means: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pure classes, then for each mixed pair one component a third of the way and one two thirds."""
    all_means, all_covariances = list(means), list(covariances)
    for a, b in _MIXED:
        way = means[b] - means[a]
        for part in _PARTS:
            all_means.append(means[a] + part * way)
            all_covariances.append((1 - part) * covariances[a] + part * covariances[b] + np.outer(way, way) / 108)
    return np.stack(all_means), np.stack(all_covariances)


def fit_unified(
    values: Values, positions: Positions, prior: Prior, *, order: int, rounds: int, agent: int | None = None
) -> UnifiedMixture:
    """Fit classes and field under a prior.

    Args:
        values: Intensities of normal brain.
        positions: Each axis from -1 to 1 over the brain.
        prior: Of the same voxels.
        order: Order of the bias polynomial; 0 for none.
        rounds: Rounds of expectation and maximisation.
        agent: Contrast that shows a contrast agent, if any.
    """
    terms, spatial = polynomial(positions, order), component_priors(prior)
    # A multiplicative field needs the scanner's zero, which normalisation moved: just below the darkest brain is near
    # enough.
    zeros = np.quantile(values, 0.002, axis=0) - 0.25
    field = np.zeros((terms.shape[1], values.shape[1]))
    mixed = len(_PARTS) * len(_MIXED)
    shares = np.array([*[1.0] * _PURE, *[_MIXED_SHARE] * mixed])
    means = np.zeros((_PURE, values.shape[1]))
    nothing = np.zeros((*means.shape, values.shape[1]))
    blank = UnifiedMixture(shares, means, nothing, field, zeros, order, agent)
    # Squared, the prior is sharper: voxels between classes would pull the first means towards each other.
    pure = prior**2 / (prior**2).sum(axis=1, keepdims=True)
    mixture = _maximise(values, np.concatenate([pure, np.zeros((len(values), mixed))], axis=1), spatial, blank, shares)
    for _ in range(rounds):
        weights = mixture.weights(mixture.flat(values, terms), spatial)
        if order:
            mixture = replace(mixture, field=_fit_field(values, terms, weights, mixture))
        mixture = _maximise(mixture.flat(values, terms), weights, spatial, mixture)
    return mixture


def _maximise(
    flat: Values, weights: Weights, spatial: Weights, before: UnifiedMixture, shares: np.ndarray | None = None
) -> UnifiedMixture:
    """Shares of all components, means and covariances of the pure classes.

    Shares of pure classes stay those of the prior, since contrasts that tell grey from white matter badly would
    let one class swallow the other; those of mixed ones follow their weights.  Deep grey matter lies on the way
    from cortex to white matter, so that it cannot become the class of the ventricles beside it.
    """
    if shares is None:
        expected = spatial * before.shares
        total = expected.sum(axis=1, keepdims=True)
        found = weights.sum(axis=0) / np.maximum((spatial / total).sum(axis=0), 1e-9)
        shares = np.append(np.ones(_PURE), np.clip(found[_PURE:] / found[:_PURE].mean(), _LEAST_SHARE, 1.0))
    pure = weights[:, :_PURE]
    totals = pure.sum(axis=0) + 1e-9
    means = pure.T @ flat / totals[:, None]
    contrasts = flat.shape[1]
    covariances = np.empty((_PURE, contrasts, contrasts))
    for k, total in enumerate(totals):
        apart = flat - means[k]
        covariances[k] = (pure[:, k, None] * apart).T @ apart / total + _FLOOR * np.eye(contrasts)
    way = means[WHITE] - means[CORTEX]
    precision = np.linalg.inv(covariances[CORTEX])
    place = float(way @ precision @ (means[DEEP] - means[CORTEX]) / max(float(way @ precision @ way), 1e-9))
    means[DEEP] = means[CORTEX] + min(max(place, 0.0), _DEEPEST) * way
    # Too few voxels and too mixed to have a spread of their own.
    covariances[DEEP] = covariances[CORTEX]
    tied = (covariances + covariances[CORTEX : WHITE + 1].mean(axis=0)) / 2
    return replace(before, shares=shares, means=means, covariances=tied)


def _fit_field(
    values: Values, terms: Float64[np.ndarray, "n p"], weights: Weights, mixture: UnifiedMixture
) -> Float64[np.ndarray, "p c"]:
    """Log field that best explains how voxels differ from their components' means (weighted Gauss-Newton step)."""
    means, covariances = components(mixture.means, mixture.covariances)
    field = np.empty_like(mixture.field)
    gains = np.exp(np.clip(terms @ mixture.field, -_LARGEST_FIELD, _LARGEST_FIELD))
    for c in range(values.shape[1]):
        precision = weights / covariances[:, c, c]
        weight = precision.sum(axis=1) + 1e-9
        signal = (precision @ (means[:, c] - mixture.zeros[c]) / weight) * gains[:, c]
        residual = values[:, c] - mixture.zeros[c] - signal
        slope = terms * signal[:, None]
        weighted = slope * weight[:, None]
        gram = weighted.T @ slope + _RIDGE * (weight * signal**2).sum() * np.eye(terms.shape[1])
        step = weighted.T @ (residual + slope @ mixture.field[:, c])
        field[:, c] = np.linalg.solve(gram, step)
    return field
