"""Promises of the cascaded refinement generator."""

import pytest
import torch
from torch.nn import functional

from glioforge.synthesis.methods.augmentation_net.refinement import (
    RefinementBlock,
    RefinementGenerator,
    doubled,
    doublings_for,
    refinement_widths,
)


def small(**changes):
    """A small generator that takes noise."""
    torch.manual_seed(0)
    return RefinementGenerator(3, 2, (8, 6, 4), **{"noise": True, **changes})


def test_paper_widths_have_the_parameters_of_the_layer_table():
    """Eight labels of the brain map, one contrast, 4 x 4 to 256 x 256: counted by the module's table."""
    widths = refinement_widths(doublings_for((256, 256)))
    with torch.device("meta"):
        network = RefinementGenerator(8, 1, widths)

    def block(inputs, width):
        return 9 * inputs * width + 9 * width**2 + inputs * width + 4 * width

    expected = block(8, 1024) + 4 * block(1032, 1024) + block(1032, 512) + block(520, 512) + 512 + 1
    assert sum(p.numel() for p in network.parameters()) == expected == 102_228_481
    assert network.multiple * 4 == 256
    assert [c.conv_in.in_channels for c in network.components] == [8, 1032, 1032, 1032, 1032, 1032, 520]


def test_width_multiplier_and_doublings_follow_what_is_asked():
    """Narrow networks keep at least four channels; grids of four voxels have one component."""
    assert refinement_widths(4, 1 / 64) == (16, 16, 16, 8, 8)
    assert refinement_widths(1, 0.001) == (4, 4)
    assert refinement_widths(0) == (512,)
    assert [doublings_for((n, 1)) for n in (1, 4, 5, 8, 9, 257)] == [0, 0, 1, 1, 2, 7]


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (2, (1, 1)), (3, (5, 8, 7))])
def test_any_grid_comes_back_and_every_parameter_learns(dims, grid):
    """Odd sizes are padded inside; gradients reach every weight."""
    network = small(dims=dims)
    made = network(torch.randn(2, 3, *grid), torch.randn(2, 1, *grid))
    assert made.shape == (2, 2, *grid)
    made.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_samples_of_a_batch_do_not_mix():
    """Layer norm looks at one sample; training and evaluation agree."""
    network = small()
    condition, noise = torch.randn(3, 3, 8, 8), torch.randn(3, 1, 8, 8)
    whole = network(condition, noise)
    torch.testing.assert_close(whole[1:2], network.eval()(condition[1:2], noise[1:2]))


@pytest.mark.parametrize(("shape", "mode"), [((2, 3, 5, 1), "bilinear"), ((1, 2, 4, 3, 2), "trilinear")])
def test_doubling_is_torch_s_interpolation_without_aligned_corners(shape, mode):
    """Also for axes of one voxel."""
    x = torch.randn(shape, dtype=torch.float64)
    expected = functional.interpolate(x, scale_factor=2, mode=mode, align_corners=False)
    torch.testing.assert_close(doubled(x), expected)


def test_block_normalises_over_channels_and_grid():
    """A residual branch of layer-normed convolutions: by hand, from the module's description."""
    torch.manual_seed(0)
    block = RefinementBlock(2, 3, dims=2)
    x = torch.randn(2, 2, 5, 4)

    def normed(y):
        mean, variance = y.mean((1, 2, 3), keepdim=True), y.var((1, 2, 3), unbiased=False, keepdim=True)
        return (y - mean) / (variance + 1e-5).sqrt()

    inner = functional.leaky_relu(normed(block.conv_in(x)), 0.2)
    expected = functional.leaky_relu(block.shortcut(x) + normed(block.conv_out(inner)), 0.2)
    torch.testing.assert_close(block(x), expected)


def test_first_component_sees_the_label_map_averaged_to_its_grid():
    """Half of a coarse voxel's labels give half a label."""
    network = small(noise=False)
    seen = []
    network.components[0].register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    condition = torch.zeros(1, 3, 8, 8)
    condition[:, 0, :2] = 1
    network(condition)
    assert seen[0].shape == (1, 3, 2, 2)
    assert seen[0][0, 0].tolist() == [[0.5, 0.5], [0.0, 0.0]]


def test_noise_is_heard_where_it_was_asked_for():
    """And not missed where it was not."""
    condition, noise = torch.randn(1, 3, 8, 8), torch.randn(1, 1, 8, 8)
    assert not torch.equal(small()(condition, noise), small()(condition, -noise))
    silent = small(noise=False)
    assert torch.equal(silent(condition, noise), silent(condition))
