"""Promises of pix2pix and pix2pixHD that the laws over all synthesizers don't hold."""

import numpy as np
import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.modality import Modality
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.nn.pix2pix import NoiseDropout
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.pix2pix import seeded_dropout
from glioforge.synthesis.methods.pix2pixhd import halved
from toy_cohort import toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
CONTRASTS = (Modality.T1, Modality.FLAIR)
TINY = {
    "pix2pix": {"kind": "pix2pix", "ngf": 2, "levels": 3, "critic_width": 2, "critic_layers": 2, "batch_size": 2},
    "pix2pixhd": {
        "kind": "pix2pixhd",
        "ngf": 4,
        "halvings": 1,
        "blocks": 1,
        "enhancer_blocks": 1,
        "critic_width": 2,
        "critic_layers": 2,
        "critic_scales": 1,
        "batch_size": 2,
    },
}


def method_of(**values):
    """An untrained method that knows two toy subjects."""
    spec = SYNTHESIZERS.parse(values)
    known = Knowledge(CONTRASTS, COMPLETE, Appearance.of([toy_case(1), toy_case(2)], CONTRASTS, COMPLETE))
    return SYNTHESIZERS.part_for(spec)(spec, known)


def players(losses):
    """Method, rate and averaging of both optimisers."""
    return [(p.method, p.learning_rate, p.momentum, p.second_momentum) for p in (losses.generator, losses.critic)]


def test_paper_presets_of_pix2pix_are_the_papers():
    """Volume, depth, widths, losses, rates and stages of the texts; four channels from seven labels."""
    spec = SYNTHESIZERS.parse({"kind": "pix2pix", "preset": "paper"})
    assert (spec.dims, spec.size, spec.ngf, spec.levels, spec.dropout) == (3, (128, 128, 54), 64, 7, 0.5)
    assert (spec.critic_width, spec.critic_layers, spec.critic_scales) == (64, 4, 1)
    assert (spec.losses.adversary, spec.losses.l1, spec.losses.feature_matching) == ("vanilla", 100, 0)
    assert players(spec.losses) == [("adam", 2e-4, 0.5, 0.999)] * 2
    assert (spec.batch_size, spec.output, spec.deviation, spec.upsampling) == (1, "tanh", 0.02, "transposed")
    assert (spec.gaps, spec.gaps_then, spec.gaps_first) == (True, "complete", 200 * 3416)
    assert spec.budget.steps == 200 * (3416 + 211)
    assert [spec.style, spec.grain, spec.mirror, spec.position] == [False, 0, False, False]
    flat = SYNTHESIZERS.parse({"kind": "pix2pix", "preset": "paper_2d"})
    assert (flat.dims, flat.size, flat.levels, flat.context) == (2, (256, 256), 8, 0)


def test_the_papers_generator_takes_the_papers_volume():
    """Built with the preset's widths: 128 x 128 x 54 comes back in both contrasts."""
    with torch.device("meta"):
        generator = method_of(kind="pix2pix", preset="paper").network.generator
        assert generator(torch.zeros(1, 7, 128, 128, 54)).shape == (1, 2, 128, 128, 54)
    assert len(generator.down) == 7


def test_paper_preset_of_pix2pixhd_is_the_paper():
    """Layer string, critics, losses and rates of the text."""
    spec = SYNTHESIZERS.parse({"kind": "pix2pixhd", "preset": "paper"})
    assert (spec.ngf, spec.halvings, spec.blocks, spec.enhancers, spec.enhancer_blocks) == (64, 4, 9, 1, 3)
    assert (spec.critic_width, spec.critic_layers, spec.critic_scales) == (64, 4, 3)
    assert (spec.losses.adversary, spec.losses.feature_matching, spec.losses.l1) == ("lsgan", 10, 0)
    assert players(spec.losses) == [("adam", 2e-4, 0.5, 0.999)] * 2
    assert spec.losses.generator.schedule == "constant_linear"
    assert (spec.norm, spec.batch_size, spec.output, spec.deviation) == ("instance", 1, "tanh", 0.02)


@pytest.mark.parametrize("kind", ["pix2pix", "pix2pixhd"])
def test_every_parameter_gets_a_gradient(kind):
    """Each weight has a part in the image, with all inputs on."""
    torch.manual_seed(0)
    network = method_of(**TINY[kind], noise=True, position=True).network
    made = network(
        torch.randint(0, 7, (2, 3, 20, 18)), torch.ones(2, 5), torch.randn(2, 7, 2), torch.randn(2, 1, 20, 18)
    )
    made.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []


def test_dropout_alone_varies_the_images_of_pix2pix(tmp_path):
    """Without style and grain two draws differ, and the masks are the first ones again afterwards."""
    budget = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
    spec = SYNTHESIZERS.parse({**TINY["pix2pix"], "style": False, "grain": 0.0, "budget": budget})
    trained = train_synthesizer(spec, toy_cohort([1, 2]), None, tmp_path, seed=1, accelerator=PLAIN)
    labels = toy_case(5).labels
    first, second, again = (trained.synthesize(labels, stream(seed))[Modality.T1].voxels for seed in (1, 2, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, again)


def test_every_member_of_an_ensemble_draws_its_own_dropout(tmp_path):
    """A draw of any member has the masks of its own seed, and all members have those of seed 0 afterwards."""
    method = method_of(**TINY["pix2pix"], style=False, grain=0.0, ensemble=3)
    seen = []
    for member in (method._network, *method._earlier):
        layers = [layer for layer in member.modules() if isinstance(layer, NoiseDropout)]
        with seeded_dropout(method.network, 99):
            seen.append([layer.seed for layer in layers])
        assert [layer.seed for layer in layers] == [0, 1]
    assert seen == [[297, 298]] * 3


def test_an_observed_pix2pix_answers_to_its_noise():
    """In evaluation two batches of images differ, as torch's generator says, and the masks are put back."""
    method = method_of(**TINY["pix2pix"], style=False)
    batch = method.batches(toy_cohort([1, 2]), 1)(0)
    network = method.network.eval()
    seeds = [layer.seed for layer in network.modules() if isinstance(layer, NoiseDropout)]
    torch.manual_seed(1)
    first, second = method.generate(network, batch), method.generate(network, batch)
    torch.manual_seed(1)
    assert not torch.equal(first, second)
    assert torch.equal(first, method.generate(network, batch))
    assert seeds == [layer.seed for layer in network.modules() if isinstance(layer, NoiseDropout)]


@pytest.mark.parametrize("dims", [2, 3])
def test_the_coarse_stage_learns_on_grids_of_half_the_size(dims):
    """Images, labels and brain shrink together, the place in the head with them; then whole batches follow."""
    method = method_of(**TINY["pix2pixhd"], coarse_steps=2, dims=dims, position=True)
    batches = method.batches(toy_cohort([1, 2]), 1)
    small, large = batches(1), batches(2)
    assert "coarse" not in large
    assert small["images"].shape[2:] == tuple(-(-n // 2) for n in large["images"].shape[2:])
    made = method.generate(method.network, small)
    assert made.shape == small["images"].shape
    made.square().sum().backward()
    enhancer = [p for name, p in method.network.named_parameters() if "fronts" in name or "backs" in name]
    assert enhancer
    assert not any(p.grad.any() for p in enhancer)
    assert not small["images"][~small["brain"][:, None].expand_as(small["images"])].any()


def test_halving_keeps_every_second_voxel_and_the_mean():
    """Centre and half width of the brain's box are halved, the height is not."""
    batch = {
        "images": torch.full((1, 1, 5, 4), 2.0),
        "labels": torch.arange(20).view(1, 1, 5, 4),
        "brain": torch.ones(1, 5, 4, dtype=torch.bool),
        "frame": torch.tensor([[4.0, 2.0, 2.0, 1.0, 0.5]]),
    }
    small = halved(batch)
    assert small["labels"][0, 0].tolist() == [[0, 2], [8, 10], [16, 18]]
    assert small["images"].eq(2).all()
    assert small["frame"].tolist() == [[2.0, 1.0, 1.0, 0.5, 0.5]]
