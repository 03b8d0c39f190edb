"""Laws of every mixing: replay, what stays as it is, and what comes from the donor."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import EditError
from glioforge.core.geometry import bounding_box
from glioforge.core.rng import stream
from glioforge.mixing.base import MIXINGS, Scan, mixing_for
from glioforge.mixing.methods.carvemix import CarveMixSpec
from glioforge.mixing.methods.class_contrast import ClassContrastSpec
from glioforge.mixing.methods.cutmix import CutMixSpec
from glioforge.mixing.methods.tumour_paste import TumourPasteSpec
from toy_cohort import toy_case

HOST, DONOR = (Scan.of(case, case.modalities) for case in (toy_case(1), toy_case(2)))
EMPTY = replace(DONOR, lesion=np.zeros_like(DONOR.lesion))
PASTE = {"kind": "tumour_paste", "inside_share": 0.5, "attempts": 200}
SPECS = [
    {"kind": "cutmix"},
    {"kind": "carvemix"},
    {"kind": "class_contrast"},
    *({**PASTE, "blend": blend} for blend in ("hard", "soft", "poisson", "soft_poisson")),
]


def mixed(values, seed=0, donor=DONOR):
    """A mixing's record and arrays."""
    mixing = mixing_for(MIXINGS.parse(values))
    record = mixing.draw(HOST, donor, stream(seed, "mixing"))
    return record, mixing.apply(HOST, donor, record)


def test_all_mixings_are_tried():
    """No kind is left out of the laws."""
    assert {spec["kind"] for spec in SPECS} == set(MIXINGS.kinds())


@pytest.mark.parametrize("values", SPECS, ids=lambda v: v["kind"] + v.get("blend", ""))
@pytest.mark.parametrize("seed", range(4))
def test_a_record_in_json_makes_the_same_case_and_the_scans_are_left_alone(values, seed):
    """Applying is pure, and what is drawn survives a file."""
    before = HOST.images.copy(), DONOR.labels.copy()
    record, first = mixed(values, seed)
    second = mixing_for(MIXINGS.parse(values)).apply(HOST, DONOR, json.loads(json.dumps(record)))

    for name in ("images", "labels", "brain"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(HOST.images, before[0])
    np.testing.assert_array_equal(DONOR.labels, before[1])
    assert first.images.dtype == np.float32
    assert first.labels.dtype == np.uint8


@pytest.mark.parametrize("values", SPECS, ids=lambda v: v["kind"] + v.get("blend", ""))
@pytest.mark.parametrize("seed", range(4))
def test_images_are_finite_and_labels_lie_in_the_brain(values, seed):
    """The background stays 0, labels have an image under them, and no class is invented."""
    _, made = mixed(values, seed)

    assert np.isfinite(made.images).all()
    assert not made.images[:, ~made.brain].any()
    assert not made.labels[~made.brain].any()
    assert set(np.unique(made.labels)) <= set(np.unique(HOST.labels)) | set(np.unique(DONOR.labels))


@pytest.mark.parametrize("seed", range(6))
def test_cutmix_gives_the_donor_inside_a_box_and_the_host_outside(seed):
    """Images, labels and brain change in the box alone."""
    record, made = mixed({"kind": "cutmix"}, seed)
    box = tuple(slice(a, a + n) for a, n in zip(record["start"], record["size"], strict=True))
    outside = np.ones(HOST.brain.shape, dtype=bool)
    outside[box] = False

    np.testing.assert_array_equal(made.images[:, *box], DONOR.images[:, *box])
    np.testing.assert_array_equal(made.labels[box], DONOR.labels[box])
    np.testing.assert_array_equal(made.images[:, outside], HOST.images[:, outside])
    np.testing.assert_array_equal(made.labels[outside], HOST.labels[outside])
    assert made.brain[box].sum() == DONOR.brain[box].sum()


def test_cutmix_boxes_have_the_drawn_share_on_average():
    """With alpha 1 and an uncut box the mean pasted share would be a half; boxes cut at the rim are smaller."""
    frame = bounding_box(HOST.brain | DONOR.brain)
    whole = np.prod([side.stop - side.start for side in frame])
    shares = [np.prod(mixed({"kind": "cutmix"}, seed)[0]["size"]) / whole for seed in range(200)]

    assert 0.1 < np.mean(shares) < 0.5
    assert max(shares) > 0.6
    assert min(shares) < 0.02


@pytest.mark.parametrize("seed", range(6))
def test_carvemix_carries_nested_regions_of_the_lesion(seed):
    """A negative threshold keeps a core of the lesion, a positive one takes its surroundings too."""
    record, made = mixed({"kind": "carvemix"}, seed)
    changed = (made.images != HOST.images).any(axis=0)

    if record["threshold_mm"] < 0:
        assert not (changed & ~DONOR.lesion).any()
    else:
        np.testing.assert_array_equal(made.labels[DONOR.lesion], DONOR.labels[DONOR.lesion])
    np.testing.assert_array_equal(made.images[:, changed], DONOR.images[:, changed])


def test_carvemix_thresholds_are_as_published():
    """Half of them lie inside, down to half the depth, and half outside, up to the depth."""
    thresholds = np.array([mixed({"kind": "carvemix"}, seed)[0]["threshold_mm"] for seed in range(300)])
    deepest = 15.0

    assert 0.4 < (thresholds < 0).mean() < 0.6
    assert thresholds.min() >= -deepest
    assert thresholds.max() > 2 * -thresholds.min() * 0.8


def test_a_tumour_without_changes_is_carried_voxel_for_voxel():
    """With no change and a hard edge, images and labels in the tumour are the donor's."""
    values = {**PASTE, "blend": "hard", "chance": 0.0, "mirror": False, "inside_share": 1.0}
    record, made = mixed(values)
    new = made.labels != HOST.labels
    lesion = DONOR.labels[DONOR.lesion]

    assert record["scale"] == 1.0
    pasted = np.isin(made.labels, (1, 2, 3)) & (new | HOST.lesion)
    assert np.bincount(made.labels[pasted], minlength=4)[1:4].sum() >= len(lesion)
    changed = made.images[:, (made.images != HOST.images).any(axis=0)]
    assert {tuple(column) for column in changed.T} <= {tuple(c) for c in DONOR.images[:, DONOR.lesion].T}


@pytest.mark.parametrize("scale", [0.85, 1.2])
def test_a_scaled_tumour_has_the_volume_asked_for(scale):
    """The count of pasted voxels follows the cube of the scale, but for sampling."""
    places = np.indices((32, 32, 32)) - 15.5
    ball, brain = (places**2).sum(axis=0) < 7**2, np.ones((32, 32, 32), dtype=bool)
    image = np.ones((1, 32, 32, 32), dtype=np.float32)
    donor = Scan(image, (ball * 2).astype(np.uint8), brain, ball, (2.0, 2.0, 2.0))
    host = replace(donor, labels=np.full(ball.shape, 4, dtype=np.uint8), lesion=~brain)
    values = {**PASTE, "chance": 1.0, "scale": [scale, scale], "elastic_mm": 0, "inside_share": 1.0}
    mixing = mixing_for(MIXINGS.parse(values))
    made = mixing.apply(host, donor, mixing.draw(host, donor, stream(3, "scale")))

    assert np.count_nonzero(made.labels == 2) == pytest.approx(ball.sum() * scale**3, rel=0.05)


def test_a_membrane_leaves_a_constant_difference_no_seam():
    """A part that differs from the host by a constant vanishes into it: the correction is exact."""
    from glioforge.mixing.methods.tumour_paste import blended

    mask = np.zeros(HOST.brain.shape, dtype=bool)
    mask[5:9, 4:9, 3:8] = True
    poisson = blended(HOST.images, HOST.images + np.float32(2), mask, HOST.spacing, "poisson", 3.0)
    half = blended(HOST.images, HOST.images + np.float32(2), mask, HOST.spacing, "soft_poisson", 3.0)

    np.testing.assert_allclose(poisson, HOST.images, atol=0.02)
    np.testing.assert_allclose(half[:, mask], HOST.images[:, mask] + 1, atol=0.02)


def test_a_membrane_is_harmonic_inside_and_takes_the_border():
    """Against a direct solution in one dimension: between 0 and 3 the correction rises in a straight line."""
    from glioforge.mixing.methods.tumour_paste import blended

    host = np.zeros((1, 7, 1, 1), dtype=np.float32)
    host[0, 6] = 3
    mask = np.zeros((7, 1, 1), dtype=bool)
    mask[1:6] = True
    made = blended(host, np.zeros_like(host), mask, (1.0, 1.0, 1.0), "poisson", 1.0)

    np.testing.assert_allclose(made[0, :, 0, 0], [0, 0.5, 1, 1.5, 2, 2.5, 3], atol=0.01)


def test_a_soft_edge_rises_from_the_border_inwards():
    """The share of the part is the depth over the width, 1 further in."""
    from glioforge.mixing.methods.tumour_paste import blended

    host, part = np.zeros((1, 9, 9, 9), dtype=np.float32), np.ones((1, 9, 9, 9), dtype=np.float32)
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[1:8, 1:8, 1:8] = True
    made = blended(host, part, mask, (1.0, 1.0, 1.0), "soft", 2.0)

    np.testing.assert_allclose(made[0, :, 4, 4], [0, 0.5, 1, 1, 1, 1, 1, 0.5, 0])


def test_class_contrast_moves_class_means_and_keeps_labels():
    """Means move by the drawn offsets where edges are hard; order, labels and brain stay."""
    values = {"kind": "class_contrast", "edge_mm": 0, "gain": 0}
    record, made = mixed(values)

    np.testing.assert_array_equal(made.labels, HOST.labels)
    for contrast, offsets in enumerate(record["offsets"]):
        for value, offset in zip(record["classes"], offsets, strict=True):
            here = HOST.labels == value
            moved = made.images[contrast][here].mean() - HOST.images[contrast][here].mean()
            assert moved == pytest.approx(offset, abs=1e-4)


@pytest.mark.parametrize("spec", [CarveMixSpec(), TumourPasteSpec()], ids=lambda s: s.kind)
def test_a_donor_without_lesion_is_refused(spec):
    """Nothing is pasted in silence."""
    with pytest.raises(EditError, match="donor without lesion"):
        mixing_for(spec).draw(HOST, EMPTY, stream(1, "empty"))


@pytest.mark.parametrize("spec", [CutMixSpec(), ClassContrastSpec()], ids=lambda s: s.kind)
def test_a_healthy_donor_is_as_good_where_no_lesion_is_carried(spec):
    """Boxes and class contrasts need no lesion."""
    mixing = mixing_for(spec)
    made = mixing.apply(HOST, EMPTY, mixing.draw(HOST, EMPTY, stream(1, "empty")))

    assert made.images.shape == HOST.images.shape


def test_a_brain_that_holds_no_tumour_is_refused():
    """The message names the setting."""
    tiny = replace(HOST, brain=HOST.brain & False | (np.indices(HOST.brain.shape).sum(axis=0) == 18))
    with pytest.raises(EditError, match="inside_share"):
        mixing_for(TumourPasteSpec(attempts=3)).draw(tiny, DONOR, stream(1, "tiny"))
