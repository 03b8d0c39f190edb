"""Tests of answers on several items of a subject, in which the subject is the unit.

Slices of one volume are called alike, so that they are no independent trials.
Under the hypothesis that calls do not depend on truth, the truth of whole
subjects can be exchanged: between subjects that have items of one kind, and
within subjects that have both.  The statistic is the difference of the two
shares called synthetic, real and synthetic.

Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses (2005);
Phipson & Smyth (2010) for Monte Carlo p values.
"""

import numpy as np
from jaxtyping import Bool, Float64

from glioforge.core import stream

DRAWS = 3000
"""Random exchanges of truth."""


def exchange_p(
    truth: Bool[np.ndarray, "item"],
    call: Bool[np.ndarray, "item"],
    subjects: np.ndarray,
    *,
    seed: int,
    draws: int = DRAWS,
) -> float:
    """Two-sided p that calls do not depend on truth, with subjects as units.

    Args:
        truth: One class, such as synthetic items.
        call: What was answered, or ticked.
        subjects: Subject of each item.
        seed: Of the random exchanges.
        draws: Number of random exchanges.

    Returns:
        1 where one class is missing.

    Example:
        >>> half = np.repeat([False, True], 12)
        >>> exchange_p(half, half, np.repeat(np.arange(12), 2), seed=0) < 0.01
        True
    """
    counts, hits = _by_subject(truth, call, subjects)
    return exchange_p_of_counts(counts, hits, seed=seed, draws=draws)


def exchange_p_of_counts(
    counts: Float64[np.ndarray, "subject 2"], hits: Float64[np.ndarray, "subject 2"], *, seed: int, draws: int = DRAWS
) -> float:
    """The same p from items and calls of each subject, of the first class and the second.

    Args:
        counts: Items of each subject by class.
        hits: Items among them with the call.
        seed: Of the random exchanges.
        draws: Number of random exchanges.
    """
    if (counts.sum(axis=0) == 0).any():
        return 1.0
    rng = stream(seed, "exchange")
    both = (counts > 0).all(axis=1)
    flip = np.zeros((draws, len(counts)), dtype=bool)
    flip[:, both] = rng.integers(0, 2, (draws, int(both.sum())), dtype=np.int8).astype(bool)
    single = np.flatnonzero(~both)
    if len(single):
        second = counts[single, 1] > 0
        order = rng.permuted(np.broadcast_to(second, (draws, len(single))), axis=1)
        flip[:, single] = order != second
    observed = _difference(counts, hits, np.zeros((1, len(counts)), dtype=bool))[0]
    drawn = _difference(counts, hits, flip)
    return float((1 + (np.abs(drawn) >= abs(observed) - 1e-9).sum()) / (1 + draws))


def _by_subject(
    truth: Bool[np.ndarray, "item"], call: Bool[np.ndarray, "item"], subjects: np.ndarray
) -> tuple[Float64[np.ndarray, "subject 2"], Float64[np.ndarray, "subject 2"]]:
    """Items and calls of each subject, by class."""
    names, codes = np.unique(subjects, return_inverse=True)
    counts, hits = (np.zeros((len(names), 2)) for _ in range(2))
    np.add.at(counts, (codes, truth.astype(int)), 1)
    np.add.at(hits, (codes, truth.astype(int)), call.astype(float))
    return counts, hits


def _difference(
    counts: Float64[np.ndarray, "subject 2"],
    hits: Float64[np.ndarray, "subject 2"],
    flip: Bool[np.ndarray, "draw subject"],
) -> Float64[np.ndarray, "draw"]:
    """Share of calls in the second class minus that in the first, with the classes of some subjects exchanged."""
    weight = flip.astype(np.float64)
    sums = [hits[:, k].sum() + weight @ (hits[:, 1 - k] - hits[:, k]) for k in (0, 1)]
    sizes = [counts[:, k].sum() + weight @ (counts[:, 1 - k] - counts[:, k]) for k in (0, 1)]
    shares = [np.where(n > 0, s / np.maximum(n, 1), 0.0) for s, n in zip(sums, sizes, strict=True)]
    return np.asarray(shares[1] - shares[0], dtype=np.float64)
