"""Promises of the parts of a training: averages, optimisers, weights, history, recipes."""

import json
import math

import pytest
import torch
from torch import nn

from glioforge.core.errors import InputFileError, OutputError
from glioforge.core.protocols import Silent
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.training import state
from glioforge.training.budget import Budget
from glioforge.training.estimation import estimate
from glioforge.training.optimizer import OptimizerSpec, build_optimizer, rate_factor, set_rate
from glioforge.training.recipes.adversarial import SLOPE_EVERY, Adversarial, Companion
from glioforge.training.recipes.adversarial_spec import AdversarialSpec
from glioforge.training.record import Averages, write_history
from glioforge.training.state import Checkpoints, Snapshot, capture, restore
from glioforge.training.step import Ema, NonFiniteError, update_all
from glioforge.training.watch import RIGHT
from glioforge.training.weights import decode, read_weights, write_weights
from toy_training import fabric, run


def test_average_follows_the_weights_and_copies_buffers():
    """Constant weights are reached; the rate starts low and ends at the decay."""
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Ema(network, 0.5)
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[1].running_mean.fill_(3.0)
    start = average.network[0].weight.clone()
    average.update(network, step=0)
    torch.testing.assert_close(average.network[0].weight, 0.1 * start + 0.9)
    average.update(network, step=1000)
    torch.testing.assert_close(average.network[0].weight, 0.05 * start + 0.95)
    assert average.network[1].running_mean.tolist() == [3.0, 3.0]
    assert not any(p.requires_grad for p in average.parameters())
    assert average(torch.zeros(1, 2)).shape == (1, 2)


@pytest.mark.parametrize("method", ["adamw", "adam", "sgd"])
def test_every_optimiser_lowers_a_parabola_and_survives_a_checkpoint(tmp_path, method):
    """A restored optimiser takes exactly the steps of the one that went on."""
    torch.manual_seed(0)
    spec = OptimizerSpec(method=method, learning_rate=0.05, schedule="cosine")
    network = nn.ModuleDict({"n": nn.Linear(3, 1)})
    optimizer = build_optimizer(spec, network.parameters())

    def steps(first, last):
        for step in range(first, last):
            set_rate(optimizer, spec, step, 40)
            loss = network["n"](torch.ones(1, 3)).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    before = steps(0, 5)
    store = Checkpoints(tmp_path)
    store.save(5, capture(network, {"n": optimizer}))
    after = steps(5, 40)
    restore(store.latest(Silent()), network, {"n": optimizer})
    assert steps(5, 40) == after < before


def test_schedules_warm_up_and_fall():
    """Poly and cosine end near 0; a warm-up rises."""
    assert rate_factor(OptimizerSpec(schedule="poly"), 50, 100) == pytest.approx(0.5**0.9)
    assert rate_factor(OptimizerSpec(schedule="cosine"), 100, 100) == 0.0
    assert [rate_factor(OptimizerSpec(warmup=3), n, 10) for n in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_update_is_all_or_nothing_and_clips():
    """A gradient that is NaN in one player stops both; clipping bounds the step."""
    first, second = (nn.Parameter(torch.ones(2)) for _ in range(2))
    players = [torch.optim.SGD([p], lr=1.0) for p in (first, second)]
    first.grad, second.grad = torch.full((2,), 3.0), torch.tensor([math.nan, 1.0])
    with pytest.raises(NonFiniteError, match="loss or gradient is NaN or infinite"):
        update_all(players, [torch.tensor(1.0)], fabric())
    assert torch.equal(first, torch.ones(2))
    assert first.grad is None
    first.grad = torch.full((2,), 3.0)
    update_all(players[:1], [torch.tensor(1.0)], fabric(), clip_norm=1.0)
    assert float((first - 1).detach().norm()) == pytest.approx(1.0, rel=1e-4)


def test_weights_come_back_and_changed_ones_are_refused(tmp_path):
    """Damage, another network, another hash and NaN are told apart by a typed error."""
    network, path = nn.Linear(2, 3), tmp_path / "w.safetensors"
    digest = write_weights(path, network.state_dict())
    twin = nn.Linear(2, 3)
    read_weights(path, twin, digest)
    assert torch.equal(twin.weight, network.weight)
    with pytest.raises(InputFileError, match="do not fit the network at weight"):
        read_weights(path, nn.Linear(4, 3))
    with pytest.raises(InputFileError, match="hash 00"):
        read_weights(path, twin, "00")
    write_weights(path, {**network.state_dict(), "bias": torch.tensor([0.0, math.nan, 0.0])})
    with pytest.raises(InputFileError, match="do not fit the network at bias"):
        read_weights(path, twin)
    write_weights(path, {**{f"network/{n}": v for n, v in network.state_dict().items()}, "grid/shape": torch.ones(3)})
    read_weights(path, twin, prefix="network/")
    assert torch.equal(twin.bias, network.bias)
    for hostile in (b"", b"\x80\x04.", path.read_bytes()[:-3], b"\xff" * 64):
        with pytest.raises(InputFileError, match="not a whole safetensors file"):
            decode(hostile, path)


def test_checkpoints_keep_two_and_clear_all(tmp_path):
    """The third save drops the first; clear leaves no folder."""
    store = Checkpoints(tmp_path / "c")
    assert store.latest(Silent()) is None
    for step in (1, 2, 3):
        store.save(step, Snapshot({"x": torch.tensor([float(step)])}, {"n": step}))
    assert sorted(p.name for p in store.folder.glob("*.json")) == ["step-00000002.json", "step-00000003.json"]
    assert store.latest(Silent()).values == {"n": 3}
    (store.folder / "step-00000003.json").write_text("{}")
    assert store.latest(Silent()).values == {"n": 2}
    store.clear()
    assert not store.folder.exists()


def test_checkpoints_of_another_format_are_refused(tmp_path):
    """They are whole, so that going back to the one before would lose what they hold without a word."""
    store = Checkpoints(tmp_path)
    store.save(1, Snapshot({"x": torch.ones(1)}, {"n": 1}))
    path = tmp_path / "step-00000001.json"
    values = json.loads(path.read_text())
    del values["self"]
    values["format"] = 7
    path.write_text(json.dumps({**values, "self": state._digest_of(values)}))
    with pytest.raises(OutputError, match=r"a checkpoint of format 7; expected format 1; continue with the release"):
        store.latest(Silent())


def test_averages_and_history_table(tmp_path):
    """Means restart after each row; missing values stay empty."""
    averages = Averages()
    averages.add({"a": 1.0})
    averages.add({"a": 2.0, "b": 5.0})
    assert averages.take() == {"a": 1.5, "b": 5.0}
    assert averages.take() == {}
    write_history(tmp_path / "h.csv", [{"step": 1, "b": 0.5}, {"step": 2, "a": None, "score": 1.0}])
    assert (tmp_path / "h.csv").read_text() == "step,a,b,score\n1,,0.5,\n2,,,1.0\n"


class Toy(nn.Module):
    """A generator of one convolution."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        """Make an image."""
        return self.layer(x)


def adversarial(parts=None, **changes):
    """A small game of two players, and a batch for it."""
    torch.manual_seed(0)
    spec = AdversarialSpec(**{"l1": 10.0, "l1_low_pass": 1, "ema": 0.9, "clip_norm": 1.0, **changes})
    hot = torch.nn.functional.one_hot(torch.randint(0, 2, (2, 12, 12)), 2).movedim(-1, 1).float()
    batch = {"hot": hot, "images": 2 * hot[:, :1] - 1, "brain": torch.ones(2, 12, 12, dtype=torch.bool)}
    recipe = Adversarial(
        Toy(),
        MultiScaleCritic(3, 4, 2),
        spec,
        steps=50,
        generate=lambda network, b: network(b["hot"]),
        condition=lambda b: b["hot"],
        **(parts or {}),
    )
    return recipe, batch


def test_an_estimate_counts_a_critic_that_joins_late():
    """Memory is that of the training at its largest, not of its first steps."""

    def found(begins):
        recipe, batch = adversarial(begins=begins)
        game = {"recipe": recipe, "batches": lambda step: batch, "budget": Budget(steps=50), "validate": None}
        return estimate(lambda folder: run(folder, **game))

    late, early = found(0.8), found(0.0)
    assert late.activations == early.activations
    assert late.optimizers == early.optimizers


@pytest.mark.parametrize("adversary", ["hinge", "lsgan", "vanilla"])
def test_both_players_move_and_the_images_get_nearer(adversary):
    """Thirty steps lower the absolute difference, and the critic changes too."""
    player = OptimizerSpec(method="adam", learning_rate=0.02, weight_decay=0.0, momentum=0.5)
    recipe, batch = adversarial(adversary=adversary, generator=player)
    critic = [p.clone() for p in recipe.networks["critic"].parameters()]
    rows = [recipe.step(batch, step, fabric()) for step in range(30)]
    assert float(rows[-1]["l1"]) < 0.7 * float(rows[0]["l1"])
    assert set(rows[0]) == {"critic", "adversarial", "feature_matching", "l1", *RIGHT}
    assert any(not torch.equal(a, b) for a, b in zip(critic, recipe.networks["critic"].parameters(), strict=True))
    assert all(p.requires_grad for p in recipe.networks["critic"].parameters())


def test_further_losses_reach_the_generator_and_its_companion_learns_apart():
    """A term moves only the generator; the companion's own loss moves only the companion; what is kept is saved."""
    torch.manual_seed(1)
    companion = Companion(
        nn.Conv2d(1, 1, 1), OptimizerSpec(), lambda n, b, fake: (n(b["images"]) - fake).square().mean()
    )
    kept = nn.BatchNorm2d(1)

    def terms(fake, batch):
        return {"judged": companion.network(fake).square().mean(), "mean": 100 * fake.mean()}

    recipe, batch = adversarial(
        {"terms": terms, "companion": companion, "kept": {"extra": kept}}, adversarial=0.0, l1=0
    )
    before = companion.network.weight.clone()
    rows = [recipe.step(batch, step, fabric()) for step in range(3)]
    assert {"judged", "mean", "companion", "critic"} <= set(rows[0])
    assert float(rows[2]["mean"]) < float(rows[0]["mean"])
    assert not torch.equal(before, companion.network.weight)
    assert companion.network.weight.requires_grad
    assert {"companion", "extra"} <= set(recipe.networks)
    assert set(recipe.optimizers) == {"generator", "critic", "companion"}
    frozen, batch = adversarial({"terms": terms, "companion": companion})
    gradient = []
    companion.network.weight.register_hook(gradient.append)
    frozen.step(batch, 0, fabric())
    assert len(gradient) == 1, "only its own loss may reach the companion"


def test_slope_is_penalised_now_and_then_and_the_critic_sees_the_view():
    """A large penalty flattens the critic; a view replaces what it sees, of real and made images alike."""
    seen = []

    def view(condition, image):
        seen.append(len(image))
        return condition, image.flip(-1)

    recipe, batch = adversarial({"view": view}, r1=1e4)
    plain, _ = adversarial({"view": view})
    first, again = recipe.step(batch, 0, fabric()), plain.step(batch, 0, fabric())
    assert float(first["critic"]) == float(again["critic"])
    assert seen == [4, 2, 4, 2]
    a, b = (r.networks["critic"].state_dict() for r in (recipe, plain))
    assert any(not torch.equal(a[name], b[name]) for name in a)
    before = {name: value.clone() for name, value in a.items()}
    assert SLOPE_EVERY > 1
    recipe.step(batch, 1, fabric())
    assert any(not torch.equal(before[name], value) for name, value in recipe.networks["critic"].state_dict().items())


def test_the_critic_may_join_late():
    """Until then only the generator moves, by the losses that need no critic."""
    recipe, batch = adversarial(begins=0.5)
    critic, generator = (
        [p.detach().clone() for p in recipe.networks[name].parameters()] for name in ("critic", "generator")
    )
    assert set(recipe.step(batch, 24, fabric())) == {"l1"}
    assert all(torch.equal(a, b) for a, b in zip(critic, recipe.networks["critic"].parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(generator, recipe.networks["generator"].parameters(), strict=True))
    assert {"critic", "adversarial", "l1"} <= set(recipe.step(batch, 25, fabric()))


def test_the_schedule_of_a_late_critic_starts_when_it_joins():
    """At full rate then, at half of it in the middle of what is left; the generator's runs from the first step."""
    player = OptimizerSpec(method="adam", learning_rate=0.01, schedule="cosine")
    recipe, batch = adversarial(begins=0.5, generator=player, critic=player)
    rates = {}
    for step in (24, 25, 37):
        recipe.step(batch, step, fabric())
        rates[step] = [recipe.optimizers[name].param_groups[0]["lr"] for name in ("generator", "critic")]
    assert rates[25] == pytest.approx([0.005, 0.01])
    assert rates[37][1] == pytest.approx(0.01 * (0.5 + 0.5 * math.cos(math.pi * 12 / 25)))
    assert rates[24][1] == 0.01


def test_a_critic_that_would_join_after_the_last_step_never_does():
    """A training too short for it goes through without one."""
    player = OptimizerSpec(method="adam", learning_rate=0.01, schedule="cosine")
    recipe, batch = adversarial(begins=0.99, generator=player, critic=player)
    assert set(recipe.step(batch, 49, fabric())) == {"l1"}


def test_step_that_is_not_finite_moves_neither_player():
    """All weights are as before, also the average's."""
    recipe, batch = adversarial()
    before = {
        name: value.clone() for name, value in recipe.networks.state_dict().items() if not name.endswith(("_u", "_v"))
    }
    with pytest.raises(NonFiniteError):
        recipe.step({**batch, "images": batch["images"] * math.inf}, 0, fabric())
    after = recipe.networks.state_dict()
    parameters = {name for name, _ in recipe.networks.named_parameters()}
    assert all(torch.equal(before[name], after[name]) for name in before if name in parameters)


def test_inference_takes_the_average_or_the_generator():
    """As the spec says."""
    assert isinstance(adversarial()[0].inference_network(), Toy)
    recipe, _ = adversarial(ema=None)
    assert recipe.inference_network() is recipe.networks["generator"]
