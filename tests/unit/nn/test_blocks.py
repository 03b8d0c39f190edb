"""Promises of the residual block."""

import pytest
import torch

from glioforge.nn.blocks import ResidualBlock


@pytest.mark.parametrize(("dims", "grid"), [(2, (5, 6)), (3, (3, 4, 5)), (2, (1, 1))])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_the_grid_stays_and_every_parameter_learns(dims, grid, norm):
    """Odd grids and single voxels too."""
    torch.manual_seed(0)
    block = ResidualBlock(3, dims=dims, norm=norm)
    made = block(torch.randn(2, 3, *grid))
    assert made.shape == (2, 3, *grid)
    made.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in block.parameters())


def test_with_weights_of_zero_it_changes_nothing():
    """The way around is the identity, negative values included."""
    block = ResidualBlock(2, norm="none")
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    x = torch.randn(1, 2, 4, 4)
    assert torch.equal(block(x), x)
