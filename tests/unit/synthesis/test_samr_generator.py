"""Promises of the generator with an atlas encoder and one way up for each contrast."""

import itertools

import pytest
import torch

from glioforge.synthesis.methods.samr.generator import SamrGenerator, doubling_widths

WIDTHS = (3, 4, 5)


def small(**changes):
    """Two halvings, three contrasts, two atlas channels."""
    torch.manual_seed(0)
    return SamrGenerator(4, 2, 3, WIDTHS, 1, **{"norm": "instance", **changes})


def residual(channels):
    """Parameters of a residual block with batch norm."""
    return 2 * (9 * channels**2 + 2 * channels)


def encoder(inputs, widths):
    """Parameters of an encoder: kernel 7, then kernels of 3, batch norm after each."""
    steps = itertools.pairwise(widths)
    return 49 * inputs * widths[0] + sum(9 * a * b for a, b in steps) + 2 * sum(widths)


def way_up(latent, widths, outputs):
    """Parameters of a branch: a residual block, transposed convolutions with bias and batch norm, kernel 7."""
    sizes = [latent, *reversed(widths[:-1])]
    doublings = sum(9 * a * b + b + 2 * b for a, b in itertools.pairwise(sizes))
    return residual(latent) + doublings + 49 * widths[0] * outputs + outputs


@pytest.mark.parametrize("stretch_out", [True, False])
def test_paper_layers_have_the_parameters_of_the_layer_table(stretch_out):
    """Six layers from 256 to 8, five labels, fifteen atlas channels, five contrasts: counted by formula."""
    widths = doubling_widths(64, 5, 512)
    with torch.device("meta"):
        network = SamrGenerator(5, 15, 5, widths, 9, stretch_out=stretch_out)
    branches = 5 * way_up(1024, widths, 1) if stretch_out else way_up(1024, widths, 5)
    expected = encoder(5, widths) + encoder(15, widths) + 9 * residual(1024) + branches
    assert sum(p.numel() for p in network.parameters()) == expected
    assert len(network.branches) == (5 if stretch_out else 1)


def test_the_mask_encoder_has_six_layers_and_takes_256_to_8():
    """Kernel 7 and stride 1 first, stride 2 in the other five; the atlas encoder differs in its input alone."""
    network = SamrGenerator(5, 15, 5, (2,) * 6, 1)
    layers = [layer for layer in network.mask_encoder if isinstance(layer, torch.nn.Conv2d)]
    assert [(layer.kernel_size[0], layer.stride[0]) for layer in layers] == [(7, 1)] + [(3, 2)] * 5
    assert network.mask_encoder(torch.zeros(1, 5, 256, 256)).shape == (1, 2, 8, 8)
    shapes = [[tuple(p.shape) for p in e.parameters()] for e in (network.mask_encoder, network.atlas_encoder)]
    assert shapes[0][1:] == shapes[1][1:]
    assert (shapes[0][0][1], shapes[1][0][1]) == (5, 15)


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (2, (4, 5)), (3, (5, 8, 7))])
@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize(("atlas", "stretch_out"), [(2, True), (0, False)])
def test_any_grid_comes_back_and_every_parameter_learns(dims, grid, norm, upsampling, atlas, stretch_out):
    """Odd sizes are padded inside; gradients reach every weight, in every ablation."""
    torch.manual_seed(0)
    network = SamrGenerator(
        4, atlas, 3, WIDTHS, 1, dims=dims, norm=norm, upsampling=upsampling, stretch_out=stretch_out
    )
    made = network(torch.randn(2, 4 + atlas, *grid), torch.randn(2, 1, *grid))
    assert made.shape == (2, 3, *grid)
    made.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_samples_of_a_batch_do_not_mix_in_evaluation():
    """A slice's image doesn't depend on its neighbours in the batch."""
    network = small(norm="batch").eval()
    condition, noise = torch.randn(3, 6, 8, 8), torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(network(condition, noise)[1:2], network(condition[1:2], noise[1:2]))


def test_a_branch_is_one_contrasts_own_and_the_atlas_is_seen():
    """Changing a branch changes its contrast only; changing the condition's last channels changes the image."""
    network = small().eval()
    condition, noise = torch.randn(1, 6, 8, 8), torch.zeros(1, 1, 8, 8)
    before = network(condition, noise)
    with torch.no_grad():
        network.branches[1][-1].bias += 1
    torch.testing.assert_close(
        network(condition, noise) - before, torch.tensor([0.0, 1, 0]).view(1, 3, 1, 1) + 0 * before
    )
    other = condition.clone()
    other[:, 4:] += 1.0 + torch.randn(1, 2, 8, 8)
    assert not torch.allclose(network(other, noise), network(condition, noise))
