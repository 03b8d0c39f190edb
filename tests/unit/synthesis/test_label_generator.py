"""Tests of the passes of `synthesis.label_generator`, and a method by flow matching that is written from the parts."""

from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import SpecError
from glioforge.core.rng import stream
from glioforge.synthesis import EulerPasses, OnePass
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.synthesis.conditional import ConditionalMethod
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.supervised import Supervised
from toy_cohort import toy_cohort, toy_labels

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)


class Velocity(nn.Module):
    """Velocity by a few convolutions of condition, images and time."""

    def __init__(self, inputs, contrasts):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs + contrasts + 1, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, contrasts, 3, padding=1)
        )

    def forward(self, condition, images, time):
        """Velocity at a time."""
        clock = time.view(-1, 1, 1, 1).expand(-1, 1, *images.shape[2:])
        return self.layers(torch.cat([condition, images, clock], dim=1))


class ToyFlowSpec(ConditionalSpec):
    """Flow matching in a few steps."""

    kind: Literal["toy_flow"] = "toy_flow"
    calls: int = 4


class ToyFlow(ConditionalMethod):
    """Learns the straight way from noise to the scan (Lipman et al. 2023)."""

    varied = True

    @property
    def passes(self):
        """Several calls of the network."""
        return EulerPasses(self.contrasts, self.spec.calls)

    def build(self, inputs, contrasts):
        """The velocity."""
        return Velocity(inputs, contrasts)

    def recipe(self, network, steps):
        """Squared difference of velocities."""

        def call(network, batch):
            noise = torch.randn_like(batch["images"])
            time = torch.rand(len(noise))
            at = torch.lerp(noise, batch["images"], time.view(-1, 1, 1, 1))
            shown = network.condition(batch["labels"], batch["frame"], torch.zeros_like(noise))
            return network.generator(shown, at, time) - (batch["images"] - noise)

        return Supervised(network, lambda gap, _: gap.square().mean(), OptimizerSpec(), steps=steps, call=call)


def test_one_pass_is_one_call_and_euler_follows_a_velocity():
    """A constant velocity is followed exactly, however many steps; the time runs from 0 towards 1."""
    times = []

    class Constant(nn.Module):
        def forward(self, condition, images, time):
            times.append(float(time[0]))
            return condition - 1.0

    class Sum(nn.Module):
        def forward(self, condition, noise):
            return condition + noise

    noise, condition = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 3.0)
    assert torch.equal(EulerPasses(3, 4)(Constant(), condition, noise), torch.full_like(noise, 2.0))
    assert times == [0.0, 0.25, 0.5, 0.75]
    assert torch.equal(OnePass()(Sum(), condition, noise), condition)
    assert (OnePass().channels, EulerPasses(3, 4).channels) == (1, 3)


def test_a_method_of_many_passes_trains_makes_volumes_and_loads(tmp_path):
    """Noise has a channel per contrast; draws differ by it alone; weights are kept as for one pass."""
    SYNTHESIZERS.register(ToyFlowSpec)(ToyFlow)
    try:
        budget = {"steps": 60, "validate_every": 60, "checkpoint_every": 60}
        settings = {"style": False, "grain": 1.0, "batch_size": 2, "budget": budget, "calls": 3}
        spec = ToyFlowSpec.model_validate(settings)
        trained = train_synthesizer(
            toy_cohort([1, 2]), toy_cohort([9], "validation"), spec, tmp_path / "m", accelerator=PLAIN
        )
        losses = np.genfromtxt(tmp_path / "m" / "training" / "history.csv", delimiter=",", names=True)
        draws = [trained.synthesize(toy_labels(5), stream(seed)) for seed in (1, 2, 1)]
        first, second, again = (np.stack([v.voxels for v in images.values()]) for images in draws)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, second)
        assert np.isfinite(losses["loss"]).all()
        loaded = load_synthesizer(tmp_path / "m", PLAIN).synthesize(toy_labels(5), stream(1))
        assert np.array_equal(first, np.stack([v.voxels for v in loaded.values()]))
    finally:
        del SYNTHESIZERS._entries["toy_flow"]


class OneChannelSpec(ConditionalSpec):
    """A network that forgets the contrasts."""

    kind: Literal["one_channel"] = "one_channel"


class OneChannel(ConditionalMethod):
    """Gives one image whatever the number of contrasts."""

    def build(self, inputs, contrasts):
        """A convolution of condition and noise."""

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Conv2d(inputs + 1, 1, 3, padding=1)

            def forward(self, condition, noise):
                return self.layer(torch.cat([condition, noise], dim=1))

        return Network()

    def recipe(self, network, steps):
        """Squared difference, which would broadcast."""
        loss = lambda made, batch: (made - batch["images"]).square().mean()  # noqa: E731 - as short as it can be
        return Supervised(network, loss, OptimizerSpec(), steps=steps, call=self.generate)


def test_a_network_with_too_few_images_is_refused_before_it_trains(tmp_path):
    """One image for several contrasts would be broadcast, in the loss and in what is made."""
    SYNTHESIZERS.register(OneChannelSpec)(OneChannel)
    try:
        spec = OneChannelSpec.model_validate({"budget": {"steps": 2, "validate_every": 2, "checkpoint_every": 2}})
        with pytest.raises(SpecError, match=r"a network whose images have the shape \(\d+, 1, "):
            train_synthesizer(toy_cohort([1, 2]), toy_cohort([9], "v"), spec, tmp_path / "m", accelerator=PLAIN)
    finally:
        del SYNTHESIZERS._entries["one_channel"]
