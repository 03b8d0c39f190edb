"""Promises of the stretch-out synthesizer that the laws over all synthesizers don't hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.core.cohort import Cohort
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE, GUO2020
from glioforge.core.volume import Modality
from glioforge.losses.dice import generalised_dice_loss
from glioforge.nn.patch_critic import LabelWiseCritic, MultiScaleCritic
from glioforge.nn.pix2pix import NoiseDropout
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.samr import SamrMethod
from glioforge.synthesis.methods.samr.atlas_slices import average_brain
from glioforge.synthesis.methods.samr.shape_consistency import ShapeConsistency, ShapeConsistencySpec
from toy_cohort import Held, cohort_of_cases, toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
SHORT = {"steps": 2, "epochs": None, "validate_every": 2, "checkpoint_every": 2}
TINY = {
    "kind": "samr",
    "ngf": 2,
    "widest": 4,
    "blocks": 1,
    "critic_width": 2,
    "critic_layers": 2,
    "atlas_shape": (6, 6, 5),
    "consistency": {"widths": (2, 4)},
    "batch_size": 2,
    "budget": SHORT,
}
CONTRASTS = (Modality.T1, Modality.FLAIR)


def method(scheme=COMPLETE, contrasts=CONTRASTS, **changes):
    """An untrained method of two toy subjects."""
    torch.manual_seed(0)
    spec = SYNTHESIZERS.parse({**TINY, **changes})
    shape = (2, len(scheme.labels), len(contrasts))
    return SamrMethod(spec, Knowledge(contrasts, scheme, Appearance(np.zeros(shape), np.zeros(shape))))


def batch_of(classes=7, contrasts=2):
    """Two slices."""
    torch.manual_seed(1)
    return {
        "images": torch.randn(2, contrasts, 16, 14),
        "labels": torch.randint(0, classes, (2, 3, 16, 14)),
        "brain": torch.ones(2, 16, 14, dtype=torch.bool),
        "case": torch.zeros(2, dtype=torch.int64),
        "frame": torch.tensor([[7.5, 6.5, 7.0, 6.0, 0.0]] * 2),
        "means": torch.randn(2, classes, contrasts),
    }


def guo_cohort(seeds):
    """Toy subjects in the paper's five classes; the ventricle plays the cavity."""
    refs = []
    for seed in seeds:
        case = toy_case(seed)
        voxels = np.array([0, 4, 2, 4, 1, 1, 3], dtype=np.uint8)[case.labels.voxels]
        held = replace(case, labels=replace(case.labels, voxels=voxels, scheme=GUO2020))
        (ref,) = cohort_of_cases([case])
        refs.append(replace(ref, scheme=GUO2020.name, reader=Held(held)))
    return Cohort("guo", tuple(refs), GUO2020)


def test_paper_preset_is_the_paper():
    """Layers, losses, rates, schedule and length of the text."""
    spec = SYNTHESIZERS.parse({"kind": "samr", "preset": "paper"})
    assert (spec.halvings, spec.norm, spec.upsampling, spec.atlas_shape) == (5, "batch", "transposed", (256, 256, 15))
    assert (spec.regions, spec.critic_scales) == (("background", "brain", "lesion"), 2)
    assert all((spec.stretch_out, spec.label_wise, spec.atlas, spec.shape_consistency))
    losses = spec.losses
    assert (losses.adversary, losses.adversarial, losses.l1) == ("vanilla", 1, 0)
    assert (losses.feature_matching, losses.feature_difference) == (5, "squared")
    consistency = spec.consistency
    assert (consistency.weight, consistency.learns_from, consistency.dice) == (1, "both", "plain")
    players = (losses.generator, losses.critic, consistency.optimizer)
    rates = {(p.method, p.learning_rate, p.schedule) for p in players}
    assert rates == {("adam", 2e-4, "constant_linear")}
    assert (spec.batch_size, spec.budget.epochs) == (8, 500)
    assert not any((spec.style, spec.context, spec.grain, spec.mirror))


def test_authors_preset_is_their_file():
    """Three halvings, instance norm, least squares, and the atlas shown to the critics; the rest as in the paper."""
    spec, paper = (SYNTHESIZERS.parse({"kind": "samr", "preset": name}) for name in ("authors", "paper"))
    assert (spec.halvings, spec.norm, spec.losses.adversary, spec.atlas_in_critic) == (3, "instance", "lsgan", True)
    assert (spec.blocks, spec.critic_width, spec.budget) == (paper.blocks, paper.critic_width, paper.budget)


FIVE = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR, Modality.APTW)


def built(preset, scheme=COMPLETE):
    """Generator and recipe of a preset as it is, without memory."""
    with torch.device("meta"):
        spec = SYNTHESIZERS.parse({"kind": "samr", "preset": preset})
        table = np.zeros((1, len(scheme.labels), len(FIVE)))
        made = SamrMethod(spec, Knowledge(FIVE, scheme, Appearance(table, table)))
        return made, made.recipe(made.network, 10).networks


def kernels(module):
    """Channels, kernel and stride of every convolution."""
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    found = [layer for layer in module.modules() if isinstance(layer, kinds)]
    return [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in found]


def test_the_authors_generator_has_the_layers_of_their_file():
    """Encoders 64 to 512, latent 1024, ways up 512-256-128, reflected edges, norms without parameters."""
    generator = built("authors")[0].network.generator
    down = [(64, 128, 3, 2), (128, 256, 3, 2), (256, 512, 3, 2)]
    assert kernels(generator.mask_encoder) == [(5, 64, 7, 1), *down]
    assert kernels(generator.atlas_encoder) == [(15, 64, 7, 1), *down]
    assert kernels(generator.shared) == [(1024, 1024, 3, 1)] * 18
    up = [(1024, 512, 3, 2), (512, 256, 3, 2), (256, 128, 3, 2), (128, 1, 7, 1)]
    assert [kernels(branch) for branch in generator.branches] == [[(1024, 1024, 3, 1)] * 2 + up] * 5
    edges = {(c.kernel_size[0], c.padding_mode) for c in generator.modules() if isinstance(c, torch.nn.Conv2d)}
    assert edges - {(3, "zeros")} == {(7, "reflect"), (3, "reflect")}
    strided = [c for c in generator.modules() if isinstance(c, torch.nn.Conv2d) and c.stride[0] == 2]
    assert {c.padding_mode for c in strided} == {"zeros"}
    encoders = 49 * 20 * 64 + 2 * 9 * (64 * 128 + 128 * 256 + 256 * 512)
    doublings = 9 * (1024 * 512 + 512 * 256 + 256 * 128) + 512 + 256 + 128
    branches = 5 * (18 * 1024**2 + doublings + 49 * 128 + 1)
    assert sum(p.numel() for p in generator.parameters()) == encoders + 9 * 18 * 1024**2 + branches


def test_the_authors_unet_has_strided_kernels_and_batch_norm():
    """Five levels of kernel 4 down and up, no pooling, no dropout; five classes."""
    unet = built("authors")[1]["companion"]
    down = [(5, 64), (64, 128), (128, 256), (256, 512), (512, 512)]
    up = [(512, 512), (1024, 256), (512, 128), (256, 64), (128, 5)]
    assert kernels(unet) == [(a, b, 4, 2) for a, b in [*down, *up]]
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in unet.modules()) == 7
    assert not any(isinstance(layer, (torch.nn.MaxPool2d, NoiseDropout)) for layer in unet.modules())


@pytest.mark.parametrize("scheme", [COMPLETE, GUO2020])
def test_the_papers_networks_are_shown_five_classes(scheme):
    """White matter, grey matter and CSF are one; the U-Net has five outputs, regions are the paper's three."""
    made, networks = built("paper", scheme)
    assert made.network.generator.inputs == 5
    assert kernels(made.network.generator.mask_encoder)[0] == (5, 64, 7, 1)
    assert networks["companion"].head.out_channels == 5
    first = next(layer for layer in networks["critic"].modules() if isinstance(layer, torch.nn.Conv2d))
    assert first.in_channels == 5 + 5
    assert made._region_classes().int().tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 1]]


def test_tissue_makes_no_difference_to_the_papers_image():
    """White, grey matter and CSF give the same image; the default sees them."""
    images = {}
    for classes in ("guo2020", "cohort"):
        network = method(label_classes=classes, style=False, context=0).network.eval()
        labels, frame, means = torch.full((1, 1, 16, 14), 4), batch_of()["frame"][:1], torch.zeros(1, 7, 2)
        labels[..., 4:9, 5:9] = 3
        other = torch.where(labels == 4, torch.randint(4, 7, labels.shape), labels)
        with torch.no_grad():
            made = [network(x, frame, means, torch.zeros(1, 1, 16, 14)) for x in (labels, other)]
        images[classes] = torch.equal(*made)
    assert images == {"guo2020": True, "cohort": False}


def test_critics_start_as_the_preset_says():
    """Normal with deviation 0.02 in the papers' presets, Xavier else."""
    for changes, normal in (({"critic_deviation": 0.02}, True), ({}, False)):
        critic = method(critic_width=16, critic_spectral=False, **changes)._critics()
        deviation = critic.critics[0].critics[0].stages[1][0].weight.std().item()
        assert (abs(deviation - 0.02) < 0.002) == normal
    assert SYNTHESIZERS.parse({"kind": "samr", "preset": "authors"}).critic_deviation == 0.02


def test_mixed_axes_need_no_atlas():
    """The average has slices along one axis."""
    with pytest.raises(ValidationError, match="mix_axes with an atlas, whose slices are cut along one axis"):
        method(mix_axes=True)
    assert method(mix_axes=True, atlas=False).spec.mix_axes


@pytest.mark.parametrize("preset", ["paper", "authors", "sound"])
def test_every_parameter_gets_a_gradient(preset):
    """Each weight of the generator has a part in the image."""
    made = method(preset=preset)
    network, batch = made.network, batch_of()
    labels = batch["labels"][:, : 2 * made.spec.context + 1]
    images = network(labels, batch["frame"], batch["means"], torch.zeros(2, 1, 16, 14))
    images.square().sum().backward()
    lacking = [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert lacking == []


def test_each_switch_takes_away_its_part():
    """The paper's ablations: shared way up, one pair of critics, no atlas encoder, no U-Net."""
    whole = method()
    assert len(whole.network.generator.branches) == 2
    assert whole.network.generator.atlas_encoder is not None
    shared, bare = method(stretch_out=False), method(atlas=False)
    assert len(shared.network.generator.branches) == 1
    assert bare.network.generator.atlas_encoder is None
    assert len(bare.network.extras) == 0
    assert bare.network.generator.inputs == whole.network.generator.inputs
    fabric = start(PLAIN)
    steps = {}
    for name, changes in {"whole": {}, "holistic": {"label_wise": False}, "free": {"shape_consistency": False}}.items():
        made = method(**changes)
        recipe = made.recipe(made.network, 10)
        steps[name] = recipe, recipe.step(batch_of(), 0, fabric)
    assert isinstance(steps["whole"][0].networks["critic"], LabelWiseCritic)
    assert isinstance(steps["holistic"][0].networks["critic"], MultiScaleCritic)
    assert {"shape", "companion"} <= set(steps["whole"][1])
    assert not {"shape", "companion"} & set(steps["free"][1])
    assert "companion" not in steps["free"][0].networks


def test_weights_count_for_each_critic():
    """The recipe averages over critics; equation 5 sums, so that the terms grow with their number."""
    six = method(regions=("background", "brain", "lesion"))
    four, two = method(), method(label_wise=False)
    weights = [m._summed().adversarial / m.spec.losses.adversarial for m in (six, four, two)]
    matching = [m._summed().feature_matching / m.spec.losses.feature_matching for m in (six, four, two)]
    assert weights == pytest.approx([6, 4, 2])
    assert matching == pytest.approx([6, 4, 2])


@pytest.mark.parametrize("scheme", [COMPLETE, GUO2020])
def test_regions_are_background_normal_brain_and_lesion(scheme):
    """By the scheme's own flags; a resection cavity belongs to the lesion, as in the paper."""
    made = method(scheme, regions=("background", "brain", "lesion"))
    rows = made._region_classes()
    names = [[name for name, chosen in zip(scheme.labels, row, strict=True) if chosen] for row in rows]
    assert names == [["background"], list(scheme.tissue), list(scheme.lesion)]
    assert scheme is not GUO2020 or "resection_cavity" in names[2]
    assert rows.sum(dim=0).tolist() == [1] * len(scheme.labels)


def test_critics_see_the_atlas_if_asked():
    """Fifteen channels more for five contrasts; the slices of the average, not zeros."""
    contrasts = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR, Modality.APTW)
    plain, shown = (method(contrasts=contrasts, atlas_in_critic=value) for value in (False, True))
    shown.network.extras[0].images.normal_()
    batch = batch_of(contrasts=5)
    channels = [m._shown(m.network, batch).shape[1] for m in (plain, shown)]
    assert channels == [7, 7 + 15]
    assert shown._shown(shown.network, batch)[:, 7:].std() > 0.1
    recipe = shown.recipe(shown.network, 10)
    assert torch.isfinite(recipe.step(batch, 0, start(PLAIN))["critic"])


def test_the_unet_learns_from_real_images_alone_or_from_both():
    """Equation 4 in its two readings; the generator's share is weighted."""
    torch.manual_seed(0)
    batch, fake = batch_of(), torch.randn(2, 2, 16, 14)
    middle = batch["labels"][:, 1]
    for learns_from in ("real", "both"):
        spec = ShapeConsistencySpec(widths=(2, 4), learns_from=learns_from, dice="plain", weight=0.5)
        shape = ShapeConsistency(spec, 2, 7, dims=2)
        network = shape.companion.network
        real, made = (generalised_dice_loss(network(x), middle, weighted=False) for x in (batch["images"], fake))
        expected = real if learns_from == "real" else real + made
        torch.testing.assert_close(shape.companion.loss(network, batch, fake), expected)
        torch.testing.assert_close(shape.generator_loss(fake, batch), 0.5 * made)


@pytest.mark.parametrize("dice", ["plain", "weighted", "by_class", "all_classes"])
def test_the_generator_is_told_where_the_unet_finds_no_labels(dice):
    """The loss has a gradient with respect to the image, under each Dice, and the U-Net gets none from it."""
    shape = ShapeConsistency(ShapeConsistencySpec(widths=(2, 4), dice=dice), 2, 7, dims=2)
    shape.companion.network.requires_grad_(False)
    fake = torch.randn(2, 2, 16, 14, requires_grad=True)
    shape.generator_loss(fake, batch_of()).backward()
    assert float(fake.grad.abs().max()) > 0


def test_the_atlas_is_the_training_subjects_and_stays_with_the_weights(tmp_path):
    """Kept in the folder; whoever stands behind it is among the model's subjects."""
    train = toy_cohort([1, 2])
    trained = train_synthesizer(train, None, SYNTHESIZERS.parse(TINY), tmp_path / "m", seed=1, accelerator=PLAIN)
    expected = average_brain(train, CONTRASTS, (6, 6, 5))
    for model in (trained, load_synthesizer(tmp_path / "m", PLAIN)):
        np.testing.assert_array_equal(model._method.network.extras[0].images.numpy(), expected)
    assert trained.lineage_subjects == train.subject_ids == ("s01", "s02")


def test_the_papers_five_classes_are_taken(tmp_path):
    """Background, brain, oedema, cavity and tumour."""
    cohort = guo_cohort([1, 2])
    trained = train_synthesizer(cohort, None, SYNTHESIZERS.parse(TINY), tmp_path / "m", seed=1, accelerator=PLAIN)
    labels = next(iter(cohort)).load().labels
    made = trained.synthesize(labels, stream(1))
    assert trained.scheme == GUO2020
    assert all(volume.voxels[labels.voxels > 0].std() > 0 for volume in made.values())


@pytest.mark.parametrize("axis", [0, 1])
def test_slices_of_any_axis_are_learned_and_made(tmp_path, axis):
    """The atlas is cut along the same axis."""
    spec = SYNTHESIZERS.parse({**TINY, "axis": axis})
    trained = train_synthesizer(toy_cohort([1]), None, spec, tmp_path / "m", seed=1, accelerator=PLAIN)
    labels = toy_case(5).labels
    assert all(volume.voxels.any() for volume in trained.synthesize(labels, stream(1)).values())


def test_volumes_are_learned_and_made_in_three_dimensions(tmp_path):
    """Encoders, atlas, critics and U-Net alike."""
    spec = SYNTHESIZERS.parse({**TINY, "dims": 3, "size": (12, 12, 8)})
    trained = train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path / "m", seed=1, accelerator=PLAIN)
    labels = toy_case(5).labels
    first, again = (trained.synthesize(labels, stream(3)) for _ in range(2))
    for modality, volume in first.items():
        assert np.array_equal(volume.voxels, again[modality].voxels)
        assert volume.voxels[labels.voxels > 0].std() > 0
