"""Promises of the cascade of regions."""

import torch
from torch import nn

from glioforge.segmentation.methods.cascade.regions import Cascade, nested_to_classes


class Brighter(nn.Module):
    """Stands in for a network: sure wherever the image exceeds a threshold; notes what it was shown."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold, self.shown = threshold, []

    def forward(self, volume):
        """Probabilities of not brighter and brighter."""
        self.shown.append(tuple(volume.shape))
        bright = (volume[:, 0] > self.threshold).float()
        return torch.stack([1 - bright, bright], dim=1)


def volumes():
    """Two volumes: one with a bright cube in a darker one, and a bright voxel away from it; one dark."""
    both = torch.zeros(2, 1, 24, 24, 24)
    both[0, 0, 8:14, 8:14, 8:14] = 1
    both[0, 0, 10:12, 10:12, 10:12] = 3
    both[0, 0, 10, 10, 10] = 5
    return both


def test_each_region_is_looked_for_in_the_box_of_the_one_before():
    """The box and five voxels about it, for samples where there is one."""
    stages = [Brighter(0.5), Brighter(2), Brighter(4)]
    logits = Cascade(stages).eval()(volumes())
    assert [stage.shown for stage in stages] == [
        [(1, 1, 24, 24, 24), (1, 1, 24, 24, 24)],
        [(1, 1, 16, 16, 16)],
        [(1, 1, 12, 12, 12)],
    ]
    assert (logits > 0).sum(dim=(2, 3, 4)).tolist() == [[216, 8, 1], [0, 0, 0]]


def test_a_region_is_confined_to_the_one_before():
    """What the second network finds outside the first's mask is dropped."""
    logits = Cascade([Brighter(2), Brighter(0.5)]).eval()(volumes())
    assert (logits > 0).sum(dim=(2, 3, 4)).tolist() == [[8, 8], [0, 0]]


def test_in_training_every_network_sees_the_whole_volume_and_learns():
    """No box, no mask, a gradient for all."""
    stages = [nn.Sequential(nn.Conv3d(1, 2, 1), nn.Softmax(dim=1)) for _ in range(3)]
    Cascade(stages)(volumes()).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for stage in stages for p in stage.parameters())


def test_regions_become_classes_whose_probabilities_sum_to_one():
    """Background, core, oedema, enhancing."""
    classes = nested_to_classes(torch.randn(2, 3, 4, 4, 4))
    torch.testing.assert_close(classes.exp().sum(dim=1), torch.ones(2, 4, 4, 4))
    sure = torch.tensor([[-9.0, 9, 9], [9, 9, -9], [9, -9, 9], [9, 9, 9]]).view(4, 3, 1)
    assert nested_to_classes(sure).argmax(dim=1).flatten().tolist() == [0, 1, 2, 3]
