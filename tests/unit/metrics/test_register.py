"""What the register of metrics knows, and refuses."""

from dataclasses import replace

import pytest

from glioforge.core.errors import MetricError
from glioforge.metrics.base import Direction
from glioforge.metrics.borders import BORDERS
from glioforge.metrics.evaluate import METRICS
from glioforge.metrics.register import Level, metric_named, register, registered
from glioforge.metrics.similarity import PATCHES, SIMILARITY
from glioforge.metrics.texture import DIVERSITY, STREAKS, TEXTURE


@pytest.mark.parametrize(
    "metric", [*METRICS.values(), *SIMILARITY, *TEXTURE, *STREAKS, *PATCHES, *BORDERS, *DIVERSITY], ids=lambda m: m.name
)
def test_every_metric_of_the_package_is_registered_as_it_declares_itself(metric):
    """Title, unit and direction are the metric's own, and a number of it is one of a case."""
    entry = metric_named(metric.name)

    assert (entry.title, entry.unit, entry.direction) == (metric.title, metric.unit, metric.direction)
    assert entry.level is Level.CASE
    assert entry.bounds[0] < entry.bounds[1]


def test_bounds_say_which_values_are_possible():
    """Shares lie within 0 and 1, distances and ratios are not negative, differences and decibels have no bound."""
    expected = {"dice": (0, 1), "hd95": (0, float("inf")), "ssim": (-1, 1), "gradient_ratio": (0, float("inf"))}

    assert {name: metric_named(name).bounds for name in expected} == expected
    assert metric_named("volume_difference").bounds == metric_named("psnr").bounds == (-float("inf"), float("inf"))


def test_headings_have_the_unit_unless_it_is_a_share():
    """As tables print them."""
    assert metric_named("dice").heading == "Dice"
    assert metric_named("volume").heading == "Volume, ml"


def test_descriptions_have_no_better_direction():
    """Volumes, and the streaks of the scan itself."""
    for name in ("volume", "grey_to_white", "csf_to_brain", "csf_share", "gradient_ratio_scan"):
        assert metric_named(name).direction is Direction.NEITHER


def test_an_unknown_metric_is_refused():
    """Nothing is guessed; the message lists what is registered and says what to do."""
    with pytest.raises(MetricError, match=r"metric 'fid', which is not registered; expected one of .*dice.*register"):
        metric_named("fid")
    assert "fid" not in registered()


def test_a_name_has_one_entry():
    """The same entry again is fine, another one under its name is not."""
    dice = metric_named("dice")

    assert register(dice) is dice
    with pytest.raises(MetricError, match="'dice' registered twice"):
        register(replace(dice, direction=Direction.LOWER))
    assert metric_named("dice") == dice
