"""Promises of the SPADE synthesizer that the laws over all synthesizers don't hold."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.protocols import Silent
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, train_synthesizer
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.spade import SpadeMethod
from toy_cohort import toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
TINY = {"kind": "spade", "ngf": 2, "hidden": 4, "critic_width": 2, "critic_layers": 2, "batch_size": 2}


def knowledge(contrasts):
    """Of two toy subjects."""
    return Knowledge(contrasts, COMPLETE, Appearance.of([toy_case(1), toy_case(2)], contrasts, COMPLETE))


def test_paper_preset_is_the_paper():
    """Widths, norms, losses and rates of the text, one contrast, no style, no noise."""
    spec = SYNTHESIZERS.parse({"kind": "spade", "preset": "paper"})
    assert (spec.ngf, spec.hidden, spec.norm, spec.spectral, spec.output) == (64, 128, "batch", True, "tanh")
    assert [(w * spec.ngf, up) for w, up in spec.stages] == [
        (1024, False),
        (1024, True),
        (1024, False),
        (512, True),
        (256, True),
        (128, True),
        (64, True),
    ]
    assert (spec.critic_width, spec.critic_layers, spec.critic_scales) == (64, 4, 2)
    losses = spec.losses
    assert (losses.adversary, losses.feature_matching, losses.l1, losses.ema) == ("hinge", 10, 0, None)
    rates = [(p.method, p.learning_rate, p.momentum, p.second_momentum) for p in (losses.generator, losses.critic)]
    assert rates == [("adam", 1e-4, 0.0, 0.9), ("adam", 4e-4, 0.0, 0.9)]
    assert (spec.batch_size, spec.gain, spec.modalities) == (1, 0.02, (Modality.T1CE,))
    assert not (spec.style)
    assert not (spec.position)
    assert not (spec.noise)
    assert not (spec.context)
    assert not (spec.grain)
    assert not (spec.mirror)
    assert (spec.masked, spec.lesion_share) == (False, 0)


@pytest.mark.parametrize("preset", ["paper", "sound"])
def test_every_parameter_gets_a_gradient(preset):
    """Each weight has a part in the image, but noise strengths only where noise is not 0."""
    torch.manual_seed(0)
    spec = SYNTHESIZERS.parse({**TINY, "preset": preset, "modalities": None})
    network = SpadeMethod(spec, knowledge((Modality.T1, Modality.FLAIR))).network
    planes = 2 * spec.context + 1
    made = network(
        torch.randint(0, 7, (2, planes, 20, 18)), torch.ones(2, 5), torch.randn(2, 7, 2), torch.randn(2, 1, 20, 18)
    )
    made.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []


def test_style_decides_how_bright_a_class_is():
    """The same map under two styles: the brighter style gives the brighter class."""
    spec = SYNTHESIZERS.parse(TINY)
    network = SpadeMethod(spec, knowledge((Modality.T1,))).network.eval()
    labels, frame, noise = torch.full((1, 3, 8, 8), 4), torch.ones(1, 5), torch.zeros(1, 1, 8, 8)
    dark, bright = torch.zeros(1, 7, 1), torch.zeros(1, 7, 1)
    bright[:, 4] = 2.0
    with torch.no_grad():
        assert network(labels, frame, bright, noise).mean() > network(labels, frame, dark, noise).mean() + 1


def test_interrupted_training_ends_with_the_same_weights(tmp_path):
    """Two players, averages and checkpoints: the same bytes as an undisturbed run."""
    spec = SYNTHESIZERS.parse(
        {**TINY, "select": True, "budget": {"steps": 6, "validate_every": 2, "checkpoint_every": 2}}
    )
    arguments = (toy_cohort([1, 2]), toy_cohort([9], "validation"), spec)
    whole = train_synthesizer(*arguments, tmp_path / "a", seed=1, accelerator=PLAIN)

    class Stopping(Silent):
        def track(self, items, title, total=None):
            for number in items:
                if number == 5:
                    raise KeyboardInterrupt
                yield number

    with pytest.raises(KeyboardInterrupt):
        train_synthesizer(*arguments, tmp_path / "b", seed=1, accelerator=PLAIN, progress=Stopping())
    resumed = train_synthesizer(*arguments, tmp_path / "b", seed=1, accelerator=PLAIN)
    assert resumed.weights_hash == whole.weights_hash
    assert whole.card.outcome.best_score < 0
    assert whole.card.outcome.steps == 6


@pytest.mark.parametrize("size", [None, (16, 16, 8)])
def test_volumes_are_learned_and_made_in_three_dimensions(tmp_path, size):
    """Training on whole volumes or patches, with the place in the head; same state, same bytes."""
    budget = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
    values = {**TINY, "dims": 3, "size": size, "position": True, "stages": ((2, False), (1, True)), "budget": budget}
    spec = SYNTHESIZERS.parse({**values, "critic_scales": 1})
    trained = train_synthesizer(
        toy_cohort([1, 2]), toy_cohort([9], "validation"), spec, tmp_path, seed=1, accelerator=PLAIN
    )
    labels = toy_case(5).labels
    first, again = (trained.synthesize(labels, stream(3)) for _ in range(2))
    for modality, volume in first.items():
        assert volume.voxels.shape == labels.voxels.shape
        assert np.array_equal(volume.voxels, again[modality].voxels)
        assert volume.voxels[labels.voxels > 0].std() > 0


def test_size_must_fit_the_dimensions():
    """Two numbers for slices, three for patches."""
    with pytest.raises(ValidationError, match=r"size \(8, 8\) has 2 numbers, expected 3, one a dimension"):
        SYNTHESIZERS.parse({**TINY, "dims": 3, "size": [8, 8]})
