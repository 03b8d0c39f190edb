"""Tests of `segmentation.methods.unet`: the paper's table of layers, gradients, learning."""

import itertools

import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch, start
from glioforge.config.load import parse_spec
from glioforge.core.errors import CohortError
from glioforge.core.volume import Modality
from glioforge.metrics.evaluate import evaluate_case
from glioforge.segmentation.base import SEGMENTERS, Task, load_segmenter, train_segmenter
from glioforge.segmentation.methods.unet import UNetSpec
from glioforge.segmentation.target import target_named
from glioforge.training.budget import Budget
from glioforge.training.optimizer import rate_factor
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


def preset(name, **changes):
    """The spec of a preset."""
    return SEGMENTERS.parse({"kind": "unet", "preset": name, **changes})


def network_of(spec, channels=4):
    """A network of the spec with seeded weights."""
    seed_torch(1, "test")
    return SEGMENTERS.part_for(spec)(spec).build(tuple(Modality)[:channels], target_named(spec.target))


def recipe_of(spec, network, cohort=None):
    """Loss and optimiser for toys."""
    task = Task((Modality.T1, Modality.FLAIR), target_named(spec.target), cohort or toy_cohort([1]), 10)
    return SEGMENTERS.part_for(spec)(spec).recipe(network, task)


def paper_parameters(channels, classes, widths):
    """Parameters by the paper's table: convolutions without bias before a norm, which has two numbers a channel."""
    *levels, bridge = widths

    def stage(inputs, outputs, count=2):
        sizes = [inputs, *[outputs] * count]
        return sum(9 * a * b + 2 * b for a, b in itertools.pairwise(sizes))

    down = sum(stage(a, b) for a, b in zip([channels, *levels[:-1]], levels, strict=True))
    up = 0
    for below, width in zip([bridge, *reversed(levels[1:])], reversed(levels), strict=True):
        up += 9 * below * width + width + 2 * width + stage(2 * width, width)
    return down + stage(levels[-1], bridge, 1) + up + levels[0] * classes + classes


def test_the_paper_preset_has_the_papers_layers():
    """T1ce alone; four levels of two convolutions, a bridge of one, transposed convolutions of 3 with batch norm."""
    network = network_of(preset("paper"), channels=len(preset("paper").modalities))
    table = [
        (type(layer).__name__, layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0])
        for layer in network.modules()
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
    ]
    down = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 1024)]
    up = [(1024, 512), (512, 256), (256, 128), (128, 64)]
    merged = [pair for _, width in up for pair in ((2 * width, width), (width, width))]
    expected = [("Conv2d", a, b, 3, 1) for a, b in down] + [("ConvTranspose2d", a, b, 3, 2) for a, b in up]
    expected += [("Conv2d", a, b, 3, 1) for a, b in merged] + [("Conv2d", 64, 4, 1, 1)]
    assert sorted(table) == sorted(expected)
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert len(norms) == len(expected) - 1


@pytest.mark.parametrize("widths", [(64, 128, 256, 512, 1024), (8, 16, 32)])
def test_the_number_of_parameters_follows_from_the_table(widths):
    """Counted by hand from kernels, channels and norms."""
    network = network_of(preset("paper", widths=widths))
    assert sum(p.numel() for p in network.parameters()) == paper_parameters(4, 4, widths)


def test_the_paper_preset_trains_as_the_paper_says():
    """Adam at 1e-4, batches of 8, weighted Dice, no augmentation, every slice drawn alike."""
    spec = preset("paper")
    assert (spec.optimizer.method, spec.optimizer.learning_rate, spec.optimizer.schedule) == ("adam", 1e-4, "constant")
    assert (spec.batch_size, spec.loss, spec.augment, spec.ema) == (8, "weighted_dice", None, None)
    assert (spec.scaling, spec.statistics, spec.lesion_share) == ("largest", "real", 0)


@pytest.mark.parametrize("name", ["paper", "paper_7", "paper_2"])
def test_the_paper_takes_t1ce_alone_and_a_cohort_without_it_is_refused(name, tmp_path):
    """Foroozandeh & Eklund use no other contrast; the error says what is missing."""
    assert preset(name).modalities == (Modality.T1CE,)
    with pytest.raises(CohortError, match=r"contrasts \['flair', 't1'\].*also \['t1ce'\]"):
        train_segmenter(toy_cohort([1]), toy_cohort([2], "validation"), preset(name), tmp_path, seed=1)


def test_the_sound_preset_is_the_default_and_can_be_changed_key_by_key():
    """A YAML names a preset and overrides what it wants."""
    assert preset("sound") == UNetSpec()
    assert parse_spec({"preset": "paper", "batch_size": 2}, UNetSpec).batch_size == 2


@pytest.mark.parametrize("name", ["paper", "sound"])
def test_every_parameter_gets_a_gradient(name):
    """One step changes every tensor of a narrow network."""
    spec = preset(name, widths=(4, 8, 8))
    network = network_of(spec, channels=2)
    recipe = recipe_of(spec, network)
    before = {key: value.clone() for key, value in network.named_parameters()}
    labels = torch.arange(2 * 16 * 16).reshape(2, 16, 16) % 4
    scalars = recipe.step({"images": torch.randn(2, 2, 16, 16), "labels": labels}, 0, start(PLAIN))
    assert torch.isfinite(scalars["loss"])
    assert [key for key, value in network.named_parameters() if torch.equal(value, before[key])] == []


def test_samples_of_a_batch_do_not_see_each_other():
    """Logits of a slice do not depend on its neighbours in the batch, nor on their order."""
    network = network_of(preset("sound", widths=(4, 8, 8))).eval()
    slices = torch.randn(3, 4, 16, 13)
    together = network(slices)
    assert torch.allclose(network(slices.flip(0)).flip(0), together, atol=1e-5)
    assert torch.allclose(network(slices[:1]), together[:1], atol=1e-5)


def test_a_batch_without_tumour_teaches_the_paper_preset():
    """False positives have a gradient there."""
    recipe = recipe_of(preset("paper", widths=(4, 8)), network_of(preset("paper", widths=(4, 8)), channels=2))
    logits = torch.zeros(1, 4, 4, 4, requires_grad=True)
    recipe._loss(logits, {"labels": torch.zeros(1, 4, 4, dtype=torch.long)}).backward()

    assert (logits.grad[:, 0] < 0).all()
    assert (logits.grad[:, 3] > 0).all()


def test_rare_classes_weigh_more_in_the_weighted_dice():
    """Weights are inverse to the share of a class, so the smallest class counts most."""
    spec = preset("paper", widths=(4, 8))
    cohort = toy_cohort([1])
    labels = toy_case(1).require_labels()
    counts = [int(labels.region(name).sum()) for name in ("necrotic_core", "oedema", "enhancing")]
    network = network_of(spec, channels=2)
    recipe = recipe_of(spec, network, cohort)
    truth = torch.tensor([[0, 1, 2, 3]]).reshape(1, 1, 4)

    def loss_without(missed):
        wrong = torch.where(truth == missed, 0, truth)
        logits = torch.nn.functional.one_hot(wrong, 4).movedim(-1, 1).float() * 40
        return float(recipe._loss(logits, {"labels": truth}))

    by_loss = sorted((1, 2, 3), key=loss_without)
    by_size = sorted((1, 2, 3), key=lambda value: -counts[value - 1])
    assert by_loss == by_size


def test_it_learns_one_case_by_heart(tmp_path):
    """Given one case alone it finds its tumour: every piece of the training is in place."""
    spec = preset("sound", widths=(8, 16, 32), augment=None, ema=None)
    case = toy_case(1)
    segmenter = train_segmenter(
        cohort_of_cases([case], "one"),
        toy_cohort([2], "validation"),
        spec,
        tmp_path,
        seed=1,
        budget=Budget(steps=100, validate_every=100),
        accelerator=PLAIN,
    )
    rows = evaluate_case(segmenter.segment(case), case.require_labels(), metrics=("dice",))
    assert min(row.value for row in rows) > 0.85


@pytest.mark.parametrize(
    ("name", "target", "classes"), [("paper", "regions4", 4), ("paper_7", "complete", 7), ("paper_2", "tumour", 2)]
)
def test_the_papers_variants_differ_in_their_classes_alone(name, target, classes):
    """Seven, four and two."""
    spec = preset(name)
    assert spec.target == target
    assert spec.model_copy(update={"target": "regions4"}) == preset("paper")
    assert network_of(preset(name, widths=(4, 8)))[-1].head.out_channels == classes


def test_guos_preset_trains_as_the_paper_says():
    """Five classes, batches of 16, Adam at 2e-4 for half of the steps, then down to 0 in a straight line."""
    spec = preset("guo2020")
    assert (spec.target, spec.batch_size, spec.lesion_share, spec.modalities) == ("guo2020", 16, 0, None)
    assert (spec.optimizer.method, spec.optimizer.learning_rate) == ("adam", 2e-4)
    rates = [rate_factor(spec.optimizer, epoch, 200) for epoch in (0, 99, 150, 200)]
    assert rates == pytest.approx([1, 1, 0.5, 0], abs=0.02)
    assert network_of(preset("guo2020", widths=(4, 8))).head.out_channels == 5


def test_scaling_is_fitted_to_the_training_cases_and_loaded_with_the_weights(tmp_path):
    """Division by the largest value and a mean of 0, from the real cases alone."""
    spec = preset("sound", widths=(4, 8), scaling="largest", ema=None)
    bright = with_images(toy_case(2), lambda voxels: voxels * 0 + 5, "bright")
    segmenter = train_segmenter(
        toy_cohort([1]),
        toy_cohort([3], "validation"),
        spec,
        tmp_path,
        seed=1,
        budget=Budget(steps=2),
        synthetic=cohort_of_cases([bright], "made"),
        synthetic_share=0.5,
        accelerator=PLAIN,
    )
    scale = load_segmenter(tmp_path).networks[0][0]
    largest = max(float(volume.voxels.max()) for volume in toy_case(1).images.values())
    assert float(scale.largest) == pytest.approx(largest, abs=1e-3)
    assert torch.equal(scale.mean, segmenter.networks[0][0].mean)


@pytest.mark.parametrize("changes", [{"dims": 3, "size": (8, 8, 8)}, {"target": "nested"}])
def test_it_serves_volumes_and_nested_regions_too(changes):
    """One step changes every tensor."""
    spec = preset("sound", widths=(4, 8), **changes)
    network = network_of(spec, channels=2)
    before = {key: value.clone() for key, value in network.named_parameters()}
    grid = (8,) * spec.dims
    labels = torch.arange(2 * 8**spec.dims).reshape(2, *grid) % 4
    recipe_of(spec, network).step({"images": torch.randn(2, 2, *grid), "labels": labels}, 0, start(PLAIN))
    assert [key for key, value in network.named_parameters() if torch.equal(value, before[key])] == []
