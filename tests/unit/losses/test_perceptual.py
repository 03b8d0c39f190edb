"""Promises of the perceptual loss."""

import pytest
import torch
from torch import nn

from glioforge.losses.perceptual import perceptual_l1
from glioforge.nn.perceptual import LabelEncoder


class Seen(nn.Module):
    """Gives the image and its triple as features, and notes the shapes it sees."""

    layers = ("once", "thrice")

    def __init__(self, dims):
        super().__init__()
        self.dims, self.shapes = dims, []

    def forward(self, image):
        """Note the shape."""
        self.shapes.append(tuple(image.shape))
        return [image, 3 * image]


def test_mean_absolute_difference_of_each_layer():
    """By hand, over all contrasts."""
    fake, real = torch.zeros(2, 2, 3, 3), torch.zeros(2, 2, 3, 3)
    real[:, 1] = 2.0
    losses = perceptual_l1(Seen(2), fake, real)
    assert {name: float(loss) for name, loss in losses.items()} == {"once": 1.0, "thrice": 3.0}


@pytest.mark.parametrize(
    ("dims", "grid", "expected"),
    [(2, (5, 4), (6, 1, 5, 4)), (2, (5, 4, 3), (18, 1, 5, 4)), (3, (5, 4, 3), (6, 1, 5, 4, 3))],
)
def test_contrasts_are_looked_at_one_by_one_and_volumes_slice_by_slice(dims, grid, expected):
    """What the network of features is given."""
    network = Seen(dims)
    perceptual_l1(network, torch.randn(2, 3, *grid), torch.randn(2, 3, *grid))
    assert network.shapes == [expected] * 2


def test_slices_of_a_volume_are_its_own():
    """The first sample is the first slice of the first contrast."""
    volume = torch.randn(1, 1, 4, 3, 2)
    network = Seen(2)
    kept = []
    network.register_forward_hook(lambda _module, inputs, _output: kept.append(inputs[0]))
    perceptual_l1(network, volume, volume)
    assert torch.equal(kept[0][1, 0], volume[0, 0, :, :, 1])


def test_gradients_flow_into_the_made_image_alone():
    """The real image is a fixed aim, and equal images cost nothing."""
    network = LabelEncoder((4, 4), dims=2).requires_grad_(False)
    fake, real = (torch.randn(2, 2, 8, 8, requires_grad=True) for _ in range(2))
    sum(perceptual_l1(network, fake, real).values()).backward()
    assert fake.grad.any()
    assert real.grad is None
    assert not any(float(loss) for loss in perceptual_l1(network, real.detach(), real.detach()).values())
