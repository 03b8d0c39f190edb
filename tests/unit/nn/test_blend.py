"""Tests of the generator that adds to blends of slices."""

import torch

from glioforge.nn.blend import BlendGenerator
from glioforge.nn.modes import Modes


def test_an_untrained_generator_makes_the_blends_and_every_number_of_noise_may_change_what_is_added():
    """What is added begins at 0; once it weighs, scores, latent numbers, every plane of noise and findings matter."""
    torch.manual_seed(1)
    prior = Modes(2, 3, 1, 16)
    prior.axes.normal_()
    network = BlendGenerator(prior, 5, 1, 4, 16, findings=1).eval()
    noise, findings = torch.randn(6, network.noise), torch.ones(6, 1)
    assert network.noise == 1 + 3 + 5 + 8**2 + 16**2
    assert torch.equal(network(noise, findings), prior(noise))
    torch.nn.init.ones_(network.added.weight)
    wrong = []
    for place in (4, 8, 9, 9 + 64, network.noise - 1):
        other = noise.clone()
        other[:, place] += 1
        wrong += [place] if torch.equal(network(other, findings), network(noise, findings)) else []
    assert not wrong
    assert not torch.equal(network(noise, 0 * findings), network(noise, findings))
