"""Promises of the score on held-out subjects."""

import pytest
import torch
from torch import nn

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.synthesis.conditional import unseen_score

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


class Painter(nn.Module):
    """Gives the images that it was handed."""

    def __init__(self, images):
        super().__init__()
        self.images = nn.Parameter(images)

    def forward(self, labels, frame, means, noise):
        """Whatever the labels."""
        return 1 * self.images


def batch(**more):
    """Two contrasts of noise in a square brain."""
    brain = torch.zeros(1, 12, 12, dtype=torch.bool)
    brain[:, 3:9, 3:9] = True
    images = torch.randn((1, 2, 12, 12), generator=torch.Generator().manual_seed(1)) * brain[:, None]
    fixed = {"labels": brain[:, None].long(), "frame": torch.ones(1, 5), "case": torch.zeros(1, dtype=torch.int64)}
    return {"images": images, "brain": brain, **fixed, **more}


def scored(images, held):
    """Score of a painter."""
    return unseen_score(lambda number: held, torch.zeros(1, 2, 2), PLAIN)(Painter(images))


def test_paint_outside_the_brain_does_not_count():
    """It is cut off before the blur carries it inwards."""
    held = batch()
    outside = held["images"] + 5.0 * ~held["brain"][:, None]
    assert scored(outside, held) == 0
    assert scored(held["images"] + 1.0, held) < -0.5


def test_contrasts_that_a_case_lacks_do_not_count():
    """Whatever is painted for them."""
    held = batch(available=torch.tensor([[True, False]]))
    held["images"][:, 1] = 0
    painted = held["images"].clone()
    painted[:, 1] = 3.0
    assert scored(painted, held) == pytest.approx(0)
