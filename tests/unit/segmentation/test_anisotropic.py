"""Promises of the anisotropic networks."""

import itertools

import pytest
import torch

from glioforge.segmentation.methods.cascade.anisotropic import (
    ENET,
    WNET,
    AnisotropicNet,
    MultiView,
    receptive_field,
    turn,
    turn_back,
)

ORDERS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Axial, coronal, sagittal."""


@pytest.mark.parametrize("levels", [WNET, ENET])
@pytest.mark.parametrize("grid", [(13, 9), (8, 12), (1, 3)])
def test_logits_of_the_middle_slices_and_a_gradient_for_every_parameter(levels, grid):
    """Odd slices come back as they were, eight slices fewer, from the network and from each of three levels."""
    network = AnisotropicNet(2, 3, 4, levels, judged=True)
    final, early = network(torch.randn(2, 2, *grid, 11))

    assert {tuple(logits.shape) for logits in (final, *early)} == {(2, 3, *grid, 3)}
    (final.square().sum() + sum(logits.square().sum() for logits in early)).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def prediction(channels, steps):
    """Parameters of one prediction: convolutions of 3 x 3 x 1, transposed or not, each with norm and slope."""
    sizes = [32, *[channels] * steps]
    return sum(9 * a * b + 3 * b for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize(("levels", "steps"), [(WNET, (1, 2, 2)), (ENET, (1, 1, 1))])
def test_parameters_are_those_of_the_layer_table(levels, steps):
    """Twenty convolutions in blocks, each after norm and slope; four across, halvings, predictions, their join."""
    network = AnisotropicNet(4, 2, 32, levels)
    halvings = sum(level.halves for level in levels)
    within = 9 * 32 * (4 + 19 * 32) + 3 * (4 + 19 * 32)
    across = 4 * (3 * 32 * 32 + 3 * 32)
    halving = halvings * (9 * 32 * 32 + 3 * 32)
    predictions = sum(prediction(channels, count) for channels, count in zip((2, 4, 8), steps, strict=True))
    join = 9 * 14 * 2 + 2

    assert sum(p.numel() for p in network.parameters()) == within + across + halving + predictions + join
    assert sum(sum(level.dilations) > 0 and len(level.dilations) for level in levels) == 10


def test_a_block_normalises_before_it_convolves():
    """Norm, PReLU, convolution, twice: a block whose convolutions are 0 hands its input on as it is."""
    block = AnisotropicNet(4, 2, 8, WNET).levels[0][1]
    kinds = [type(layer).__name__ for layer in block.convolutions]
    x = torch.randn(1, 8, 5, 5, 5)
    with torch.no_grad():
        block.convolutions[-1].weight.zero_()

    assert kinds == ["BatchNorm3d", "PReLU", "Conv3d"] * 2
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(("levels", "transposed"), [(WNET, [1, 2, 2]), (ENET, [0, 1, 1])])
def test_predictions_are_enlarged_by_learned_convolutions(levels, transposed):
    """One of stride 2 for each halving of the level."""
    network = AnisotropicNet(4, 2, 8, levels)
    found = [sum(isinstance(m, torch.nn.ConvTranspose3d) for m in head.modules()) for head in network.predict]

    assert found == transposed
    assert network.join.in_channels == 14


def test_receptive_fields_are_those_of_the_paper():
    """Section 2.2: 217 x 217 for WNet and TNet, 113 x 113 for ENet, 9 across slices."""
    assert receptive_field(WNET) == (217, 9)
    assert receptive_field(ENET) == (113, 9)


def test_a_slice_sees_four_neighbours_on_either_side_and_no_more():
    """The gradient of one output slice ends four slices away."""
    torch.manual_seed(0)
    network = AnisotropicNet(1, 2, 4, ENET).eval()
    stack = torch.randn(1, 1, 8, 8, 19, requires_grad=True)
    network(stack)[0][..., 5].sum().backward()
    seen = stack.grad.abs().amax(dim=(0, 1, 2, 3)).nonzero().flatten()
    assert (int(seen.min()), int(seen.max())) == (5, 13)


@pytest.mark.parametrize("order", ORDERS)
def test_a_view_turns_and_turns_back(order):
    """The stack's last axis is the view's own; turning back restores the volume."""
    volume = torch.arange(24.0).view(1, 1, 2, 3, 4)
    stack = turn(volume, order)
    assert tuple(stack.shape[2:]) == tuple((2, 3, 4)[axis] for axis in order)
    assert torch.equal(turn_back(stack, order), volume)


def test_views_are_averaged_and_stacks_do_not_matter():
    """Probabilities on the volume's grid; slab by slab or all at once."""
    torch.manual_seed(0)
    fused = MultiView([AnisotropicNet(1, 2, 4, ENET) for _ in ORDERS], ORDERS).eval()
    volume = torch.randn(1, 1, 7, 9, 6)
    with torch.no_grad():
        whole = fused(volume)
        torch.testing.assert_close(fused(volume, slices=2), whole)
        single = [MultiView([net], [order])(volume) for net, order in zip(fused.networks, ORDERS, strict=True)]
    torch.testing.assert_close(whole.sum(dim=1), torch.ones(1, 7, 9, 6))
    torch.testing.assert_close(torch.stack(single).mean(dim=0), whole)
