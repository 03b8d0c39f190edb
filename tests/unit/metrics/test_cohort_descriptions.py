"""Descriptions of cases: hand-made images and label maps whose answers are known."""

import numpy as np
import pytest

from glioforge.core.errors import GeometryError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.metrics.cohort.image_statistics import (
    KINDS,
    checkerboard,
    consistency,
    mutual_information,
    roughness,
    shortcut_traits,
    spectrum,
)
from glioforge.metrics.cohort.label_statistics import LOBES, label_statistics, lesion_geometry
from glioforge.metrics.cohort.variety import likeness_of_pairs, mean_of_pairs, ms_ssim
from toy_cohort import toy_case

RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal((32, 32, 4)).astype(np.float32)
INSIDE = np.ones(NOISE.shape, dtype=bool)


def a_map(lesion):
    """A block of white matter with a lesion of enhancing tumour."""
    voxels = np.zeros((24, 24, 24), dtype=np.uint8)
    voxels[2:22, 2:22, 2:22] = COMPLETE.value("white_matter")
    voxels[lesion] = COMPLETE.value("enhancing")
    return LabelMap(voxels, Geometry.isotropic(voxels.shape, 5.0), COMPLETE)


def test_a_blurred_image_loses_its_fine_rings():
    """The share of power moves to the coarse rings."""
    soft = (NOISE + np.roll(NOISE, 1, axis=0) + np.roll(NOISE, 1, axis=1)) / 3
    sharp, blurred = (spectrum({Modality.T1: image}, INSIDE) for image in (NOISE, soft))

    assert blurred["t1 ring 11"] < sharp["t1 ring 11"] - 1
    assert blurred["t1 ring 1"] > sharp["t1 ring 1"]
    assert spectrum({Modality.T1: NOISE}, ~INSIDE) == {}


def test_a_checkerboard_is_seen_at_its_period():
    """Stripes of period 4 raise the power at 4 and not at 2."""
    striped = NOISE.copy()
    striped[::4] += 4
    found = checkerboard({Modality.T1: striped}, INSIDE)

    assert found["t1 period 4"] > 2
    assert abs(checkerboard({Modality.T1: NOISE}, INSIDE)["t1 period 4"]) < 1


def test_contrasts_of_one_scan_tell_about_each_other():
    """Shuffling one contrast takes information and edges away."""
    other = NOISE**3
    apart = RNG.permutation(other.ravel()).reshape(other.shape)
    joint = consistency({Modality.T1: NOISE, Modality.T2: other}, INSIDE)
    split = consistency({Modality.T1: NOISE, Modality.T2: apart}, INSIDE)

    assert joint["t1 and t2 information"] > split["t1 and t2 information"] + 0.2
    assert joint["t1 and t2 edges"] > 0.5 > abs(split["t1 and t2 edges"])
    assert mutual_information(np.ones(9), np.ones(9)) == 2.0


def test_slices_that_do_not_fit_are_rough():
    """Each slice with a level of its own raises the step across slices."""
    steps = NOISE + np.float32([0, 9, 0, 9])

    assert roughness({Modality.T1: steps}, INSIDE)["t1"] > 3 * roughness({Modality.T1: NOISE}, INSIDE)["t1"]


def test_label_statistics_of_a_block():
    """Shares, areas, contacts and centres of a known map."""
    found = label_statistics(a_map((slice(2, 12), slice(2, 22), slice(2, 22))))

    assert found["share of enhancing"] == 0.5
    assert found["position of enhancing along i"] == pytest.approx(0.25)
    assert found["position of oedema along k"] == 0.5
    assert found["contact of enhancing and white_matter"] == 1.0
    assert found["area of enhancing"] == pytest.approx(np.log2(1 + 10 * 20 * 25 / 100))


def test_lesion_geometry_of_known_lesions():
    """Side, lobe, foci and depth of hand-made lesions."""
    frontal = lesion_geometry(a_map((slice(3, 6), slice(18, 21), slice(12, 15))))
    two = np.zeros((24, 24, 24), dtype=bool)
    two[3:6, 10:13, 10:13] = two[18:21, 10:13, 10:13] = True
    both = lesion_geometry(a_map(two))

    assert frontal["share on the right"] == 0
    assert frontal["share in frontal lobe"] == 1
    assert frontal["share of ET"] == 1
    assert frontal["further foci"] == 0
    assert frontal["compactness"] > 0.9
    assert both["further foci"] == 1
    assert both["share across the midline"] == 0.5
    assert sum(both[f"share in {name}"] for name in LOBES) == pytest.approx(1)


def test_no_lesion_is_described_too():
    """All entries are 0, and the names are those of any other map."""
    none, some = lesion_geometry(a_map(slice(0, 0))), lesion_geometry(toy_case(1).require_labels())

    assert set(none.values()) == {0.0}
    assert set(none) == set(some)
    turned = LabelMap(np.ones((4, 4, 4), dtype=np.uint8), Geometry((4, 4, 4), np.diag([-1.0, 1, 1, 1])), COMPLETE)
    with pytest.raises(GeometryError, match="expected RAS"):
        lesion_geometry(turned)


def test_shortcuts_are_seen_where_they_are():
    """Rounding shows in quantisation, values outside the brain in background, a bright rim in border."""
    case = toy_case(2)
    brain = case.brain_mask
    images = {m: v.voxels for m, v in case.images.items()}
    plain = shortcut_traits(images, brain)
    changed = {
        "quantisation": {m: np.round(v) for m, v in images.items()},
        "background": {m: v + np.float32(0.1) * ~brain for m, v in images.items()},
        "border": {m: v + np.float32(3) * ~np.roll(brain, 1, axis=0) * brain for m, v in images.items()},
    }

    for kind in KINDS:
        other = shortcut_traits(changed[kind], brain)
        assert {name.split(":")[0] for name in plain if other[name] != plain[name]} >= {kind}
    assert shortcut_traits(images, np.zeros_like(brain)) == {}


def test_one_image_again_and_again_has_no_variety():
    """Pairs of copies are alike, pairs of different images are not."""
    images = RNG.standard_normal((4, 1, 32, 32)).astype(np.float32)
    copies = np.repeat(images[:1], 4, axis=0)

    assert mean_of_pairs(likeness_of_pairs(copies, 10.0)) == pytest.approx(1)
    assert mean_of_pairs(likeness_of_pairs(images, 10.0)) < 0.6
    assert ms_ssim(images[0, 0], images[1, 0], 10.0) == pytest.approx(ms_ssim(images[1, 0], images[0, 0], 10.0))
