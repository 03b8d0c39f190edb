"""The critics that the presets `paper` build, layer by layer."""

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.nn.blocks import InstanceNorm
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.synthesis.method import Knowledge


def critic_of(kind, name="critic"):
    """A preset's critic for seven labels and one contrast, without memory."""
    with torch.device("meta"):
        spec = SYNTHESIZERS.parse({"kind": kind, "preset": "paper"})
        table = np.zeros((1, 7, 1))
        method = SYNTHESIZERS.part_for(spec)(spec, Knowledge((Modality.T1CE,), COMPLETE, Appearance(table, table)))
        return method.recipe(method.network, 10).networks[name]


@pytest.mark.parametrize(
    ("kind", "name", "critics", "padding", "spectral", "affine"),
    [
        ("spade", "critic", 2, 2, True, False),
        ("pix2pixhd", "critic", 4, 2, False, False),
        ("augmentation_net", "t1ce_critic", 1, 1, False, True),
    ],
)
def test_critics_of_the_papers(kind, name, critics, padding, spectral, affine):
    """C64-C128-C256-C512 and a score; SPADE has two with spectral norm, pix2pixHD three in each of its two stages."""
    critic = critic_of(kind, name)
    assert len(critic.critics) == critics
    for one in critic.critics:
        layers = [layer for layer in one.modules() if isinstance(layer, torch.nn.Conv2d)]
        described = [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0]) for c in layers]
        widths = [(8, 64, 2), (64, 128, 2), (128, 256, 2), (256, 512, 1), (512, 1, 1)]
        assert described == [(a, b, 4, stride, padding) for a, b, stride in widths]
        assert [parametrize.is_parametrized(c) for c in layers] == [False, *[spectral] * 3, False]
        norms = [layer for layer in one.modules() if isinstance(layer, InstanceNorm)]
        assert [layer.weight is not None for layer in norms] == [affine] * 3
    assert critic.scales == min(critics, 3)
