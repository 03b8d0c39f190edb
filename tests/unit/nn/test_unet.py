"""Promises of the U-Net."""

import pytest
import torch

from glioforge.nn.unet import UNet


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (3, (5, 8, 7)), (2, (4, 4))])
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_output_lies_on_the_input_grid_and_every_parameter_learns(dims, grid, norm, upsampling):
    """Odd sizes come back as they were, and no parameter is left without a gradient."""
    network = UNet(2, 3, (4, 6, 8), dims, norm, upsampling=upsampling, activation="leaky_relu")
    out = network(torch.randn(2, 2, *grid))
    assert out.shape == (2, 3, *grid)
    out.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_samples_of_a_batch_do_not_mix():
    """In evaluation a slice's logits don't depend on its neighbours in the batch."""
    torch.manual_seed(0)
    network = UNet(1, 2, (4, 8), 2, "batch").eval()
    batch = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(network(batch)[1:2], network(batch[1:2]))


def test_foroozandeh_widths_have_the_parameters_of_the_layer_table():
    """Widths 64-512, one bridge convolution of 1024: counted by hand from the table."""
    widths = (64, 128, 256, 512, 1024)
    network = UNet(4, 7, widths, 2, "batch", bridge_convolutions=1)

    def unit(a: int, b: int) -> int:
        return 9 * a * b + 2 * b

    down = sum(unit(a, b) + unit(b, b) for a, b in zip((4, 64, 128, 256), widths[:4], strict=True))
    up = sum(
        9 * a * b + b + 2 * b + unit(2 * b, b) + unit(b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
    )
    expected = down + unit(512, 1024) + up + 64 * 7 + 7
    assert sum(p.numel() for p in network.parameters()) == expected


def test_dropout_only_acts_in_training():
    """Evaluation is deterministic, training is not."""
    torch.manual_seed(0)
    network = UNet(1, 1, (4, 8), dropout=0.5)
    x = torch.randn(1, 1, 8, 8)
    network.eval()
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))
