"""Promises of the encoder that learns to tell labels."""

import pytest
import torch
from torch.nn import functional

from glioforge.nn.perceptual import LabelEncoder, LabelReader


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (2, (1, 1)), (3, (5, 8, 7))])
def test_any_grid_comes_back_and_every_parameter_learns(dims, grid):
    """Logits on the image's grid."""
    torch.manual_seed(0)
    reader = LabelReader(7, (4, 6, 8), dims=dims)
    logits = reader(torch.randn(2, 1, *grid))
    assert logits.shape == (2, 7, *grid)
    logits.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in reader.parameters())


def test_features_halve_from_level_to_level_and_tell_brightness():
    """A brighter image has other features: nothing normalises it away."""
    torch.manual_seed(0)
    encoder = LabelEncoder((4, 6, 8), dims=2)
    image = torch.randn(1, 1, 16, 8)
    found = encoder(image)
    assert [tuple(f.shape) for f in found] == [(1, 4, 16, 8), (1, 6, 8, 4), (1, 8, 4, 2)]
    assert encoder.layers == ("level1", "level2", "level3")
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in zip(found, encoder(image + 1), strict=True))


def test_it_learns_to_tell_labels_by_brightness():
    """Two classes of two brightnesses, in sixty steps."""
    torch.manual_seed(0)
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[:, 4:12, 3:9] = 1
    image = (2.0 * labels - 1)[:, None] + 0.2 * torch.randn(2, 1, 16, 16)
    reader = LabelReader(2, (4, 8, 8), dims=2)
    optimizer = torch.optim.Adam(reader.parameters(), 1e-2)
    for _ in range(60):
        loss = functional.cross_entropy(reader(image), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((reader(image).argmax(1) == labels).float().mean()) > 0.98
