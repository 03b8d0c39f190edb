"""Laws that every metric obeys."""

import numpy as np
import pytest

from glioforge.core.geometry import Geometry
from glioforge.metrics.base import Direction, ImagePair, MaskPair
from glioforge.metrics.evaluate import METRICS, judge
from glioforge.metrics.similarity import SIMILARITY

GRID = Geometry((10, 9, 8), np.diag([1.0, 0.8, 2.0, 1.0]))
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=lambda m: m.name)
every_judging_metric = pytest.mark.parametrize(
    "metric", [m for m in METRICS.values() if m.direction is not Direction.NEITHER], ids=lambda m: m.name
)
SILENT_ON_MISSES = {"specificity", "false_volume", "far_volume"}
every_similarity = pytest.mark.parametrize("metric", SIMILARITY, ids=lambda m: m.name)
SYMMETRIC = {
    "dice",
    "jaccard",
    "volume_error",
    "hd95",
    "hd95_pooled",
    "hausdorff",
    "nsd_1mm",
    "nsd_2mm",
    "average_surface_distance",
}
BEST = {Direction.HIGHER: 1, Direction.LOWER: 0, Direction.ZERO: 0}


def blobs(seed=0):
    """Two overlapping random blobs."""
    rng = np.random.default_rng(seed)
    first, second = np.zeros((2, *GRID.shape), dtype=bool)
    first[2:8, 2:7, 2:6] = True
    second[3:9, 2:8, 1:6] = True
    return first & (rng.random(first.shape) < 0.9), second & (rng.random(first.shape) < 0.9)


def pair_of(prediction, truth, geometry=GRID):
    """Pair with the whole grid as brain."""
    return MaskPair(prediction, truth, geometry, np.ones(geometry.shape, dtype=bool))


@every_metric
def test_metric_declares_what_it_is(metric):
    """Name, unit and title are there, and the name is a key of the table."""
    assert METRICS[metric.name] is metric
    assert metric.unit in {"1", "mm", "ml"}
    assert metric.title
    assert metric.function.__doc__


@every_judging_metric
def test_identical_masks_are_perfect(metric):
    """The best value of its direction."""
    mask, _ = blobs()
    assert judge(metric, pair_of(mask, mask)) == BEST[metric.direction]


@every_judging_metric
def test_nothing_where_there_is_nothing_is_perfect(metric):
    """Both empty gives the best value too."""
    empty = np.zeros(GRID.shape, dtype=bool)
    assert judge(metric, pair_of(empty, empty)) == BEST[metric.direction]


@pytest.mark.parametrize("name", sorted(set(METRICS) - SILENT_ON_MISSES - {"true_volume"}))
@pytest.mark.parametrize("missed", [True, False], ids=["prediction empty", "truth empty"])
def test_one_empty_mask_is_no_better_than_any_overlap(name, missed):
    """A miss or a false alarm never vanishes from a mean, and costs at least what a poor prediction costs.

    Specificity and volumes of false alarms are left out: they say nothing of misses.
    """
    metric = METRICS[name]
    ours, theirs = blobs()
    empty = np.zeros(GRID.shape, dtype=bool)
    worst = judge(metric, pair_of(empty, theirs) if missed else pair_of(ours, empty))
    usual = judge(metric, pair_of(ours, theirs))
    assert worst <= usual if metric.direction is Direction.HIGHER else abs(worst) >= abs(usual)


@every_metric
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipping_both_masks_changes_nothing(metric, axis):
    """Left and right, front and back, top and bottom count alike."""
    ours, theirs = blobs()
    flipped = pair_of(np.flip(ours, axis), np.flip(theirs, axis))
    assert judge(metric, flipped) == pytest.approx(judge(metric, pair_of(ours, theirs)))


@every_metric
def test_transposing_masks_and_grid_changes_nothing(metric):
    """Axes count by their spacing, not by their place."""
    ours, theirs = blobs()
    turned = GRID.permuted((2, 0, 1), (False, True, False))
    pair = pair_of(*(np.flip(mask.transpose(2, 0, 1), 1) for mask in (ours, theirs)), turned)
    assert judge(metric, pair) == pytest.approx(judge(metric, pair_of(ours, theirs)))


@every_metric
def test_masks_are_left_alone(metric):
    """Judging writes to neither mask."""
    ours, theirs = blobs()
    before = ours.copy(), theirs.copy()
    judge(metric, pair_of(ours, theirs))
    assert np.array_equal(ours, before[0])
    assert np.array_equal(theirs, before[1])


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"lesionwise_dice", "lesionwise_hd95", "far_volume"}))
def test_symmetry_is_as_claimed(name):
    """Swapping prediction and truth changes nothing where that is claimed, and something elsewhere.

    Lesion-wise numbers and far volumes are left out: they are symmetric in some cases and not in others.
    """
    metric = METRICS[name]
    ours, theirs = blobs()
    same = judge(metric, pair_of(ours, theirs)) == pytest.approx(judge(metric, pair_of(theirs, ours)))
    assert same is (metric.name in SYMMETRIC)


@every_similarity
def test_equal_images_are_perfect(metric):
    """1 for SSIM, the cap for PSNR, 0 for errors; flips change nothing."""
    rng = np.random.default_rng(0)
    image, other = rng.normal(size=(2, *GRID.shape)).astype(np.float32)
    mask = rng.random(GRID.shape) < 0.7
    best = {"psnr": 100.0}.get(metric.name, BEST[metric.direction])
    assert metric.function(ImagePair(image, image, mask, 10.0)) == pytest.approx(best)
    flipped = ImagePair(image[::-1], other[::-1], mask[::-1], 10.0)
    assert metric.function(flipped) == pytest.approx(metric.function(ImagePair(image, other, mask, 10.0)), rel=1e-5)
