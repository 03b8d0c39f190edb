"""What a paper's statistics could have shown: intervals from its counts and spreads, and the power of its size.

Where a paper prints no spread of the paired differences, nothing can be tested.
What can be said is how small that spread must have been for the printed
difference to be found: the largest standard deviation over subjects at which a
true difference of this size is shown with 80 % power.  A reader who knows how
much Dice differs between subjects can judge whether that is likely.

Conventions
-----------
tested   units of evidence; images of one person are none of their own
power    of the two-sided paired t test at 5 %

Sources: Student's t for means; Cohen, Statistical Power Analysis (1988); the identities of squared and absolute error.
"""

from dataclasses import dataclass
from math import log10, sqrt
from typing import final

from glioforge.core import CohortError
from glioforge.statistics import Interval, smallest_shown


@final
@dataclass(frozen=True)
class Shown:
    """What one printed difference would take to be found.

    Args:
        difference: Column minus the column that it is compared with, as printed.
        largest_sd: Largest standard deviation over subjects of the paired difference at which a true difference of
            this size is shown with 80 % power; NaN for a difference of 0.
        least_sd: Least standard deviation that the two printed ones allow; NaN where none was printed.
        most_sd: Largest that they allow; NaN where none was printed.
    """

    difference: float
    largest_sd: float
    least_sd: float
    most_sd: float

    @property
    def verdict(self) -> str:
        """Say in a few words whether the paper's size could have shown the difference."""
        if self.difference == 0:
            return "no difference printed"
        if self.least_sd == self.least_sd:  # printed
            if self.most_sd <= self.largest_sd:
                return "could be shown"
            return "too small to be shown" if self.least_sd > self.largest_sd else "depends on the pairing"
        return f"needs a spread below {self.largest_sd:.3g}"


def mean_interval(mean: float, sd: float, count: int, level: float = 0.95) -> Interval:
    """Interval of a mean from what was printed of it, with Student's t.

    Args:
        mean: Printed mean.
        sd: Printed standard deviation over cases.
        count: Cases, at least 2.
        level: Coverage.

    Raises:
        CohortError: Fewer than two cases, or a negative deviation.

    Example:
        >>> found = mean_interval(0.64, 0.14, 53)
        >>> round(found.low, 3), round(found.high, 3)
        (0.601, 0.679)
    """
    from scipy.stats import t

    if count < 2 or sd < 0:
        raise CohortError(f"standard deviation {sd:g} of {count} cases", "at least 2 cases, a deviation of 0 or more")
    half = float(t.ppf(0.5 + level / 2, count - 1)) * sd / sqrt(count)
    return Interval(mean, mean - half, mean + half, level, count)


def largest_spread(difference: float, tested: int) -> float:
    """Largest standard deviation of paired differences at which a true difference is shown with 80 % power.

    Args:
        difference: In the metric's unit; 0 gives NaN.
        tested: Subjects, at least 2.

    Example:
        >>> round(largest_spread(0.02, 66), 3)
        0.057
    """
    if not difference:
        return float("nan")
    return abs(difference) / smallest_shown(1 / sqrt(tested), tested - 1)


def could_show(difference: float, tested: int, sds: tuple[float, float] | None = None) -> Shown:
    """Describe one printed difference.

    Args:
        difference: Column minus reference.
        tested: Subjects behind both.
        sds: Printed standard deviations of both over the same subjects, if any.

    Example:
        >>> could_show(0.01, 53, (0.15, 0.09)).verdict
        'too small to be shown'
    """
    nothing = float("nan")
    low, high = (nothing, nothing) if sds is None else (abs(sds[0] - sds[1]), sds[0] + sds[1])
    return Shown(difference, largest_spread(difference, tested), low, high)


def signal_to_noise(mean_square: float, largest: float = 255.0) -> float:
    """Return the PSNR in decibels that belongs to a mean squared error.

    Example:
        >>> round(signal_to_noise(19.246), 2)
        35.29
    """
    return 10 * log10(largest**2 / mean_square)


def contradictions(mse: float, mae: float, psnr: float, largest: float = 255.0) -> tuple[str, ...]:
    """Name the identities that printed errors of the same images break.

    Args:
        mse: Mean squared error.
        mae: Mean absolute error, which cannot exceed the root of the mean squared error.
        psnr: Peak signal-to-noise ratio in decibels.
        largest: Largest grey value.

    Example:
        >>> len(contradictions(19.246, 23.375, 43.068)), contradictions(25.0, 4.0, 34.15)
        (2, ())
    """
    found = []
    expected = signal_to_noise(mse, largest)
    if abs(expected - psnr) > 0.5:
        found.append(f"MSE {mse:g} means a PSNR of {expected:.2f} dB, not {psnr:g}")
    if mae > sqrt(mse):
        found.append(
            f"MAE {mae:g} exceeds the root of the MSE, {sqrt(mse):.2f}; it means a PSNR of at most "
            f"{signal_to_noise(mae**2, largest):.2f} dB"
        )
    return tuple(found)
