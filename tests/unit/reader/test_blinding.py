"""Tests of `reader.stimulus` and `reader.shortcuts`: only pixels differ, and not by a shortcut."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import CohortError
from glioforge.core.geometry import Geometry
from glioforge.core.rng import stream
from glioforge.core.volume import Modality, Volume
from glioforge.reader.create import create_study
from glioforge.reader.shortcuts import FEATURES, features_of, find_shortcuts, require_no_shortcut
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import (
    Frame,
    as_pictures,
    common_frame,
    encode,
    lesion_in,
    packed,
    survey,
    survey_case,
    unpacked,
    volume_file,
)
from toy_cohort import cohort_of_cases, toy_case, with_images
from toy_reading import made_by


def known_of(case):
    """Survey of a case."""
    return survey(next(iter(cohort_of_cases([case]))), "real")


def encoded(case, index=None):
    """Voxels of a case in a frame of its own."""
    known = known_of(case)
    return encode(case, known, (Modality.T1, Modality.FLAIR), common_frame([known]), index)


def test_units_and_files_leave_no_trace_in_pixels():
    """A case in other units, with another background, gives the same bytes."""
    case = toy_case(1)
    other = with_images(case, lambda values: 1000 + 250 * values)

    assert np.array_equal(encoded(case), encoded(other))
    assert encoded(case).dtype == np.uint8
    assert len(packed(encoded(case))) < encoded(case).size
    assert unpacked(packed(encoded(case))) == encoded(case).tobytes()


def test_orientation_leaves_no_trace():
    """A case stored in LPS order shows the same, with left on the right of the picture."""
    case = toy_case(1)
    axes, flips = (0, 1, 2), (True, True, False)
    grid = case.geometry.permuted(axes, flips)

    def turned(values):
        return np.ascontiguousarray(values[::-1, ::-1])

    images = {m: Volume(turned(v.voxels), grid, m) for m, v in case.images.items()}
    labels = replace(case.labels, voxels=turned(case.labels.voxels), geometry=grid)
    other = replace(case, images=images, labels=labels, brain=turned(case.brain))

    assert np.array_equal(encoded(case), encoded(other))


def test_pictures_show_the_patients_left_on_the_right_and_the_front_above():
    """As radiologists look at them."""
    voxels = np.zeros((3, 4, 2), np.uint8)
    voxels[2, 3, 1] = 9  # right, front, upper
    picture = as_pictures(voxels)

    assert picture.shape == (2, 4, 3)
    assert np.argwhere(picture).tolist() == [[1, 0, 0]]


def test_background_is_exactly_zero_and_brain_never():
    """One mask decides."""
    case = toy_case(2)
    pixels = encoded(case)
    brain = lesion_in(
        replace(case, labels=case.labels.with_voxels(case.brain.astype(np.uint8))),
        known_of(case),
        common_frame([known_of(case)]),
    )

    assert ((pixels[0] > 0) == brain).all()
    assert (pixels[0] > 0).sum() == (pixels[1] > 0).sum()


def test_every_stimulus_has_the_same_shape_and_every_volume_the_same_header():
    """Heads of any size lie in one frame."""
    cases = [toy_case(seed) for seed in (1, 2, 3)]
    known = [known_of(case) for case in cases]
    frame = common_frame(known)
    pixels = [encode(c, k, (Modality.T1,), frame, None) for c, k in zip(cases, known, strict=True)]
    files = [volume_file(one.tobytes(), frame, 0) for one in pixels]

    assert {one.shape for one in pixels} == {(1, *frame.size)}
    assert len({len(one) for one in files}) == len({one[:352] for one in files}) == 1


def test_cohorts_with_other_voxels_are_refused():
    """A reader would see it, and resampling one of them would be seen as well."""
    case = toy_case(1)
    grid = Geometry.isotropic(case.geometry.shape, 9.0)
    images = {m: Volume(v.voxels, grid, m) for m, v in case.images.items()}
    other = replace(case, images=images, labels=replace(case.labels, geometry=grid))

    with pytest.raises(CohortError, match=r"10 x 10 x 10 mm .*9 x 9 x 9 mm"):
        common_frame([known_of(case), known_of(other)])


def test_a_head_that_is_larger_than_the_frame_is_cut_on_both_sides():
    """As a phantom of practice may be."""
    case = toy_case(1)
    known = survey_case(case, next(iter(cohort_of_cases([case]))), "phantom")
    small = Frame((6, 6, 4), (10.0, 10.0, 10.0))

    assert encode(case, known, (Modality.T1,), small, None).all()


def features(seeds, change=lambda voxels, _: voxels):
    """Features of random discs, changed in some way."""
    rows = []
    for seed in seeds:
        rng = stream(seed, "disc")
        i, j = np.indices((48, 40))
        disc = (i - 24) ** 2 / rng.uniform(300, 400) + (j - 20) ** 2 / rng.uniform(200, 260) < 1
        voxels = np.where(disc, rng.integers(1, 256, disc.shape), 0).astype(np.uint8)
        rows.append(features_of(change(voxels, rng)[None, None]))
    return rows


def quantised(voxels, _):
    """Sixteen grey levels."""
    return np.where(voxels > 0, voxels // 16 * 16 + 1, 0).astype(np.uint8)


def pierced(voxels, rng):
    """Zeros within the brain."""
    return np.where(rng.uniform(size=voxels.shape) < 0.01, 0, voxels)


def dark_rim(voxels, _):
    """A border that was darkened, as by resampling with the background."""
    inner = (voxels > 0) & np.roll(voxels > 0, 2, 0) & np.roll(voxels > 0, -2, 0)
    return np.where(inner, voxels, voxels // 3).astype(np.uint8)


def clipped(voxels, _):
    """A grey window that is too narrow."""
    return np.where(voxels > 180, 255, voxels).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "feature"), [(quantised, "levels"), (pierced, "holes"), (dark_rim, "rim"), (clipped, "clipped")]
)
def test_pixel_shortcuts_are_found_and_refused(change, feature):
    """Quantisation, background, border and clipping, each by its name."""
    found = {s.feature: s for s in find_shortcuts(features(range(20)), features(range(20, 40), change))}

    assert found[feature].separates
    with pytest.raises(CohortError, match=f"{feature} .AUC.*allow-shortcuts"):
        require_no_shortcut(tuple(found.values()), "study")


def test_alike_groups_have_no_shortcut():
    """Nothing is refused where there is nothing to see; nor where there is too little to say."""
    found = find_shortcuts(features(range(20)), features(range(20, 40)))

    assert [s.feature for s in found] == list(FEATURES)
    assert not any(s.separates for s in found)
    assert find_shortcuts(features([1]), features([2])) == ()


def test_few_alike_groups_are_seldom_refused():
    """Of 100 studies without a shortcut, no more than the level allows are refused."""
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(100):
        rows = [dict(zip(FEATURES, rng.normal(size=len(FEATURES)), strict=True)) for _ in range(20)]
        wrong += any(s.separates for s in find_shortcuts(rows[:10], rows[10:]))

    assert wrong <= 4


def test_a_study_with_a_shortcut_is_not_created_unless_allowed(tmp_path):
    """Allowed, it carries the mark."""
    made = made_by("spade", range(30, 42))
    coarse = cohort_of_cases([with_images(ref.load(), np.round, ref.case_id) for ref in made], "spade")
    coarse = replace(coarse, cases=tuple(replace(a, lineage=b.lineage) for a, b in zip(coarse, made, strict=True)))
    sources = {"real": cohort_of_cases([toy_case(seed) for seed in range(12)]), "spade": coarse}
    spec = ReaderSpec(real=12, synthetic=12, practice=0)

    with pytest.raises(CohortError, match="pixel shortcuts: levels"):
        create_study(tmp_path / "no", spec, sources)
    assert "SHORTCUT" in create_study(tmp_path / "yes", spec, sources, allow_shortcuts=True).flags
    assert [path.name for path in tmp_path.iterdir()] == ["yes"]
