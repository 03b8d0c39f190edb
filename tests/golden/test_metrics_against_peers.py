"""Metrics against independent implementations: MONAI, surface-distance, scikit-image, MedPy's formula.

Tolerances stand beside each comparison.  Where definitions differ the test says
so and compares what is the same.
"""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from glioforge.core.geometry import Geometry
from glioforge.metrics.base import ImagePair, MaskPair
from glioforge.metrics.evaluate import METRICS, judge
from glioforge.metrics.similarity import psnr_of, ssim, ssim_slices

SPACINGS = [(1.0, 1.0, 1.0), (0.9, 0.9, 3.0), (2.0, 1.0, 1.5)]
SEEDS = [0, 1, 2]


def blobs(seed, shape=(28, 26, 22)):
    """Two ragged masks that overlap in part, with stray pieces, not touching the border."""
    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.normal(size=shape), 2.5) for _ in range(2)]
    shared = gaussian_filter(rng.normal(size=shape), 3)
    masks = [f / f.std() + 1.5 * shared / shared.std() > 1.6 for f in fields]
    for mask in masks:
        mask[[0, -1]] = mask[:, [0, -1]] = mask[..., [0, -1]] = False
        assert mask.any()
    return masks


def value_of(name, prediction, truth, spacing=(1.0, 1.0, 1.0)):
    """Our value of a metric."""
    return judge(METRICS[name], MaskPair(prediction, truth, Geometry(truth.shape, np.diag([*spacing, 1.0]))))


@pytest.fixture(scope="module")
def monai():
    """MONAI's metrics; importing them warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import monai.metrics
    return monai.metrics


def monai_value(function, prediction, truth, **settings):
    """One number of MONAI for one mask of one case."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, truth)]
        return float(function(*tensors, include_background=True, **settings))


@pytest.mark.parametrize("seed", SEEDS)
def test_dice_equals_monai(monai, seed):
    """Tolerance 1e-6: float32 there."""
    ours, theirs = blobs(seed)
    assert value_of("dice", ours, theirs) == pytest.approx(monai_value(monai.compute_dice, ours, theirs), abs=1e-6)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", SEEDS)
def test_surface_metrics_equal_monai(monai, seed, spacing):
    """HD95, Hausdorff, average distance and NSD on any spacing; tolerance 1e-4 mm: float32 there."""
    ours, theirs = blobs(seed)
    common = {"prediction": ours, "truth": theirs, "spacing": spacing}
    hausdorff, average, surface_dice = (
        monai.compute_hausdorff_distance,
        monai.compute_average_surface_distance,
        monai.compute_surface_dice,
    )
    expected = {
        "hd95": monai_value(hausdorff, ours, theirs, spacing=spacing, percentile=95),
        "hausdorff": monai_value(hausdorff, ours, theirs, spacing=spacing),
        "average_surface_distance": monai_value(average, ours, theirs, spacing=spacing, symmetric=True),
        "nsd_1mm": monai_value(surface_dice, ours, theirs, spacing=spacing, class_thresholds=[1.0]),
        "nsd_2mm": monai_value(surface_dice, ours, theirs, spacing=spacing, class_thresholds=[2.0]),
    }
    found = {name: value_of(name, **common) for name in expected}
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_pooled_percentile_is_medpys(seed):
    """MedPy's hd95: one percentile over both directions, surfaces by erosion with the six neighbours."""
    from scipy import ndimage

    spacing = (0.9, 0.9, 3.0)
    ours, theirs = blobs(seed)
    cross = ndimage.generate_binary_structure(3, 1)
    borders = [mask ^ ndimage.binary_erosion(mask, cross) for mask in (ours, theirs)]
    maps = [ndimage.distance_transform_edt(~border, spacing) for border in borders]
    pooled = np.hstack([maps[1][borders[0]], maps[0][borders[1]]])
    assert value_of("hd95_pooled", ours, theirs, spacing) == pytest.approx(np.percentile(pooled, 95))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", SEEDS)
def test_surface_distance_agrees_up_to_its_weights(seed, spacing):
    """The package weighs surface elements by area and places them between voxels.

    Its HD95 stays within the diagonal of a voxel, its Dice is the same.
    """
    import surface_distance

    ours, theirs = blobs(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distances = surface_distance.compute_surface_distances(theirs, ours, spacing)
    expected = surface_distance.compute_robust_hausdorff(distances, 95)
    assert value_of("hd95", ours, theirs, spacing) == pytest.approx(expected, abs=np.linalg.norm(spacing))
    assert value_of("dice", ours, theirs) == pytest.approx(surface_distance.compute_dice_coefficient(theirs, ours))


def turned(rng, spacing):
    """Affine of a head turned by up to 180 degrees, with the numbers of a NIfTI header."""
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix() @ np.diag(spacing)
    return affine.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize(
    ("spacing", "shift"), [((1.0, 1.0, 1.0), 1), ((2.0, 2.0, 2.0), 1), ((1.0, 0.5, 1.5), 2), ((1.0, 1.0, 1.0), 2)]
)
def test_a_turned_head_does_not_change_the_surface_dice(monai, spacing, shift):
    """A mask shifted by exactly the tolerance on random oblique grids; peers see axes and spacing only.

    MONAI's number is ours.  surface-distance places surface elements between voxels, so that it agrees where every
    surface lies within the tolerance: 1.
    """
    import surface_distance

    rng = np.random.default_rng(7)
    truth = np.zeros((22, 20, 18), dtype=bool)
    truth[6:14, 6:15, 5:13] = True
    shifted = np.roll(truth, shift, axis=1 if shift == 2 else 0)
    peers = [
        monai_value(monai.compute_surface_dice, shifted, truth, spacing=spacing, class_thresholds=[limit])
        for limit in (1.0, 2.0)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        elements = surface_distance.compute_surface_distances(truth, shifted, spacing)
    exact = [surface_distance.compute_surface_dice_at_tolerance(elements, limit) for limit in (1.0, 2.0)]
    for _ in range(8):
        pair = MaskPair(shifted, truth, Geometry(truth.shape, turned(rng, spacing))).cut()
        found = [judge(METRICS[name], pair) for name in ("nsd_1mm", "nsd_2mm")]
        assert found == pytest.approx(peers, abs=1e-6)
        assert [value for value, peer in zip(found, exact, strict=True) if peer == 1] == [1] * exact.count(1)


def test_a_sphere_and_its_shifted_copy():
    """Radius 10 mm, shifted by 4 mm: Dice of two balls in closed form, Hausdorff the shift.

    The overlap of two balls of radius r at distance d has the volume
    pi (4 r + d) (2 r - d)^2 / 12; tolerances follow from the voxels.
    """
    axes = np.ogrid[-16:17, -16:17, -16:17]
    ball = sum(a**2 for a in axes) <= 100
    shifted = np.roll(ball, 4, axis=0)
    overlap = np.pi * (40 + 4) * (20 - 4) ** 2 / 12
    assert value_of("dice", ball, shifted) == pytest.approx(overlap / (4 / 3 * np.pi * 1000), abs=0.005)
    assert value_of("hausdorff", ball, shifted) == pytest.approx(4.0)
    assert value_of("volume_error", ball, shifted) == 0


def test_one_voxel_each_on_an_anisotropic_grid():
    """Offset (1, 2, 3) voxels of 1 x 2 x 5 mm: sqrt(1 + 16 + 225) mm everywhere."""
    ours, theirs = np.zeros((2, 6, 6, 6), dtype=bool)
    ours[1, 1, 1] = theirs[2, 3, 4] = True
    for name in ("hd95", "hd95_pooled", "hausdorff", "average_surface_distance"):
        assert value_of(name, ours, theirs, (1.0, 2.0, 5.0)) == pytest.approx(np.sqrt(242))


@pytest.mark.parametrize("shape", [(20, 18, 16), (12, 30, 11)])
def test_ssim_equals_scikit_image(shape):
    """The whole map averaged over a mask, Gaussian window, in three dimensions and slice by slice; tolerance 1e-5."""
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(3)
    reference = gaussian_filter(rng.normal(size=shape), 1).astype(np.float32) * 4
    image = (reference + 0.4 * rng.normal(size=shape)).astype(np.float32)
    mask = rng.random(shape) < 0.5
    settings = {
        "data_range": 10.0,
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "full": True,
    }
    _, volume = structural_similarity(image, reference, **settings)
    slices = np.stack(
        [structural_similarity(image[..., k], reference[..., k], **settings)[1] for k in range(shape[2])], axis=-1
    )
    pair = ImagePair(image, reference, mask, 10.0)
    assert ssim(pair) == pytest.approx(volume[mask].mean(), abs=1e-5)
    assert ssim_slices(pair) == pytest.approx(slices[mask].mean(), abs=1e-5)


def test_ssim_of_a_registered_image_is_higher_than_of_a_moved_one():
    """A sanity check on smooth images: half a voxel of shift costs similarity."""
    rng = np.random.default_rng(5)
    reference = gaussian_filter(rng.normal(size=(16, 16, 16)), 1).astype(np.float32) * 5
    places = np.indices(reference.shape) + np.array([0.5, 0, 0]).reshape(3, 1, 1, 1)
    moved = map_coordinates(reference, places, order=1, mode="nearest").astype(np.float32)
    mask = np.ones(reference.shape, dtype=bool)
    assert ssim(ImagePair(moved, reference, mask, 10.0)) < ssim(ImagePair(reference, reference, mask, 10.0))


@pytest.mark.parametrize(
    ("mse", "printed_db", "possible"), [(19.246, 35.29, True), (19.246, 43.07, False), (3.21, 43.07, True)]
)
def test_psnr_of_published_numbers(mse, printed_db, possible):
    """Carver et al. print MSE 19.246 and PSNR 43.07 dB at a range of 255, which do not fit each other."""
    assert (abs(psnr_of(mse, 255.0) - printed_db) < 0.01) is possible
