"""Promises of the residual generator with noise."""

import pytest
import torch

from glioforge.nn.residual_generator import NoisyBlock, ResidualGenerator


def generator(**changes):
    """A small one with fixed weights."""
    torch.manual_seed(0)
    return ResidualGenerator(5, 2, (4, 8, 8), **{"norm": "instance", **changes})


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 16)), (2, (1, 5)), (3, (9, 8, 5))])
def test_any_grid_and_every_parameter_has_a_part(dims, grid):
    """Odd sizes in two and three dimensions; noise strengths start at 0 and learn."""
    network = generator(dims=dims)
    made = network(torch.randn(2, 5, *grid), torch.randn(2, 1, *grid))
    assert made.shape == (2, 2, *grid)
    made.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_noise_changes_nothing_until_its_strength_is_learned():
    """Then differing noise gives differing images; without noise it is left alone."""
    condition, first, second = torch.randn(1, 5, 16, 16), torch.randn(1, 1, 16, 16), torch.randn(1, 1, 16, 16)
    network = generator().eval()
    assert torch.equal(network(condition, first), network(condition, second))
    for block in network.modules():
        if isinstance(block, NoisyBlock) and block.strength is not None:
            torch.nn.init.ones_(block.strength)
    assert not torch.allclose(network(condition, first), network(condition, second))
    plain = generator(noise=False).eval()
    assert torch.equal(plain(condition, first), plain(condition, second))


def test_samples_of_a_batch_do_not_mix():
    """A sample alone gives what it gives among others."""
    network = generator().eval()
    condition, noise = torch.randn(3, 5, 12, 12), torch.randn(3, 1, 12, 12)
    together = network(condition, noise)
    torch.testing.assert_close(network(condition[1:2], noise[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


def test_parameters_are_counted():
    """Blocks of two convolutions, shortcuts of kernel 1, norms, noise strengths, widening convolutions."""

    def block(inputs, outputs, noise):
        shortcut = inputs * outputs + outputs if inputs != outputs else 0
        return 9 * outputs * (inputs + outputs) + 4 * outputs + shortcut + 2 * outputs * noise

    expected = block(5, 4, 0) + block(4, 8, 0) + block(8, 8, 0)
    expected += (9 * 8 * 8 + 8) + block(16, 8, 1) + (9 * 8 * 4 + 4) + block(8, 4, 1)
    expected += 9 * 4 * 2 + 2
    assert sum(p.numel() for p in generator().parameters()) == expected
