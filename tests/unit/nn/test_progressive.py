"""Tests of the growing networks: the layers of the paper, gradients at every stage, continuous fading."""

import pytest
import torch

from glioforge.nn.progressive import (
    ProgressiveCritic,
    ProgressiveGenerator,
    doubled,
    halved,
    level_widths,
    minibatch_deviation,
    pixel_norm,
)

WIDTHS = (6, 5, 4)


def both(dims=2, condition=2):
    """A small generator and critic with the same levels."""
    torch.manual_seed(0)
    generator = ProgressiveGenerator(3, 2, WIDTHS, condition=condition, dims=dims)
    return generator, ProgressiveCritic(2, WIDTHS, condition=condition, dims=dims)


def test_counts_of_parameters_are_those_of_the_paper():
    """Table 2 at 1024 x 1024 gives 23.1 million to each; one channel at 256 x 256 hardly fewer."""
    widths = level_widths(8192, 512, 9)
    assert widths == (512, 512, 512, 512, 256, 128, 64, 32, 16)
    with torch.device("meta"):
        large = ProgressiveGenerator(512, 3, widths), ProgressiveCritic(3, widths)
        small = ProgressiveGenerator(512, 1, widths[:7]), ProgressiveCritic(1, widths[:7])
    counts = [sum(p.numel() for p in network.parameters()) for network in (*large, *small)]
    assert counts == [23_079_115, 23_087_249, 23_039_303, 23_047_361]


def test_layers_are_those_of_the_paper():
    """Two kernels of 3 at each level after the first; one pixel wide at the ends; a dense start and end."""
    with torch.device("meta"):
        widths = level_widths(8192, 512, 3)
        generator, critic = ProgressiveGenerator(512, 1, widths), ProgressiveCritic(1, widths)
    assert generator.start.weight.shape == (512 * 16, 512)
    assert [len(block) for block in generator.blocks] == [1, 2, 2]
    assert {layer.weight.shape for block in generator.blocks for layer in block} == {(512, 512, 3, 3)}
    assert {end.weight.shape for end in generator.ends} == {(1, 512, 1, 1)}
    assert critic.blocks[0].weight.shape == (512, 513, 3, 3)
    assert critic.dense.weight.shape == (512, 512 * 16)
    assert critic.end.weight.shape == (1, 512)


@pytest.mark.parametrize("grown", [0.0, 0.5, 1.0, 1.25, 2.0])
@pytest.mark.parametrize("dims", [2, 3])
def test_every_parameter_in_use_gets_a_gradient_at_every_stage(grown, dims):
    """And those of levels to come get none."""
    networks = both(dims)
    for network in networks:
        network.grow_to(grown)
    generator, critic = networks
    level, share = generator.standing
    made = generator(torch.randn(4, 3), torch.randn(4, 2))
    assert made.shape == (4, 2, *[4 << level] * dims)
    (critic(made, torch.randn(4, 2)) * torch.randn(4, 1)).sum().backward()
    ends = {level} if share == 1 else {level, level - 1}
    for network, side in ((generator, "ends"), (critic, "begins")):
        for name, parameter in network.named_parameters():
            part, _, rest = name.partition(".")
            number = int(rest.split(".")[0]) if part in {"blocks", side} else 0
            used = number in ends if part == side else number <= level
            moved = parameter.grad is not None and float(parameter.grad.abs().sum()) > 0
            # The last bias adds the same to all scores, which the random weights above do not cancel.
            assert moved == used, name


@pytest.mark.parametrize("dims", [2, 3])
def test_levels_fade_under_autocast(dims):
    """Pooled volumes are in float32 there, and convolved ones in bfloat16."""
    generator, critic = both(dims)
    for network in (generator, critic):
        network.grow_to(1.25)
    with torch.autocast("cpu", torch.bfloat16):
        scored = critic(generator(torch.randn(4, 3), torch.randn(4, 2)), torch.randn(4, 2))

    assert torch.isfinite(scored).all()


def test_fading_begins_at_the_coarser_level_and_ends_at_the_finer_one():
    """Without a jump on either side."""
    generator, critic = both()
    noise, condition = torch.randn(4, 3), torch.randn(4, 2)
    for level in (0, 1):
        generator.grow_to(level)
        critic.grow_to(level)
        coarse = generator(noise, condition)
        scored = critic(coarse, condition)
        generator.grow_to(level + 1e-6)
        critic.grow_to(level + 1e-6)
        begun = generator(noise, condition)
        assert torch.allclose(begun, doubled(coarse), atol=1e-4)
        assert torch.allclose(critic(begun, condition), scored, atol=1e-3)
        generator.grow_to(level + 1 - 1e-6)
        nearly = generator(noise, condition)
        generator.grow_to(level + 1)
        assert torch.allclose(nearly, generator(noise, condition), atol=1e-4)


def test_normalisation_and_deviation():
    """Pixels have a mean square of 1; the extra channel tells a varied batch from a repeated one, and one sample."""
    x = torch.randn(8, 5, 4, 4)
    assert torch.allclose(pixel_norm(x).square().mean(dim=1), torch.ones(8, 4, 4), atol=1e-4)
    assert float(minibatch_deviation(x)[:, -1].detach().min()) > 0.5
    assert float(minibatch_deviation(x[:1].repeat(8, 1, 1, 1))[:, -1].max()) < 1e-6
    assert float(minibatch_deviation(x[:1])[:, -1].abs().max()) < 1e-6
    assert torch.equal(halved(doubled(x)), x)
