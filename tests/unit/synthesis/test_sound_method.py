"""Promises of Glioforge's own synthesizer that the laws over all synthesizers don't hold."""

import numpy as np
import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.sound import Sound, class_boundary
from toy_cohort import toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
TINY = {"kind": "sound", "widths": (2, 4), "critic_width": 2, "critic_layers": 2, "batch_size": 2}


def knowledge(contrasts):
    """Of two toy subjects."""
    return Knowledge(contrasts, COMPLETE, Appearance.of([toy_case(1), toy_case(2)], contrasts, COMPLETE))


def test_boundaries_lie_on_both_sides_of_a_change():
    """In two and three dimensions, diagonals included; a uniform map has none."""
    labels = torch.zeros(1, 5, 5, dtype=torch.int64)
    labels[0, 4, 4] = 3
    assert class_boundary(labels)[0].nonzero().tolist() == [[3, 3], [3, 4], [4, 3], [4, 4]]
    volume = torch.zeros(1, 3, 3, 4, dtype=torch.int64)
    volume[..., 2:] = 1
    assert class_boundary(volume).all(dim=1).all(dim=1)[0].tolist() == [False, True, True, False]
    assert not class_boundary(torch.ones(2, 4, 4, dtype=torch.int64)).any()


def test_losses_are_the_stated_ones_and_the_critic_joins_late(tmp_path):
    """Before eight tenths of the steps only differences count; the boundary's may be switched off."""
    budget = {"steps": 10, "validate_every": 1, "checkpoint_every": 10}
    for boundary in (5.0, 0.0):
        spec = SYNTHESIZERS.parse({**TINY, "boundary": boundary, "budget": budget})
        folder = tmp_path / str(boundary)
        train_synthesizer(toy_cohort([1, 2]), None, spec, folder, seed=1, accelerator=PLAIN)
        rows = (folder / "training" / "history.csv").read_text().splitlines()
        names = rows[0].split(",")
        first, last = (dict(zip(names, row.split(","), strict=True)) for row in (rows[8], rows[10]))
        assert ("boundary" in names) == (boundary > 0)
        assert float(first["l1"]) > 0
        assert not first["critic"]
        assert float(last["critic"]) > 0


def test_volumes_preset_learns_in_three_dimensions(tmp_path):
    """Patches in, whole volumes out."""
    spec = SYNTHESIZERS.parse(
        {**TINY, "preset": "volumes", "size": (16, 16, 8), "budget": {"steps": 2, "checkpoint_every": 2}}
    )
    trained = train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path, seed=1, accelerator=PLAIN)
    labels = toy_case(5).labels
    made = trained.synthesize(labels, stream(3))
    assert all(volume.voxels[labels.voxels > 0].std() > 0 for volume in made.values())


def test_noise_belongs_to_the_draw():
    """The same style with other noise gives another image once strengths are learned."""
    method = Sound(SYNTHESIZERS.parse({**TINY, "grain": 0.0, "style": False}), knowledge((Modality.T1,)))
    with torch.no_grad():
        for name, parameter in method.network.named_parameters():
            if "strength" in name:
                parameter.fill_(1.0)
    labels = toy_case(5).labels
    first, second, again = (method.images(labels, stream(seed), PLAIN) for seed in (1, 2, 1))
    assert method.varied
    assert not np.array_equal(first, second)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("preset", ["sound", "large", "volumes"])
def test_every_parameter_gets_a_gradient(preset):
    """Each weight has a part in the image."""
    torch.manual_seed(0)
    spec = SYNTHESIZERS.parse({**TINY, "preset": preset})
    grid = (12, 10) if spec.dims == 2 else (8, 8, 6)
    planes = 2 * spec.context + 1 if spec.dims == 2 else 1
    network = Sound(spec, knowledge((Modality.T1, Modality.FLAIR))).network
    made = network(
        torch.randint(0, 7, (2, planes, *grid)), torch.ones(2, 6), torch.randn(2, 7, 2), torch.randn(2, 1, *grid)
    )
    made.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []


def test_an_ensemble_draws_from_the_networks_of_the_last_validations(tmp_path):
    """Its members differ, are kept with the weights, and each is drawn."""
    budget = {"steps": 6, "validate_every": 2, "checkpoint_every": 6}
    values = {**TINY, "ensemble": 3, "budget": budget, "grain": 0.0, "style": False, "noise": False}
    values |= {"moved": False}
    spec = SYNTHESIZERS.parse(values)
    trained = train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path, seed=1, accelerator=PLAIN)
    loaded = load_synthesizer(tmp_path, PLAIN)
    labels = toy_case(5).labels
    images = [loaded.synthesize(labels, stream(seed))[trained.modalities[0]].voxels.tobytes() for seed in range(24)]
    assert len(set(images)) == 3
    assert trained.varied
    single = SYNTHESIZERS.parse({**values, "ensemble": 1})
    alone = train_synthesizer(toy_cohort([1, 2]), None, single, tmp_path / "one", seed=1, accelerator=PLAIN)
    assert alone.synthesize(labels, stream(0))[trained.modalities[0]].voxels.tobytes() in images


def test_an_ensemble_larger_than_its_validations_repeats_the_oldest(tmp_path):
    """One validation serves two members."""
    budget = {"steps": 2, "validate_every": 2, "checkpoint_every": 2}
    spec = SYNTHESIZERS.parse({**TINY, "ensemble": 2, "budget": budget})
    trained = train_synthesizer(toy_cohort([1, 2]), None, spec, tmp_path, seed=1, accelerator=PLAIN)
    assert trained.spec.ensemble == 2
    assert trained.synthesize(toy_case(5).labels, stream(0))
