"""What a study can show, from a spread that is fixed before anybody looks at its results.

Conventions
-----------
sd          standard deviation over subjects of the paired difference, each
            averaged over trainings
training_sd standard deviation over trainings of the mean difference; 0 where
            only subjects are thought to vary
power       of the two-sided t test, with the non-central t distribution

Source: Cohen, Statistical Power Analysis (1988), chapter 2, as statsmodels
computes it; Gelman & Carlin, Perspectives on Psychological Science 9 (2014)
for the exaggeration ratio (type M error).
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from scipy.special import ndtr, stdtrit

from glioforge.core import SpecError

DIFFERENCES: Final = (0.01, 0.02, 0.03)
"""Gains of Dice for which a report says how many subjects they need."""
MOST_SUBJECTS: Final = 100_000
"""Number of subjects beyond which a difference counts as out of reach."""


@final
@dataclass(frozen=True)
class Plan:
    """Size and assumptions of a study, written down before its results are seen.

    Args:
        sd: Standard deviation of the subjects' differences, in the metric's unit.
        subjects: Test subjects, at least 2.
        expected: Difference that the study is planned for; positive is better.
        source: Where `sd` comes from, such as `21 phantoms`; not the results that are judged.
        alpha: Two-sided level.
        power: Power that "would be shown" stands for.
        training_sd: Standard deviation of the mean difference over trainings.
        trainings: Draws of training subjects; counts where `training_sd` is above 0.

    Raises:
        SpecError: A number is out of range.
    """

    sd: float
    subjects: int
    expected: float
    source: str
    alpha: float = 0.05
    power: float = 0.8
    training_sd: float = 0.0
    trainings: int = 1

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sd) and self.sd > 0) or self.subjects < 2:
            raise SpecError(f"a plan with sd {self.sd} and {self.subjects} subjects", "sd above 0, at least 2 subjects")
        if not (0 < self.alpha < self.power < 1 and self.expected > 0):
            raise SpecError(
                f"a plan with alpha {self.alpha}, power {self.power}, expected difference {self.expected}",
                "0 < alpha < power < 1, and an expected difference above 0",
            )
        if self.training_sd < 0 or self.trainings < 1 or (self.training_sd > 0 and self.trainings < 2):
            raise SpecError(
                f"a plan with training_sd {self.training_sd} and {self.trainings} trainings",
                "training_sd of at least 0, and 2 trainings or more where it is above 0",
            )

    @property
    def detectable(self) -> float:
        """Smallest true difference that is shown with `power`."""
        return smallest_shown(_error(self, self.subjects), _freedom(self, self.subjects), self.alpha, self.power)

    def power_for(self, difference: float | None = None, subjects: int | None = None) -> float:
        """Probability that a true difference is shown, in either direction.

        Args:
            difference: The true one; `expected` unless given.
            subjects: How many; those of the plan unless given.

        Example:
            >>> round(Plan(0.081, 57, 0.03, "phantoms").power_for(), 2)
            0.78
        """
        count = subjects or self.subjects
        true = self.expected if difference is None else difference
        return power_of(true / _error(self, count), _freedom(self, count), self.alpha)

    def subjects_for(self, difference: float) -> int | None:
        """Fewest subjects with which a true difference is shown with `power`; None where no number does.

        None means that the trainings vary too much, or that it takes more than `MOST_SUBJECTS`.

        Raises:
            SpecError: The difference is 0.

        Example:
            >>> [Plan(0.081, 30, 0.02, "phantoms").subjects_for(gain) for gain in DIFFERENCES]
            [517, 131, 60]
        """
        if not difference:
            raise SpecError("subjects for a difference of 0", "a difference other than 0")
        few, many = 1, 2
        while self.power_for(difference, many) < self.power:
            few, many = many, 2 * many
            if few > MOST_SUBJECTS:
                return None
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if self.power_for(difference, middle) >= self.power else (middle, many)
        return many

    def exaggeration(self, difference: float | None = None) -> float:
        """Return how many times too large a shown difference is on average; `expected` is the true one unless given."""
        true = self.expected if difference is None else difference
        return exaggeration_ratio(true / _error(self, self.subjects), _freedom(self, self.subjects), self.alpha)


def power_of(ratio: float, freedom: float, alpha: float = 0.05) -> float:
    """Power of a two-sided t test.

    Args:
        ratio: True difference over its standard error.
        freedom: Degrees of freedom of the error.
        alpha: Two-sided level.

    Example:
        >>> round(power_of(2.8, 100), 2)
        0.79
    """
    from statsmodels.stats.power import TTestPower

    # The two-sided form is NaN for some large ratios, where SciPy's lower tail, of no account there, fails.
    tails = [
        float(TTestPower().power(size, 1, alpha / 2, df=freedom, alternative="larger")) for size in (ratio, -ratio)
    ]
    return float(np.nan_to_num(tails[0]) + np.nan_to_num(tails[1]))


def smallest_shown(error: float, freedom: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest true difference that a two-sided t test shows with this power.

    Args:
        error: Standard error of the mean difference.
        freedom: Its degrees of freedom.
        alpha: Two-sided level.
        power: Power wanted.

    Returns:
        NaN where error or freedom is not a number, 0 without any error.

    Example:
        >>> round(smallest_shown(0.081 / 57**0.5, 56), 3)
        0.031
    """
    from scipy.optimize import brentq

    if not (np.isfinite(error) and freedom > 0):
        return float("nan")

    def lacking(size: float) -> float:
        return power - power_of(size, freedom, alpha)

    high = 1.0
    while lacking(high) > 0:
        high *= 2
    return float(brentq(lacking, 0.0, high)) * error


def exaggeration_ratio(ratio: float, freedom: float = np.inf, alpha: float = 0.05) -> float:
    """Mean size of the differences that are shown, over the true difference (type M error).

    Computed over the distribution of the estimate and of its standard error, by
    quadrature over the latter.

    Args:
        ratio: True difference over its standard error, not 0.
        freedom: Degrees of freedom of the error.
        alpha: Two-sided level.

    Raises:
        SpecError: The ratio is 0, so that nothing can be exaggerated.

    Example:
        >>> round(exaggeration_ratio(2 / 8.1), 1)
        9.5
    """
    if not ratio:
        raise SpecError("the exaggeration of a difference of 0", "a difference other than 0")
    true = abs(ratio)
    errors = np.ones(1)
    if np.isfinite(freedom):
        from scipy.stats import chi2

        errors = np.sqrt(chi2.ppf((np.arange(400) + 0.5) / 400, freedom) / freedom)
    cut = float(stdtrit(freedom, 1 - alpha / 2)) * errors
    above, below = cut - true, cut + true
    shown = ndtr(-above) + ndtr(-below)
    sizes = true * (ndtr(-above) - ndtr(-below)) + _density(above) + _density(below)
    return float(sizes.sum() / shown.sum() / true)


def _density(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-(values**2) / 2) / np.sqrt(2 * np.pi))


def _error(plan: Plan, subjects: int) -> float:
    """Standard error of the mean difference under the plan."""
    return float(np.sqrt(plan.sd**2 / subjects + plan.training_sd**2 / plan.trainings))


def _freedom(plan: Plan, subjects: int) -> float:
    """Degrees of freedom of that error, by Satterthwaite."""
    ours, theirs = plan.sd**2 / subjects, plan.training_sd**2 / plan.trainings
    return (ours + theirs) ** 2 / (ours**2 / (subjects - 1) + theirs**2 / max(plan.trainings - 1, 1))
