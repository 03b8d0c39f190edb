"""Painting without a network: styles about the training cases, order of classes, distractors, scanner."""

import numpy as np
import pytest

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import COMPLETE, COMPLETE_DISTRACTORS, LabelMap, Modality, SpecError, stream
from glioforge.synthesis.base import load_synthesizer, train_synthesizer
from glioforge.synthesis.methods.painted import PaintedSpec
from glioforge.synthesis.methods.painted.spec import ScannerSpec, blurred_and_shifted, with_bias
from glioforge.synthesis.methods.painted.subclasses import Subclasses
from glioforge.synthesis.style_spread import OrderRule, StyleSpread, drawn_style, keeps_order, measured_order, places_of
from toy_cohort import toy_case, toy_cohort, toy_labels

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


def painter(folder, **settings):
    """A painter of three toy subjects."""
    return train_synthesizer(toy_cohort([1, 2, 3]), None, PaintedSpec(**settings), folder, accelerator=PLAIN)


def means_of(images, labels):
    """Class means, `(contrast, class)`, of the classes from 1."""
    return np.array([[v.voxels[labels.voxels == c].mean() for c in range(1, 7)] for v in images.values()])


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A painter with its usual settings."""
    return painter(tmp_path_factory.mktemp("wide") / "m")


def test_width_0_paints_the_mean_style(tmp_path):
    """The preset `means` gives every class its mean over the training cases, and always the same image."""
    model = painter(tmp_path / "m", **PaintedSpec.PRESETS["means"])
    labels = toy_labels(5)
    images = model.synthesize(labels, stream(1))
    expected = np.nanmean(model._method.knowledge.appearance.means, axis=0)
    np.testing.assert_allclose(means_of(images, labels), expected[1:].T, atol=1e-5)
    for place, volume in enumerate(images.values()):
        np.testing.assert_allclose(volume.voxels[labels.voxels == 4], expected[4, place], atol=1e-5)
    assert not model.varied
    assert model.parameters == 0


def test_wider_styles_differ_more(wide):
    """Styles of many draws lie about the mean of the cases, at the width asked for."""
    spread = wide._method._spread
    rng = np.random.default_rng(0)
    for width in (0.5, 2.0):
        drawn = np.stack([spread.draw(rng, width) for _ in range(400)])
        inside = spread.spread > 0
        np.testing.assert_allclose(drawn.std(axis=0)[inside], width * spread.spread[inside], rtol=0.2)
        assert np.abs(drawn.mean(axis=0) - spread.mean)[inside].max() < width * spread.spread.max() * 0.25


def test_it_is_deterministic_and_read_back(wide):
    """The same stream gives the same bytes, from a folder too."""
    labels = toy_labels(5)
    again = load_synthesizer(wide.folder, PLAIN).synthesize(labels, stream(4))
    for modality, volume in wide.synthesize(labels, stream(4)).items():
        np.testing.assert_array_equal(volume.voxels, again[modality].voxels)


def test_every_style_keeps_the_order(tmp_path):
    """At five times the spread, the rule that was asked for still holds in all styles."""
    rule = OrderRule(contrast=Modality.T1, brighter="white_matter", darker="csf")
    known = measured_order(painter(tmp_path / "a")._method.knowledge.appearance.means, (Modality.T1,), COMPLETE)
    chosen = known[0] if known else rule
    model = painter(tmp_path / "m", width=5.0, order=(chosen,))
    method = model._method
    for n in range(60):
        style = method._style(np.random.default_rng(n))
        assert keeps_order((style.means * style.shares[..., None]).sum(axis=1), method._order)


def test_a_rule_that_the_mean_breaks_is_refused(tmp_path):
    """The rule turned round, and one with an unknown class, say what is wrong."""
    model = painter(tmp_path / "a")
    means = np.nanmean(model._method.knowledge.appearance.means, axis=0)
    names = sorted(COMPLETE.labels, key=COMPLETE.value)
    order = np.argsort(means[1:, 0]) + 1
    wrong = OrderRule(contrast=model.modalities[0], brighter=names[order[0]], darker=names[order[-1]])
    with pytest.raises(SpecError, match="mean of the training cases keeps"):
        painter(tmp_path / "b", order=(wrong,))
    with pytest.raises(SpecError, match="unknown_class"):
        painter(tmp_path / "c", order=(OrderRule(contrast="t1", brighter="unknown_class", darker="csf"),))


def test_distractors_are_painted_as_lesions_look(wide):
    """Caps are painted after oedema, the rest of the map as without them, and the output has no extra class."""
    labels = toy_labels(5)
    voxels = labels.voxels.copy()
    cap = np.flatnonzero(voxels == 4)[:200]
    voxels.ravel()[cap] = COMPLETE_DISTRACTORS.value("ventricle_cap")
    shown = LabelMap(voxels, labels.geometry, COMPLETE_DISTRACTORS)
    assert wide.takes(COMPLETE_DISTRACTORS)
    style = wide._method._style(np.random.default_rng(1)).in_scheme(
        COMPLETE_DISTRACTORS, COMPLETE, np.random.default_rng(2)
    )
    row = {name: n for n, name in enumerate(sorted(COMPLETE_DISTRACTORS.labels, key=COMPLETE_DISTRACTORS.value))}
    low, high = np.sort(style.means[[row["oedema"], row["white_matter"]]], axis=0)
    between = style.means[row["ventricle_cap"]]
    assert np.all((between >= low - 1e-9) & (between <= high + 1e-9))
    assert set(wide.synthesize(shown, stream(1))) == set(wide.modalities)


def test_subclasses_divide_a_class_by_brightness():
    """Three clusters, darkest first along one direction, whose shares sum to 1."""
    found = Subclasses.of([toy_case(1), toy_case(2)], toy_case(1).modalities, COMPLETE, 3)
    present = found.shares.sum(axis=-1) > 0
    np.testing.assert_allclose(found.shares.sum(axis=-1)[present], 1)
    line = np.einsum("ncsm,cm->ncs", np.nan_to_num(found.means), found.directions)[present]
    assert np.all(np.diff(line, axis=-1) > 0)
    assert np.isfinite(found.noise).all()


def test_one_case_has_a_spread_and_few_take_the_target():
    """The floor gives one case a spread; the weight of the target falls with the number of like cases."""
    rng = np.random.default_rng(3)
    floor = np.full((3, 2), 0.1)
    one = StyleSpread.of(rng.normal(size=(1, 3, 2)), floor)
    assert one.target_weight == 1.0
    assert np.all(one.spread >= 0.1)
    scanner = rng.normal(size=(60, 1, 2)) + 0.1 * rng.normal(size=(60, 3, 2))
    assert StyleSpread.of(scanner, floor).target_weight < 0.2


def test_the_scanner_keeps_the_mean_and_can_do_nothing():
    """Blur and bias leave the level; widths and shifts of 0 leave the image."""
    image = np.random.default_rng(0).normal(size=(12, 13, 11)).astype(np.float32)
    still = ScannerSpec(blur_mm=(0, 0), thick_mm=0, shift_mm=0, bias=0, noise=0)
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(blurred_and_shifted(image, (1.0, 1.0, 1.0), still, rng), image, atol=1e-6)
    np.testing.assert_allclose(with_bias(image, still, rng), image, atol=1e-6)
    blurred = blurred_and_shifted(image, (1.0, 1.0, 1.0), ScannerSpec(), rng)
    assert blurred.std() < image.std()
    assert blurred.mean() == pytest.approx(image.mean(), abs=0.1)


def test_a_generator_may_start_from_wide_styles(wide):
    """With a width, class means lie about the mean of the cases and keep their order; without one, cases are mixed."""
    knowledge = wide._method.knowledge
    mean = np.nanmean(knowledge.appearance.means, axis=0)
    still = drawn_style(knowledge, 0.3, 0.0, np.random.default_rng(1))
    np.testing.assert_allclose(still.means[1:], mean[1:], atol=1e-9)
    order = places_of(
        measured_order(knowledge.appearance.means, knowledge.modalities, COMPLETE), knowledge.modalities, COMPLETE
    )
    for seed in range(40):
        assert keeps_order(drawn_style(knowledge, 0.3, 4.0, np.random.default_rng(seed)).means, order)
    mixed, again = drawn_style(knowledge, 0.3, None, stream(1)), knowledge.appearance.draw(stream(1), 0.3)
    np.testing.assert_array_equal(mixed.means, again.means)


def test_rules_about_other_contrasts_are_passed_over():
    """Without the contrast there is nothing to keep."""
    rule = OrderRule(contrast=Modality.APTW, brighter="oedema", darker="csf")
    assert places_of((rule,), (Modality.T1,), COMPLETE) == ()
    assert keeps_order(np.zeros((7, 1)), ())
