"""Is one arm better than another?  Paired tests and what they can and cannot show.

A comparison is made on the same subjects in both arms, and its interval and p
come from the differences of subjects and seeds (`crossed`).  The sign-flip test
makes no assumption on the shape of the differences, and is about these very
trainings: the luck of a training counts as an effect.  No test counts how many
metrics won.

Conventions
-----------
differences  float64, `(subject, seed)` or `(subject,)`; arm minus baseline,
             turned so that more is better
p            two-sided; NaN where nothing was tested

Source: Fisher's randomisation test as in Good, Permutation, Parametric and
Bootstrap Tests of Hypotheses (2005), section 3.2; Phipson & Smyth (2010) for
Monte Carlo p values; Holm, Scandinavian Journal of Statistics 6 (1979).  SciPy
and statsmodels compute them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Float64

from glioforge.core import CohortError, stream
from glioforge.statistics.crossed import estimate_by_seed
from glioforge.statistics.intervals import Interval, PerSubject, subject_means

EXACT_UP_TO = 15
"""Subjects up to which all sign patterns are enumerated (2**15 = 32768)."""


@final
@dataclass(frozen=True)
class Range:
    """Mean differences with each subject left out in turn.

    Args:
        low: Smallest of them; NaN for fewer than two subjects.
        high: Largest of them; NaN for fewer than two subjects.
        low_without: The subject whose absence gives `low`; empty if there is none.
        high_without: The subject whose absence gives `high`; empty if there is none.
    """

    low: float
    high: float
    low_without: str = ""
    high_without: str = ""

    @property
    def changes_sign(self) -> bool:
        """Whether a single subject decides which arm looks better."""
        return self.low < 0 < self.high


@final
@dataclass(frozen=True)
class Comparison:
    """An arm against a baseline on the same subjects.

    Args:
        difference: Mean over subjects, arm minus baseline, more is better.
        p: The larger of two: that of `crossed`, in which other seeds count, and the sign-flip p, which needs no shape
            of the differences; NaN below two subjects.
        better: Subjects on whom the arm is better.
        worse: Subjects on whom it is worse; the rest are equal.
        without: Range of the mean with each subject left out.
        effect_size: Mean over standard deviation of the differences; NaN below two subjects.
        detectable: Smallest true difference found with 80 % power; NaN below two subjects.
    """

    difference: Interval
    p: float
    better: int
    worse: int
    without: Range
    effect_size: float
    detectable: float


def compare(
    differences: Float[np.ndarray, "subject seed"],
    subjects: Sequence[str] = (),
    *,
    seed: int,
    level: float = 0.95,
) -> Comparison:
    """Everything to be said of paired differences.

    Args:
        differences: Arm minus baseline, `(subject, seed)`; NaN where not measured.
        subjects: Names of the rows, for the range without each; numbered if empty.
        seed: Of bootstrap and random sign patterns.
        level: Coverage of the interval.

    Raises:
        CohortError: A subject has no value at all, or names and rows differ in number.
    """
    means = subject_means(differences)
    estimate = estimate_by_seed(differences, seed=seed)
    return Comparison(
        estimate.interval(level),
        float(np.maximum(estimate.p(), sign_flip_p(means, seed=seed))),
        int((means > 0).sum()),
        int((means < 0).sum()),
        leave_one_out(means, subjects),
        effect_size(means),
        detectable_difference(means, alpha=1 - level),
    )


def sign_flip_p(differences: Float[np.ndarray, "subject"], *, seed: int, draws: int = 20000) -> float:
    """Two-sided p of the hypothesis that differences are symmetric around zero.

    All sign patterns are enumerated for up to 15 subjects; beyond, `draws`
    random ones are taken and the observed one is counted among them.

    Args:
        differences: One value a subject.
        seed: Of the random patterns.
        draws: Number of random patterns.

    Returns:
        NaN for no subjects; 1 for one subject, as one sign shows nothing.

    Example:
        >>> sign_flip_p(np.ones(6), seed=0)
        0.03125
    """
    values = np.asarray(differences, dtype=np.float64)
    return float(sign_flip_p_values(values[None], seed=seed, draws=draws)[0])


def sign_flip_p_values(
    differences: Float[np.ndarray, "study subject"], *, seed: int, draws: int = 20000
) -> Float64[np.ndarray, "study"]:
    """Return `sign_flip_p` of each row, all with the same sign patterns: for simulations, and for many regions.

    Args:
        differences: A row for each study, a column for each subject.
        seed: Of the random patterns.
        draws: Number of random patterns.
    """
    from scipy.stats import permutation_test

    rows = np.asarray(differences, dtype=np.float64)
    studies, subjects = rows.shape
    if subjects < 2 or studies == 0:
        return np.full(studies, 1.0 if subjects else np.nan)
    # Sums that are equal on paper differ in their last bits, and SciPy's own tolerance vanishes with the observed sum.
    scale = np.abs(rows).sum(axis=1)
    scale[scale == 0] = 1.0
    tested = permutation_test(
        (rows,),
        lambda flipped, axis: np.round(flipped.sum(axis=axis) / scale, 10),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**EXACT_UP_TO if subjects <= EXACT_UP_TO else draws,
        batch=max(1, 2_000_000 // rows.size),
        axis=1,
        rng=stream(seed, "sign-flip"),
    )
    return np.asarray(tested.pvalue, dtype=np.float64)


def holm(p_values: Float[np.ndarray, "test"]) -> Float64[np.ndarray, "test"]:
    """Holm's correction; NaN is passed through and not counted as a test.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests

    adjusted = np.asarray(p_values, dtype=np.float64).copy()
    tested = np.isfinite(adjusted)
    if tested.any():
        adjusted[tested] = multipletests(adjusted[tested], method="holm")[1]
    return adjusted


def leave_one_out(differences: Float[np.ndarray, "subject"], subjects: Sequence[str] = ()) -> Range:
    """Range of the mean with each subject left out; NaN for fewer than two subjects.

    Raises:
        CohortError: Names and values differ in number.

    Example:
        >>> leave_one_out(np.array([0.0, 0.0, 0.3]), ["a", "b", "c"])
        Range(low=0.0, high=0.15, low_without='c', high_without='a')
    """
    values = np.asarray(differences, dtype=np.float64)
    names = list(subjects) or [str(n + 1) for n in range(len(values))]
    if len(names) != len(values):
        raise CohortError(f"{len(names)} subject names for {len(values)} values", "one name a value")
    if len(values) < 2:
        return Range(float("nan"), float("nan"))
    means = _means_without_each(values)
    low, high = int(means.argmin()), int(means.argmax())
    return Range(float(means[low]), float(means[high]), names[low], names[high])


def leave_groups_out(differences: Float[np.ndarray, "subject"], groups: Sequence[str]) -> Range:
    """Range of the mean over subjects with each group of them left out, such as a site.

    Args:
        differences: One value a subject.
        groups: The group of each subject; empty where groups are unknown.

    Returns:
        NaN for fewer than two groups.

    Raises:
        CohortError: Groups and values differ in number.

    Example:
        >>> leave_groups_out(np.array([0.0, 0.5, 0.75]), ["x", "x", "y"])
        Range(low=0.25, high=0.75, low_without='y', high_without='x')
    """
    values = np.asarray(differences, dtype=np.float64)
    if groups and len(groups) != len(values):
        raise CohortError(f"{len(groups)} groups for {len(values)} values", "one group a value")
    names, places = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) < 2:
        return Range(float("nan"), float("nan"))
    sizes = np.bincount(places)
    means = (values.sum() - np.bincount(places, weights=values)) / (len(values) - sizes)
    low, high = int(means.argmin()), int(means.argmax())
    return Range(float(means[low]), float(means[high]), str(names[low]), str(names[high]))


def effect_size(differences: Float[np.ndarray, "subject"]) -> float:
    """Cohen's d of paired differences: mean over standard deviation; NaN below two subjects or without spread."""
    values = np.asarray(differences, dtype=np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()) / spread if spread > 0 else float("nan")


def detectable_difference(
    differences: Float[np.ndarray, "subject"], *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest true mean difference that so many subjects would show with this power.

    From the power of the paired t test, with the non-central t distribution.  A
    smaller observed difference that is not significant says nothing.

    Returns:
        NaN for fewer than two subjects.

    Example:
        >>> spread = np.linspace(-0.1, 0.1, 20)
        >>> round(detectable_difference(spread), 3)
        0.041
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return float("nan")
    from statsmodels.stats.power import TTestPower

    steps = TTestPower().solve_power(effect_size=None, nobs=len(values), alpha=alpha, power=power)
    return float(steps) * float(values.std(ddof=1))


def _means_without_each(values: PerSubject) -> PerSubject:
    """Mean of the others, for each subject."""
    return (values.sum() - values) / (len(values) - 1)
