"""Promises of the Augmentation Network that the laws over all synthesizers don't hold."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from glioforge.compute.accelerator import AcceleratorSpec, seed_torch
from glioforge.core.errors import InputFileError, OutputError
from glioforge.core.protocols import Silent
from glioforge.core.rng import stream
from glioforge.core.schemes import CARVER_BRAINMAP, COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.sampling import steps_of_an_epoch
from glioforge.nn import perceptual
from glioforge.nn.perceptual import Vgg19
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS, load_synthesizer, train_synthesizer
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.augmentation_net import AugmentationNet
from glioforge.training.estimation import estimate
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)
BOTH = (Modality.T1, Modality.FLAIR)
TINY = {
    "kind": "augmentation_net",
    "width_mult": 1 / 256,
    "doublings": 2,
    "critic_width": 2,
    "critic_layers": 2,
    "batch_size": 2,
    "size": None,
    "features": {"widths": (2, 4), "budget": {"steps": 2, "validate_every": 2, "checkpoint_every": 2}},
    "budget": {"steps": 4, "epochs": None, "validate_every": 2, "checkpoint_every": 2},
}


def knowledge(contrasts=BOTH):
    """Of two toy subjects."""
    return Knowledge(contrasts, COMPLETE, Appearance.of([toy_case(1), toy_case(2)], contrasts, COMPLETE))


def trained(folder, cohort=None, **changes):
    """A tiny network trained for four steps."""
    spec = SYNTHESIZERS.parse({**TINY, **changes})
    return train_synthesizer(cohort or toy_cohort([1, 2]), None, spec, folder, seed=1, accelerator=PLAIN)


@pytest.fixture
def vgg19(monkeypatch, tmp_path):
    """A file with weights of a thin VGG-19."""
    monkeypatch.setattr(perceptual, "_GROUPS", tuple((n, width // 32) for n, width in perceptual._GROUPS))

    def write(seed):
        torch.manual_seed(seed)
        save_file(Vgg19().state_dict(), tmp_path / "vgg19.safetensors")
        return str(tmp_path / "vgg19.safetensors")

    return write


def test_paper_preset_is_the_paper():
    """Widths, doublings, independence, epochs and balance of the text; no style, noise or grain."""
    spec = SYNTHESIZERS.parse({"kind": "augmentation_net", "preset": "paper"})
    with torch.device("meta"):
        network = AugmentationNet(spec, knowledge((Modality.T1,))).build(8, 4)
    assert [len(member.components) for member in network.members] == [7] * 4
    assert network.members[0].components[0].conv_in.weight.shape == (1024, 8, 3, 3)
    assert sum(p.numel() for p in network.members[0].parameters()) == 102_228_481
    assert spec.budget.epochs == 100
    assert (spec.balance.epochs, spec.balance.rebalance_every, spec.balance.l1, spec.balance.perceptual) == (
        10,
        None,
        1,
        1,
    )
    assert (spec.independent, spec.mirror, spec.lesion_share, spec.size) == (True, True, 0, (256, 256))
    assert spec.slab == 64
    assert not any((spec.style, spec.noise, spec.grain, spec.context, spec.losses.feature_matching, spec.losses.ema))


@pytest.mark.parametrize(
    ("changes", "components"),
    [({"doublings": None}, 7), ({"doublings": None, "size": (96, 80)}, 6), ({"doublings": 0}, 1)],
)
def test_doublings_follow_the_size(changes, components):
    """Unless they are given."""
    network = AugmentationNet(SYNTHESIZERS.parse({**TINY, **changes}), knowledge()).network
    assert len(network.generator.components) == components


@pytest.mark.parametrize("changes", [{}, {"independent": True}, {"dims": 3, "context": 0, "independent": True}])
def test_every_parameter_gets_a_gradient(changes):
    """Jointly, apart, and for volumes."""
    spec = SYNTHESIZERS.parse({**TINY, **changes})
    method = AugmentationNet(spec, knowledge())
    grid = (8, 9, 7)[: spec.dims]
    planes = 2 * spec.context + 1
    made = method.network(
        torch.randint(0, 7, (2, planes, *grid)),
        torch.ones(2, 3 + spec.dims if spec.dims == 2 else 6),
        torch.randn(2, 7, 2),
        torch.randn(2, 1, *grid),
    )
    made.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in method.network.parameters())


def test_card_names_features_learned_in_the_project_and_keeps_them(tmp_path):
    """Name, weights and history; the same seed gives the same features."""
    first, second = trained(tmp_path / "a"), trained(tmp_path / "b")
    assert first.facts == {"perceptual": "project features"}
    assert json.loads((tmp_path / "a" / "card.json").read_text())["facts"] == first.facts
    weights = [(tmp_path / name / "features" / "weights.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    assert first.weights_hash == second.weights_hash
    assert (tmp_path / "a" / "features" / "history.csv").is_file()
    assert load_synthesizer(tmp_path / "a").facts == first.facts
    shutil.copytree(tmp_path / "a" / "features", tmp_path / "c" / "features")
    assert trained(tmp_path / "c").weights_hash == first.weights_hash, "stopped after its features were done"


def test_card_names_vgg19_by_its_hash_and_only_training_needs_the_file(tmp_path, vgg19):
    """The file may be gone afterwards."""
    path = vgg19(1)
    made = trained(tmp_path / "m", vgg19=path)
    assert made.facts["perceptual"].startswith("vgg19:")
    assert len(made.facts["perceptual"]) == len("vgg19:") + 64
    (tmp_path / "vgg19.safetensors").unlink()
    labels = toy_case(1).labels
    assert load_synthesizer(tmp_path / "m", PLAIN).synthesize(labels, stream(1)).keys() == set(BOTH)
    with pytest.raises(InputFileError, match=r"vgg19\.safetensors: cannot read the file"):
        trained(tmp_path / "n", vgg19=path)


def test_training_does_not_go_on_with_other_weights_of_vgg19(tmp_path, vgg19):
    """The same path, other contents."""

    class Stopping(Silent):
        def track(self, items, title, total=None):
            for number in items:
                if number == 3:
                    raise KeyboardInterrupt
                yield number

    spec = SYNTHESIZERS.parse({**TINY, "vgg19": vgg19(1)})
    arguments = (toy_cohort([1, 2]), None, spec, tmp_path / "m")
    with pytest.raises(KeyboardInterrupt):
        train_synthesizer(*arguments, seed=1, accelerator=PLAIN, progress=Stopping())
    vgg19(2)
    with pytest.raises(OutputError, match='perceptual was "vgg19:'):
        train_synthesizer(*arguments, seed=1, accelerator=PLAIN)


def test_an_estimate_is_of_the_training_itself_and_not_of_its_features():
    """Parameters of generator and critic; features take one step."""
    found = estimate(lambda folder: trained(folder, features={"widths": (2, 4), "budget": {"steps": 10**6}}))
    assert {"generator", "critic"} <= set(found.parameters)
    assert found.budget.steps == 4


def test_perceptual_loss_can_be_left_out(tmp_path):
    """The card says so, and no features are learned."""
    made = trained(tmp_path / "m", perceptual=0.0)
    assert made.facts == {"perceptual": "none"}
    assert not (tmp_path / "m" / "features").exists()
    assert not any(name.startswith("perceptual") for name in history(tmp_path / "m")[0])


def history(folder):
    """Rows of a training's history."""
    with (folder / "training" / "history.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_weights_are_adapted_by_steps_or_epochs_and_logged(tmp_path):
    """One row before, one after; every loss in use has a weight."""
    targets = {"adversarial": 0.5, "l1": 2.0, "perceptual": 1.0}
    trained(tmp_path / "a", balance={**targets, "rebalance_every": 2}, losses={"l1": 10.0, "feature_matching": 0.0})
    before, after = history(tmp_path / "a")
    names = {"adversarial", "l1", "perceptual level1", "perceptual level2"}
    assert {name for name in before if name.endswith(" weight")} == {f"{name} weight" for name in names}
    for name in names:
        assert float(before[f"{name} weight"]) == 1
        assert float(after[f"{name} weight"]) == pytest.approx(
            targets[name.split()[0]] / abs(float(before[name])), rel=1e-4
        )
    trained(tmp_path / "b", balance={"epochs": 1, "rebalance_every": None}, batch_size=11)
    assert {float(row["l1 weight"]) for row in history(tmp_path / "b")} != {1.0}
    trained(tmp_path / "c", balance=None)
    assert not any(name.endswith(" weight") for name in history(tmp_path / "c")[0])


def test_epochs_are_counted_in_slices_with_brain_or_with_tumour():
    """By hand, along every axis; patches count cases."""
    case = toy_case(1)
    voxels = np.zeros(case.labels.voxels.shape, np.uint8)
    voxels[2:12, 3:7, 1:8] = 4
    voxels[5, 4:6, 2:5] = 1
    cohort = cohort_of_cases([replace(case, labels=case.labels.with_voxels(voxels), brain=voxels > 0)])
    assert [steps_of_an_epoch(cohort, 1, axis=axis) for axis in (0, 1, 2)] == [10, 4, 7]
    assert [steps_of_an_epoch(cohort, 1, axis=axis, lesions_only=True) for axis in (0, 1, 2)] == [1, 2, 3]
    assert (steps_of_an_epoch(cohort, 4, axis=2), steps_of_an_epoch(cohort, 1, axis=None)) == (2, 1)
    assert [steps_of_an_epoch(cohort, 1, axis=2, slab=slab) for slab in (1, 4, 64)] == [1, 4, 7]
    tissue = case.labels.with_voxels(voxels // 4 * 4)
    healthy = cohort_of_cases([replace(case, labels=tissue, brain=voxels > 0)])
    assert steps_of_an_epoch(healthy, 1, axis=2, lesions_only=True) == 7


def games(spec, contrasts, seed):
    """Batches and a recipe with fresh weights, as `fit` makes them."""
    method = AugmentationNet(spec, knowledge(contrasts))
    return method, method.recipe(method.network, 4), method.batches(toy_cohort([1, 2]), seed)


def test_independent_models_are_what_each_contrast_alone_would_be():
    """Generators with style, extras, averages and critics: the same weights, step by step, from the same start."""
    spec = SYNTHESIZERS.parse({**TINY, "independent": True, "position": True, "perceptual": 0.0})
    torch.manual_seed(3)
    _, side, batches = games(spec, BOTH, 5)
    alone = []
    for modality in BOTH:
        _, recipe, single = games(spec.model_copy(update={"independent": False}), (modality,), 5)
        for part, network in recipe.networks.items():
            state = side.networks[f"{modality}_{part}"].state_dict()
            network.load_state_dict(state)
        alone.append((modality, recipe, single))
    from toy_training import fabric

    for step in range(3):
        seed_torch(1, "step", step)
        side.step(batches(step), step, fabric())
        for _, recipe, single in alone:
            seed_torch(1, "step", step)
            recipe.step(single(step), step, fabric())
    for modality, recipe, _ in alone:
        for part, network in recipe.networks.items():
            mine = side.networks[f"{modality}_{part}"].state_dict()
            assert all(torch.equal(value, mine[name]) for name, value in network.state_dict().items())


def test_independent_training_can_be_interrupted_and_gives_every_contrast(tmp_path):
    """Joined weights go into one file and come back."""

    class Stopping(Silent):
        def track(self, items, title, total=None):
            for number in items:
                if number == 3 and title == "training":
                    raise KeyboardInterrupt
                yield number

    spec = SYNTHESIZERS.parse({**TINY, "independent": True, "features": {**TINY["features"]}})
    arguments = (toy_cohort([1, 2]), toy_cohort([9], "validation"), spec)
    whole = train_synthesizer(*arguments, tmp_path / "a", seed=1, accelerator=PLAIN)
    with pytest.raises(KeyboardInterrupt):
        train_synthesizer(*arguments, tmp_path / "b", seed=1, accelerator=PLAIN, progress=Stopping())
    assert train_synthesizer(*arguments, tmp_path / "b", seed=1, accelerator=PLAIN).weights_hash == whole.weights_hash
    columns = history(tmp_path / "a")[0]
    assert {"t1 l1", "flair l1", "t1 critic", "flair adversarial weight", "t1 perceptual level1"} <= set(columns)


def test_bands_of_intensity_are_taken_as_they_are(tmp_path):
    """The paper's own label scheme."""
    from glioforge.core.cohort import Cohort

    def banded(case):
        voxels = case.labels.voxels
        bands = np.where(voxels > 3, voxels - 3 + 3, np.array([0, 1, 2, 3, 0, 0, 0])[np.minimum(voxels, 6)])
        labels = type(case.labels)(bands.astype(np.uint8), case.labels.geometry, CARVER_BRAINMAP)
        return replace(case, labels=labels)

    plain = cohort_of_cases([banded(toy_case(n)) for n in (1, 2)])
    cohort = Cohort("bands", tuple(replace(ref, scheme=CARVER_BRAINMAP.name) for ref in plain), CARVER_BRAINMAP)
    made = trained(tmp_path / "m", cohort, preset="paper")
    assert made.scheme == CARVER_BRAINMAP
    images = made.synthesize(banded(toy_case(3)).labels, stream(1))
    assert all(volume.voxels.any() for volume in images.values())


def test_a_slab_reaches_the_batches_and_is_of_slices_alone():
    """One slice about the tumour is all that a case is trained on; volumes have no slab."""
    cohort = toy_cohort([1])
    spec = SYNTHESIZERS.parse({**TINY, "slab": 1, "lesion_share": 0.0, "context": 0, "mirror": False})
    appearance = Appearance.of((ref.load() for ref in cohort), BOTH, cohort.scheme)
    batches = AugmentationNet(spec, Knowledge(BOTH, cohort.scheme, appearance)).batches(cohort, 3)
    drawn = torch.cat([batches(step)["labels"] for step in range(4)])
    assert (drawn == drawn[0]).all()
    with pytest.raises(ValueError, match="slab 1 with 3 dimensions"):
        SYNTHESIZERS.parse({**TINY, "slab": 1, "dims": 3})
