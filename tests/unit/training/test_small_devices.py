"""Promises of training on small devices: less memory, the same step."""

import copy

import pytest
import torch
from torch import nn

import toy_parallel
from glioforge.core.errors import SpecError
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.nn.spade import SpadeGenerator, Stage
from glioforge.training.budget import Budget
from glioforge.training.estimation import estimate
from glioforge.training.loop import train
from glioforge.training.recipes.supervised import Supervised
from glioforge.training.step import recompute_stages
from toy_parallel import PLAYER
from toy_scripted import Scripted
from toy_training import fabric

BUDGET = Budget(steps=6, validate_every=3, samples=False)


def weights_after(folder, kind, **changes):
    """Weights that a training of six steps keeps, and its history."""
    recipe = toy_parallel.recipe(kind)
    budget = BUDGET.model_copy(update=changes)
    outcome = train(recipe, toy_parallel.batch, budget, folder, seed=1, fabric=fabric())
    return {name: value.clone() for name, value in recipe.networks.state_dict().items()}, outcome.history


@pytest.mark.parametrize("kind", ["supervised", "adversarial"])
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_give_the_step_of_the_whole(tmp_path, kind, parts):
    """Weights of all networks and the history, within float rounding."""
    whole, history = weights_after(tmp_path / "whole", kind)
    start = toy_parallel.recipe(kind).networks.state_dict()
    assert any(not torch.equal(start[name], whole[name]) for name in start)
    cut, told = weights_after(tmp_path / "cut", kind, accumulate=parts)
    for name in whole:
        torch.testing.assert_close(cut[name], whole[name], rtol=1e-4, atol=1e-6)
    for mine, theirs in zip(told, history, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3)


def test_parts_keep_fewer_activations():
    """Half the batch at a time, about half the memory."""

    def kept(parts):
        budget = BUDGET.model_copy(update={"accumulate": parts})
        made = estimate(
            lambda folder: train(
                toy_parallel.recipe("supervised"), toy_parallel.batch, budget, folder, seed=1, fabric=fabric()
            )
        )
        return made.activations

    assert kept(2) < 0.7 * kept(1)


def test_batches_that_cannot_be_cut_are_refused(tmp_path):
    """By the number of samples, or because the recipe has no parts."""
    with pytest.raises(SpecError, match="a batch of 4 to be cut into 3 parts; expected equal parts; make batch_size a"):
        weights_after(tmp_path / "a", "supervised", accumulate=3)
    with pytest.raises(
        SpecError, match=r"budget.accumulate 2; expected 1, because this method takes its batches whole"
    ):
        train(
            Scripted(lambda step: {"loss": 1.0}),
            toy_parallel.batch,
            BUDGET.model_copy(update={"accumulate": 2}),
            tmp_path / "b",
            seed=1,
            fabric=fabric(),
        )


def game():
    """Batch norm and spectral norm in both players, where a second pass could leave traces."""
    torch.manual_seed(2)
    stages = [Stage(4, up=False), Stage(6, up=True), Stage(4, up=True)]
    generator = SpadeGenerator(2, 1, stages, hidden=4, norm="batch", spectral=True, noise=True)
    nn.init.constant_(generator.blocks[0].noise_in, 0.5)
    return toy_parallel.game(generator, MultiScaleCritic(3, 4, 3, spectral=True), noise=True)


def test_stages_computed_again_change_nothing_but_memory(tmp_path):
    """Weights, running statistics, spectral vectors, averages and history bit by bit; fewer activations are kept."""
    found = {}
    for again in (False, True):
        recipe, budget = game(), BUDGET.model_copy(update={"checkpoint_activations": again})
        outcome = train(recipe, toy_parallel.noisy_batch, budget, tmp_path / str(again), seed=1, fabric=fabric())
        kept = estimate(
            lambda folder, budget=budget: train(
                game(), toy_parallel.noisy_batch, budget, folder, seed=1, fabric=fabric()
            )
        )
        found[again] = recipe.networks.state_dict(), outcome.history, kept.activations
    plain, again = found[False], found[True]
    assert all(torch.equal(value, again[0][name]) for name, value in plain[0].items())
    assert plain[1] == again[1]
    assert again[2] < 0.75 * plain[2]


def test_averages_are_left_alone_and_networks_without_stages_are_refused():
    """Only what has gradients is computed again; a copy made before keeps its own passes."""
    recipe = game()
    average = copy.deepcopy(recipe.networks["average"])
    stages = len(recipe.networks["generator"].blocks) + len(recipe.networks["critic"].critics)
    assert recompute_stages(recipe.networks) == stages
    assert "forward" not in vars(recipe.networks["average"].network.blocks[0])
    assert average.state_dict().keys() == recipe.networks["average"].state_dict().keys()
    plain = Supervised(nn.Linear(2, 2), lambda out, b: out.sum(), PLAYER, steps=1)
    with pytest.raises(SpecError, match="networks that have no stages to compute again"):
        recompute_stages(plain.networks)
