"""Tests of the progressive recipe: its schedule, its losses, that it learns, and that collapse is noticed."""

import pytest
import torch

from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.core import SpecError
from glioforge.nn.progressive import ProgressiveCritic, ProgressiveGenerator
from glioforge.sampling.methods.label_pgan.encoding import OneHot
from glioforge.sampling.methods.label_pgan.growth import GrowthSpec, grown_at, moment_of, steps_for
from glioforge.sampling.methods.label_pgan.recipe import Progressive, ProgressiveSpec
from glioforge.training.recipe import observe_last
from glioforge.training.watch import WatchSpec, WatchState, after_row

FABRIC = start(AcceleratorSpec(device="cpu", precision="32-true", threads=1))
GROWTH = GrowthSpec(stable=16, fade=16, batch_sizes=(8,))


def recipe(**settings):
    """Small networks of three levels, and one-hot maps of three classes."""
    torch.manual_seed(0)
    widths = (8, 8, 8)
    spec = ProgressiveSpec(growth=GROWTH, **settings)
    relaxation = "softmax"
    players = ProgressiveGenerator(4, 3, widths, condition=0), ProgressiveCritic(3, widths)
    return Progressive(*players, spec, encoding=OneHot(torch.ones(3), 16, relaxation, 1.0), latent=4, steps=100)


def batch(count=8):
    """Maps with a disc of one class within another."""
    x, y = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    radius = ((x - 7.5) ** 2 + (y - 7.5) ** 2).sqrt()
    labels = torch.stack([(radius < 7).long() + (radius < 2 + n / 2).long() for n in range(count)])
    return {"labels": labels.to(torch.uint8), "condition": torch.zeros(count, 0)}


def test_the_schedule_is_that_of_the_reference():
    """The last fade ends at 7.2 million images; 12 million make the paper's training; batches shrink with the level."""
    spec = GrowthSpec()
    last = moment_of(spec, 7, grown_at(spec, 7))
    assert abs(last.images - 7_200_000) < 1000
    assert (last.level, last.grown, last.batch_size) == (6, 6.0, 8)
    sizes = {moment_of(spec, 7, step).level: moment_of(spec, 7, step).batch_size for step in range(0, 250_000, 500)}
    assert sizes == {0: 128, 1: 128, 2: 128, 3: 64, 4: 32, 5: 16, 6: 8}
    assert moment_of(spec, 7, steps_for(spec, 7, 12_000_000)).images >= 12_000_000
    with pytest.raises(SpecError, match="shorten"):
        steps_for(spec, 7, 1000)


def test_what_is_in_use_never_shrinks_and_fading_moves_in_equal_steps():
    """Every phase ends with the level whole."""
    grown = [moment_of(GROWTH, 3, step).grown for step in range(12)]
    assert grown == sorted(grown)
    assert grown == [0, 0, 0.25, 0.75, 1, 1, 1.25, 1.75, 2, 2, 2, 2]
    assert [moment_of(GROWTH, 3, step).phase for step in range(10)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("adversary", ["wasserstein", "logistic", "boundary_seeking"])
def test_both_players_move_at_every_stage_and_optimisers_start_fresh(adversary):
    """Finite losses through all phases; after the last fade every weight has moved but those of ends left behind."""
    made = recipe(adversary=adversary, penalty_every=2)
    before = {name: p.detach().clone() for name, p in made.networks.named_parameters()}
    for step in range(10):
        losses = made.step(batch(), step, FABRIC)
        assert all(torch.isfinite(value) for value in losses.values())
        if step in {2, 8}:
            assert {int(s["step"]) for s in made.optimizers["critic"].state.values()} == {1}
    still = {name for name, p in made.networks.named_parameters() if torch.equal(p, before[name])}
    assert not still, still


@pytest.mark.slow
def test_it_overfits_one_batch():
    """The average makes the classes of eight maps in their shares, and maps that are nearly among them."""
    fast = {"method": "adam", "learning_rate": 5e-3, "momentum": 0, "second_momentum": 0.99, "weight_decay": 0}
    made = recipe(adversary="logistic", penalty=0.1, penalty_every=4, ema=0.95, generator=fast, critic=fast)
    shown = batch()
    for step in range(500):
        torch.manual_seed(step)
        made.step(shown, step, FABRIC)
    torch.manual_seed(1)
    drawn = made.observe({name: value.repeat_interleave(4, dim=0) for name, value in shown.items()}).made[:, 0]
    nearest = (drawn[:, None] != shown["labels"][None].float()).float().mean(dim=(2, 3)).min(dim=1).values
    assert float(nearest.median()) < 0.06
    assert len({tuple(row.flatten().tolist()) for row in drawn}) > 4


@pytest.mark.parametrize("size", [1, 8])
def test_collapse_is_noticed_also_at_batch_size_one(size):
    """A generator that makes one map whatever its noise sounds the alarm; a varied one does not."""
    maps = batch()
    alarms = {}
    for planted in (False, True):
        made = recipe()
        network = made.inference_network()
        network.grow_to(2)
        network.ends[2].weight.normal_(0, 30)
        if planted:
            network.start.weight.zero_()
            network.start_bias.normal_()

        def drawn(step):
            rows = torch.arange(step * size, step * size + size) % 8
            return {name: value[rows] for name, value in maps.items()}

        state, spec, found = WatchState(), WatchSpec(), {}
        for _ in range(spec.rows):
            seen = observe_last(made.observe, drawn, 20, torch.device("cpu"))
            state, found = after_row(state, seen.scalars, spec)
        alarms[planted] = "collapsed" in found
    assert alarms == {False: False, True: True}
