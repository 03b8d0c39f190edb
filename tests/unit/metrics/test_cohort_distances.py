"""Distances of two sets: zero for a set and itself, symmetric, unbiased where promised, refused at unequal counts."""

import numpy as np
import pytest

from glioforge.core.errors import CohortError
from glioforge.metrics.cohort.distances import frechet_distance, kernel_distance, manifold, transport_distance
from glioforge.metrics.cohort.halves import FEWEST_HALVED, half_of, halves, measured
from glioforge.metrics.cohort.pyramid import laplacian_pyramid, levels_of, sliced_wasserstein


def sample(seed, count=12, size=5, shift=0.0):
    """Rows of a standard normal distribution, moved by a shift."""
    return np.random.default_rng(seed).standard_normal((count, size)) + shift


@pytest.mark.parametrize("distance", [frechet_distance, transport_distance])
def test_a_set_has_no_distance_from_itself(distance):
    """Neither in the same order nor in another; both sides count alike."""
    x, y = sample(0), sample(1, shift=1.0)

    assert distance(x, x[::-1]) == pytest.approx(0, abs=1e-9)
    assert distance(x, y) == pytest.approx(distance(y, x))
    assert distance(x, y) > 0


@pytest.mark.parametrize("distance", [frechet_distance, transport_distance, manifold])
def test_unequal_counts_are_refused(distance):
    """A distance that depends on the counts is not computed for different ones."""
    with pytest.raises(CohortError, match=r"12 against 9; expected equal counts"):
        distance(sample(0), sample(1, count=9))


def test_the_kernel_distance_is_unbiased_at_fifty_cases():
    """Its mean over 500 pairs of samples of one population lies within two standard errors of 0."""
    values = [kernel_distance(sample(2 * n, 50, 16), sample(2 * n + 1, 50, 16)) for n in range(500)]

    assert abs(np.mean(values)) < 2 * np.std(values, ddof=1) / np.sqrt(len(values))
    assert min(values) < 0


def test_the_kernel_distance_takes_unequal_counts():
    """Being unbiased, it stays near 0 for them, and rises with a shift."""
    assert abs(kernel_distance(sample(0, 200), sample(1, 40))) < kernel_distance(sample(0, 200), sample(1, 40, 5, 0.5))
    with pytest.raises(CohortError, match="at least two"):
        kernel_distance(sample(0, 1), sample(1))


def test_precision_tells_quality_and_recall_variety():
    """Copies of one real case are precise and cover nothing; far cases are neither."""
    real = sample(0, 30)
    copies = np.repeat(real[:1], 30, axis=0) + sample(1, 30) * 1e-3

    assert manifold(copies, real).precision == 1
    assert manifold(copies, real).coverage <= 0.3
    assert manifold(copies, real).recall <= 0.1
    assert manifold(sample(2, 30, 5, 50.0), real).precision == 0
    with pytest.raises(CohortError, match="more than 3"):
        manifold(real[:3], real[:3])


def test_the_pyramid_adds_up_to_the_image():
    """Every level but the last is what the next one lacks, also for odd sides."""
    images = np.random.default_rng(0).standard_normal((2, 1, 37, 34)).astype(np.float32)
    levels = laplacian_pyramid(images, 2)

    assert levels_of(37, 34) == 2
    assert [level.shape[-2:] for level in levels] == [(37, 34), (19, 17)]


def test_blurred_images_are_far_in_the_fine_levels():
    """Sliced Wasserstein distance: a set and itself differ by the places drawn alone, the blurred set by far more."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((24, 1, 32, 32)).astype(np.float32)
    blurred = images.copy()
    blurred[..., 1:-1] = (images[..., :-2] + images[..., 1:-1] + images[..., 2:]) / 3
    floor, far = (sliced_wasserstein(other, images, count=64)[0] for other in (images[::-1], blurred))

    assert floor < 0.05 < far
    with pytest.raises(CohortError, match="images of 23 against 24"):
        sliced_wasserstein(images[1:], images)


def test_halves_share_no_subject_and_have_one_case_each():
    """All three sets have equal counts, and a draw is the same whatever else is drawn."""
    made = [f"m{n // 2}" for n in range(20)]
    real = [f"r{n}" for n in range(21)]
    drawn = halves(made, real, draws=5, seed=3)

    for draw in drawn:
        units = [made[place] for place in draw.made] + [real[place - 20] for place in (*draw.real, *draw.other)]
        assert len(set(units)) == len(units) == 15
    again = halves(made, real, draws=2, seed=3)
    assert all((a.real == b.real).all() and (a.made == b.made).all() for a, b in zip(drawn, again, strict=False))


def test_too_few_subjects_are_refused():
    """Cases of one subject do not count as several."""
    with pytest.raises(CohortError, match=r"1 subjects of the synthetic cases; expected at least 8"):
        half_of(["one"] * 50, [str(n) for n in range(20)])
    assert half_of([str(n) for n in range(2 * FEWEST_HALVED)], [str(n) for n in range(30)]) == FEWEST_HALVED


def test_the_interval_of_halves_covers_the_population_value():
    """Delete-half jackknife: a mean's interval covers it in about 95 % of samples."""
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        table = rng.standard_normal(40) + np.repeat([1.0, 0.0], 20)
        number = measured(
            lambda a, b, table=table: float(table[a].mean() - table[b].mean()),
            halves([str(n) for n in range(20)], [str(n) for n in range(20, 40)], draws=50, seed=seed),
        )
        covered += number.low <= 1.0 <= number.high

    assert covered >= 86
