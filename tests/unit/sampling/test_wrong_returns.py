"""What a sampler's own file returns is checked before it becomes a case; samplers without weights are measured."""

from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from fixtures_samplers import PLAIN
from glioforge.core import LabelMap, OutputError, SpecError, stream
from glioforge.sampling import SAMPLERS, Sampler, SamplerSpec, SliceSampler, SliceSpec, sample_cohort, train_sampler
from toy_cohort import toy_cohort


class MeanSliceSpec(SliceSpec):
    """The mean slice."""

    kind: Literal["mean_slice"] = "mean_slice"
    size: Literal[32] = 32


class MeanSlice(SliceSampler):
    """A network without parameters."""

    def build(self):
        """One buffer."""
        network = nn.Module()
        network.register_buffer("mean", torch.zeros(len(self.knowledge.modalities), 32, 32))
        return network

    def before_training(self, network, cohort):
        """Fill it."""
        network.mean.copy_(self.slices(cohort).images.float().mean(dim=0))

    def make(self, rng, accelerator):
        """Draw it with noise."""
        return self.volumes(self.network.mean.numpy() + 0.01 * rng.standard_normal((1, 32, 32)))


class MeanCaseSpec(SamplerSpec):
    """The mean case."""

    kind: Literal["mean_case"] = "mean_case"


class MeanCase(Sampler):
    """A network with one weight, which is trained."""

    makes = "images"

    def build(self):
        """One number."""
        return nn.Linear(1, 1)

    def loss(self, network, batch):
        """Lower the squared distance of that number."""
        return (batch["images"] - network(torch.ones(1))).square().mean()

    def make(self, rng, accelerator):
        """Draw noise."""
        return self.volumes(rng.standard_normal((2, 16, 14, 12)))


class MeanMapSpec(SamplerSpec):
    """The first label map."""

    kind: Literal["mean_map"] = "mean_map"


class MeanMap(MeanCase):
    """Label maps."""

    makes = "labels"

    def loss(self, network, batch):
        """Lower nothing in particular."""
        return network(torch.ones(1)).square().mean() + batch["labels"].float().mean()

    def make(self, rng, accelerator):
        """Draw noise."""
        return self.label_map(rng.integers(0, 2, (16, 14, 12)))


KINDS = {
    "mean_slice": (MeanSliceSpec, MeanSlice),
    "mean_case": (MeanCaseSpec, MeanCase),
    "mean_map": (MeanMapSpec, MeanMap),
}
SHAPES = {"mean_slice": (32, 32), "mean_case": (16, 14, 12)}


@pytest.fixture(scope="module")
def samplers(tmp_path_factory):
    """Each of the three, trained; they are registered while these tests run."""
    trained = {}
    for kind, (spec, part) in KINDS.items():
        SAMPLERS.register(spec)(part)
        settings = spec(budget={"steps": 1}, batch_size=1)
        folder = tmp_path_factory.mktemp(kind) / "m"
        trained[kind] = train_sampler(toy_cohort([1, 2]), None, settings, folder, accelerator=PLAIN)
    yield trained
    for kind in KINDS:
        SAMPLERS._entries.pop(kind)


def first_of(sampler, made, monkeypatch):
    """The first draw of a sampler whose `make` returns what a function gives."""
    monkeypatch.setattr(sampler.method, "make", lambda rng, accelerator: made(sampler.method))
    return next(iter(sampler.sample(1, stream(1))))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda s, shape: np.zeros((2, *shape)), "returned ndarray; expected images of t1, flair"),
        (lambda s, shape: {"t1": np.zeros(shape)}, "returned dict; expected images of t1, flair"),
        (lambda s, shape: None, "returned NoneType"),
        (lambda s, shape: {}, "returned images of no contrast"),
        (lambda s, shape: dict([*s.volumes(np.zeros((2, *shape))).items()][:1]), "returned images of t1; expected"),
        (lambda s, shape: s.volumes(np.zeros((1, *shape))), r"array of sampler 'mean_\w+' of shape \(1, .*= \(2, "),
        (lambda s, shape: s.volumes(np.zeros((3, *shape))), r"of shape \(3, "),
        (lambda s, shape: s.volumes(np.zeros(shape)), "of shape"),
        (lambda s, shape: s.volumes(np.zeros((2, *shape[:-1], 5))), r"of shape \(2, .* 5\)"),
        (lambda s, shape: s.volumes(np.full((2, *shape), np.nan)), "values that are NaN or infinite"),
        (lambda s, shape: s.volumes(np.pad([np.inf], (0, 2 * int(np.prod(shape)) - 1)).reshape(2, *shape)), "with 1 v"),
    ],
)
def test_images_that_are_no_draw_are_refused(samplers, kind, made, message, monkeypatch):
    """Bare arrays, other contrasts, shapes and numbers of contrasts, and values that are not finite."""
    with pytest.raises(SpecError, match=message) as caught:
        first_of(samplers[kind], lambda s: made(s, SHAPES[kind]), monkeypatch)
    assert caught.value.remedy
    assert f"sampler '{kind}'" in caught.value.found


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda s: np.zeros((16, 14, 12), np.uint8), "returned ndarray; expected a label map"),
        (lambda s: s.label_map(np.zeros((16, 14))), r"of shape \(16, 14\); expected \(i, j, k\) = \(16, 14, 12\)"),
        (lambda s: s.label_map(np.full((16, 14, 12), np.nan)), "NaN"),
        (lambda s: s.label_map(np.full((16, 14, 12), 1.5)), "no whole numbers"),
        (lambda s: s.label_map(np.full((16, 14, 12), 260)), "no whole numbers"),
    ],
)
def test_label_maps_that_are_no_draw_are_refused(samplers, made, message, monkeypatch):
    """Nothing is rounded or wrapped."""
    with pytest.raises(SpecError, match=message):
        first_of(samplers["mean_map"], made, monkeypatch)


def test_a_label_map_of_another_kind_of_sampler_is_refused(samplers, monkeypatch):
    """A sampler of images makes images."""
    knowledge = samplers["mean_slice"].method.knowledge
    made = LabelMap(np.zeros(knowledge.geometry.shape, np.uint8), knowledge.geometry, knowledge.scheme)
    with pytest.raises(SpecError, match="returned LabelMap; expected images of t1, flair"):
        first_of(samplers["mean_slice"], lambda _: made, monkeypatch)


@pytest.mark.parametrize(
    ("returned", "message"),
    [(lambda x: 1.0, "returned float"), (lambda x: x.flatten(), r"returned a tensor of shape \(\d+,\)")],
)
def test_a_loss_that_is_not_one_number_is_refused(samplers, returned, message, tmp_path, monkeypatch):
    """Before the first step is taken."""
    monkeypatch.setattr(MeanCase, "loss", lambda self, network, batch: returned(batch["images"]))
    with pytest.raises(SpecError, match=f"`loss` of sampler 'mean_case' {message}"):
        train_sampler(toy_cohort([1]), None, samplers["mean_case"].card.spec, tmp_path / "m", accelerator=PLAIN)


def test_a_network_without_parameters_is_measured(samplers, tmp_path):
    """It takes no steps, is kept like any other, and its slices lie about the mean of the training slices."""
    trained = samplers["mean_slice"]
    real = trained.method.slices(toy_cohort([1, 2])).images.float().numpy()
    made = sample_cohort(trained, 2, tmp_path / "made")
    voxels = made.cases[0].load().stack(trained.card.modalities)

    assert trained.card.outcome.steps == 0
    assert np.allclose(trained.method.network.mean, real.mean(axis=0), atol=1e-6)
    assert voxels.shape == (2, 1, 32, 32)
    inside = voxels[:, 0] != 0
    assert inside.any()
    assert np.abs(voxels[:, 0] / 5 - real.mean(axis=0))[inside].max() < 0.25
    assert dict(made.cases[0].facts) == {"slices_from": pytest.approx(85 / 240), "slices_to": pytest.approx(155 / 240)}


def test_a_folder_of_other_settings_is_called_what_it_is(samplers):
    """A sampler, not the first family whose keys have the same fields."""
    trained = samplers["mean_slice"]
    with pytest.raises(OutputError) as caught:
        train_sampler(toy_cohort([1, 2]), None, trained.card.spec, trained.folder, seed=2, accelerator=PLAIN)
    assert caught.value.found == "a sampler that `glioforge train` made with other settings: seed was 1, is now 2"
