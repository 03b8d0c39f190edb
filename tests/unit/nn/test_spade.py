"""Promises of the spatially adaptive generator."""

import itertools

import pytest
import torch

from glioforge.nn.blocks import he, xavier
from glioforge.nn.spade import Spade, SpadeGenerator, Stage, paper_stages

SMALL = (Stage(6, up=False), Stage(6, up=True), Stage(4, up=True))


def small(**changes):
    """A small generator with every option on."""
    torch.manual_seed(0)
    return SpadeGenerator(3, 2, SMALL, **{"hidden": 4, "noise": True, **changes})


def block(a, b, condition, hidden):
    """Parameters of one residual block, counted from equation 1 and figure 4 of the paper."""

    def spade(channels):
        return 9 * condition * hidden + hidden + 2 * (9 * hidden * channels + channels)

    middle = min(a, b)
    count = spade(a) + 9 * a * middle + middle + spade(middle) + 9 * middle * b + b
    return count + (spade(a) + a * b if a != b else 0)


def test_paper_widths_have_the_parameters_of_the_layer_table():
    """Ngf 64, seven labels, one contrast: counted by formula from the paper's appendix."""
    with torch.device("meta"):
        network = SpadeGenerator(7, 1, paper_stages(64), spectral=False)
    widths = [1024, 1024, 1024, 1024, 512, 256, 128, 64]
    expected = 9 * 7 * 1024 + 1024 + 9 * 64 + 1
    expected += sum(block(a, b, 7, 128) for a, b in itertools.pairwise(widths))
    assert sum(p.numel() for p in network.parameters()) == expected
    assert network.multiple == 32


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (2, (4, 5)), (3, (5, 8, 7))])
@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("spectral", [True, False])
def test_any_grid_comes_back_and_every_parameter_learns(dims, grid, norm, spectral):
    """Odd sizes are padded inside; gradients reach every weight and noise strength."""
    network = small(dims=dims, norm=norm, spectral=spectral)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "noise" in name:
                parameter.fill_(0.1)
    made = network(torch.randn(2, 3, *grid), torch.randn(2, 1, *grid))
    assert made.shape == (2, 2, *grid)
    made.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_samples_of_a_batch_do_not_mix_in_evaluation():
    """A slice's image doesn't depend on its neighbours in the batch."""
    network = small().eval()
    condition, noise = torch.randn(3, 3, 8, 8), torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(network(condition, noise)[1:2], network(condition[1:2], noise[1:2]))


def test_modulation_is_equation_1():
    """Normalised features times one plus scale, plus shift; with zero weights it is the norm alone."""
    layer = Spade(2, 3, 4, dims=2, norm="instance")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.scale.bias.fill_(1.0)
        layer.shift.bias.fill_(0.5)
    x = torch.randn(1, 2, 6, 6)
    normal = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(layer(x, torch.randn(1, 3, 6, 6)), 2 * normal + 0.5)


def test_noise_changes_the_image_once_its_strength_is_learned():
    """Strength 0 ignores the noise, another doesn't."""
    network = small().eval()
    condition, noise = torch.randn(1, 3, 8, 8), torch.randn(1, 1, 8, 8)
    assert torch.equal(network(condition, noise), network(condition, -noise))
    with torch.no_grad():
        network.blocks[-1].noise_in.fill_(1.0)
    assert not torch.equal(network(condition, noise), network(condition, -noise))


def test_starts_are_seeded_and_reach_spectral_layers():
    """Xavier and He fill every convolution with their spread and zero biases."""
    network = small()
    xavier(network, 0.02)
    inner = network.blocks[0].conv_in.parametrizations.weight.original
    assert float(inner.detach().std()) == pytest.approx(0.02 * (2 / (9 * 12)) ** 0.5, rel=0.2)
    assert not network.first.bias.any()
    plain = small(spectral=False)
    he(plain)
    assert float(plain.blocks[0].conv_in.weight.detach().std()) == pytest.approx((2 / (9 * 6)) ** 0.5, rel=0.2)
